"""Why something that a department's system tells of a case is refused."""

from server.errors import Refusal


class CaseNumberReused(Refusal):
    """This number stands for another case, or was told otherwise before."""

    status, code = 409, "case_number_reused"
    sentence = ("该编号已用于另一办件。", "This number was used for another case.")


class StepNumberReused(Refusal):
    """This number stands for another step of the case, or was told otherwise before."""

    status, code = 409, "step_number_reused"
    sentence = ("该编号已用于另一步骤。", "This number was used for another step.")


class TooManySteps(Refusal):
    """A case has a hundred steps at most."""

    status, code = 409, "too_many_steps"
    sentence = ("该办件的步骤已达上限。", "This case has as many steps as a case can have.")
