"""Why a counter cannot do something."""

from server.errors import Refusal


class NobodyWaiting(Refusal):
    """Nobody waits in any line that this counter serves."""

    status, code = 409, "nobody_waiting"
    sentence = ("没有人在等候。", "Nobody is waiting.")


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
