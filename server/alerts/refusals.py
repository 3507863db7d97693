"""Why an emergency call is not taken."""

from server.errors import Refusal


class CounterClosed(Refusal):
    """Nobody works at this counter, so nobody calls from it: call from an open one, or a phone."""

    status, code = 409, "counter_closed"
    sentence = (
        "该窗口已关闭，请从开放的窗口呼叫，或拨打电话。",
        "This counter is closed: call from an open one, or by telephone.",
    )
