"""Why a counter cannot do something."""

from server.errors import Refusal, Sentence


class NobodyWaiting(Refusal):
    """Nobody waits in any line that this counter serves."""

    status, code = 409, "nobody_waiting"
    sentence = ("没有人在等候。", "Nobody is waiting.")


# Why nobody is called where only people who have checked in are called.
NOBODY_HERE: Sentence = (
    "没有已签到的人在等候；未到厅签到的人先不叫号。",
    "Nobody who has checked in is waiting; whoever has not is not called yet.",
)


class NobodyParked(Refusal):
    """Nobody is parked here, or nobody with this number."""

    status, code = 409, "nobody_parked"
    sentence = ("没有挂起的号。", "Nobody is parked.")


class RecallLimit(Refusal):
    """She was called again as often as the hall does: she is missed, or comes."""

    status, code = 409, "recall_limit"
    sentence = ("重呼次数已用完，请过号。", "Called again often enough: mark her as missed.")


class NothingToUndo(Refusal):
    """The counter did nothing in the last half minute that could be taken back."""

    status, code = 409, "nothing_to_undo"
    sentence = ("没有可以撤销的操作。", "There is nothing to take back.")


class LineNotServed(Refusal):
    """The counter has no skill for a line it was asked to serve."""

    status, code = 422, "line_not_served"
    sentence = ("该窗口不能办理此队列。", "This counter cannot serve that line.")


class SkillsChanged(Refusal):
    """Somebody has changed this counter's skills since they were looked at."""

    status, code = 409, "skills_changed"
    sentence = (
        "该窗口的业务已被他人调整，请刷新后再试。",
        "Somebody has changed this counter's lines meanwhile; look again.",
    )


class LineUnserved(Refusal):
    """A line would be left that no counter of the hall can serve."""

    status, code = 409, "line_unserved"
    sentence = ("调整后将有队列没有窗口办理。", "A line would be left that no counter serves.")
