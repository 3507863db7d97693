"""Why something about consents, certificates and audiences is refused."""

from server.errors import Refusal


class MoreThanItNeeds(Refusal):
    """The purpose never uses one of these groups."""

    status, code = 422, "more_than_it_needs"
    sentence = ("该用途不使用其中的某类信息。", "The purpose never uses one of these groups.")


class CertificateUnknown(Refusal):
    """There is no such kind of certificate."""

    status, code = 404, "certificate_unknown"
    sentence = ("没有这种证件。", "There is no such kind of certificate.")


class RuleUnknown(Refusal):
    """There is no rule of that code."""

    status, code = 422, "rule_unknown"
    sentence = ("没有这条规则。", "There is no rule of that code.")
