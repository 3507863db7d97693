"""Why nobody can be told when to set off."""

from server.errors import Refusal


class HallWithoutPlace(Refusal):
    """Nobody knows where the hall is."""

    status, code = 409, "hall_without_place"
    sentence = (
        "该大厅没有坐标，无法计算路程。",
        "The hall has no coordinates, so nobody knows the way there.",
    )


class TooFarAway(Refusal):
    """The way to the hall takes longer than anybody travels to a turn."""

    status, code = 409, "too_far_away"
    sentence = (
        "您离该大厅太远，路程超过十二小时。",
        "You are too far from the hall: the way there takes more than twelve hours.",
    )
