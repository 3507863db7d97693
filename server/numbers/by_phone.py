"""What a hall asks of phones: where they are, and how often a person may come that way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import asyncpg

from models.by_phone import AT_ONCE, ByPhone
from scheduler.places import Place, geodesic_m, presence
from scheduler.travel import travel_times_s
from server.errors import LevelTooLow, Unavailable
from server.halls.directory import HallEntry
from server.numbers.refusals import (
    DailyCapReached,
    NotAtHall,
    PlaceRequired,
    PlaceUnsure,
    TooFar,
)

# Each time that it comes to nothing she got another number meanwhile.
TRIES: Final = 10
Taken = TypeVar("Taken")


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a phone says that it is, in WGS-84, and within how many metres of there, if it does.

    It is what the phone says: a phone can be made to say anything (docs/from-the-phone.md).
    """

    place: Place
    accuracy_m: float | None = None


async def counted_anew(take: Callable[[], Awaitable[Taken]]) -> Taken:
    """Take a number; once more when another was given to her at this very moment.

    Then what she took is counted anew. Raises Unavailable when that never stops, and whatever else
    `take` raises.
    """
    for _ in range(TRIES):
        try:
            return await take()
        except asyncpg.UniqueViolationError as taken:
            if taken.constraint_name not in AT_ONCE:
                raise
    raise Unavailable(1)


def check_place(hall: HallEntry, fix: Fix | None) -> None:
    """Raise PlaceRequired or TooFar unless numbers of this hall may be taken from there."""
    if hall.place is None:
        return
    if fix is None:
        if hall.rules.place_required:
            raise PlaceRequired
        return
    metres = geodesic_m(fix.place, hall.place)
    if metres > hall.remote_radius_m:
        raise _too_far(
            f"{_km(hall.remote_radius_m)} 公里", f"{_km(hall.remote_radius_m)} km", metres
        )
    most_min = hall.rules.remote_travel_min
    if most_min and travel_times_s([metres], "drive")[0] > most_min * 60:
        raise _too_far(f"车程 {most_min} 分钟", f"a drive of {most_min} minutes", metres)


def is_here(hall: HallEntry, fix: Fix | None) -> bool | None:
    """Whether whoever takes a number from there is at the hall.

    False: it is not known that she is, and this hall calls nobody before it is known. None: nobody
    asks.
    """
    if fix is not None and hall.place is not None:
        metres = geodesic_m(fix.place, hall.place)
        if presence(metres, fix.accuracy_m, hall.rules.geofence_m) == "inside":
            return True
    return False if hall.rules.check_in_required else None


def check_here(hall: HallEntry, fix: Fix) -> None:
    """Raise NotAtHall or PlaceUnsure unless somebody there is certainly at the hall."""
    if hall.place is None:
        raise PlaceUnsure
    metres = geodesic_m(fix.place, hall.place)
    match presence(metres, fix.accuracy_m, hall.rules.geofence_m):
        case "outside":
            fence = hall.rules.geofence_m
            raise NotAtHall(
                (
                    f"您离大厅约 {_km(metres)} 公里，请到大厅 {fence} 米以内再签到。",
                    f"You are about {_km(metres)} km away: check in within {fence} m of the hall.",
                )
            )
        case "unsure":
            raise PlaceUnsure


def caps(hall: HallEntry) -> ByPhone:
    """How many numbers of a day a person may take here by phone."""
    rules = hall.rules
    return ByPhone(rules.daily_cap_line or None, rules.daily_cap_hall or None)


def check_caps(most: ByPhone, *, in_line: int, in_hall: int) -> None:
    """Raise DailyCapReached, saying which, when she took so many already."""
    if most.most_in_line is not None and in_line >= most.most_in_line:
        raise _capped("该队列", "in this line", most.most_in_line)
    if most.most_in_hall is not None and in_hall >= most.most_in_hall:
        raise _capped("该大厅", "in this hall", most.most_in_hall)


def check_level(level: int, hall: HallEntry) -> None:
    """Raise LevelTooLow, saying what is asked, unless she is known as surely as the hall asks."""
    needed = hall.rules.remote_level
    if level < needed:
        raise LevelTooLow(
            (
                f"该大厅远程取号需要 {needed} 级认证，您目前是 {level} 级；也可到大厅现场取号。",
                f"Taking a number by phone needs level {needed} at this hall, and yours is {level}."
                " You may also take one at the hall.",
            )
        )


def _too_far(most: str, most_en: str, metres: float) -> TooFar:
    return TooFar(
        (
            f"您离大厅约 {_km(metres)} 公里，请在{most}以内取号。",
            f"You are about {_km(metres)} km away. Take a number within {most_en} of the hall.",
        )
    )


def _capped(where: str, where_en: str, most: int) -> DailyCapReached:
    return DailyCapReached(
        (
            f"每人每天在{where}最多手机取号 {most} 次（含已取消和过号的），请到大厅现场取号。",
            f"A person may take {most} numbers a day by phone {where_en}, those given up or missed"
            " included: take one at the hall.",
        )
    )


def _km(metres: float) -> str:
    return f"{metres / 1000:.2g}" if metres < 10_000 else f"{metres / 1000:.0f}"
