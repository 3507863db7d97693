"""Why a visit does not begin, or go on."""

from server.errors import Refusal


class NotInVisit(Refusal):
    """The visit has no such item."""

    status, code = 404, "item_not_in_visit"
    sentence = ("这次联办没有此事项。", "This visit has no such item.")
