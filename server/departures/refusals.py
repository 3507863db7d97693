"""Why nobody can be told when to set off."""

from server.errors import Refusal


class HallWithoutPlace(Refusal):
    """Nobody knows where the hall is."""

    status, code = 409, "hall_without_place"
    sentence = (
        "该大厅没有坐标，无法计算路程。",
        "The hall has no coordinates, so nobody knows the way there.",
    )
