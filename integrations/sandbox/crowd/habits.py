"""How people and clerks behave: plain rules over numbers and dice, no clock and no network."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random
from zlib import crc32

# How busy a moment of the day is, as (hour, times the day's mean over 9–12 and 14–17).
_DAY = (
    (9.0, 0.65),
    (9.5, 1.22),
    (11.0, 1.22),
    (12.0, 0.49),
    (14.0, 0.65),
    (14.5, 1.12),
    (16.0, 1.12),
    (17.0, 0.41),
)
BUSIEST = max(level for _, level in _DAY)

# What a phone may claim; age is proven by the id number.
CLAIMS = ("pregnant", "disabled", "military", "with_infant", "with_infant")
_OUTCOMES = {"done": 80, "accepted": 12, "material_missing": 6, "declined": 2}
PAUSE_REASONS = ("核对材料", "短暂离开", "打印设备换纸", "业务系统维护")
EMERGENCIES = ("有市民身体不适，请派人协助", "窗口前发生争执，请来协助", "系统无响应，请派人查看")
# What managers say, in Chinese and English.
ANNOUNCEMENTS = (
    ("请提前准备好身份证原件。", "Please have your identity card at hand."),
    ("一楼自助区可打印电子证照。", "Certificates can be printed in the self-service area."),
    ("雨天路滑，请慢行。", "The floor is wet: please walk slowly."),
    ("高峰时段，建议预约错峰办理。", "It is busy now: consider booking another time."),
)
STOP_REASONS = (
    ("业务系统故障（模拟）", "System failure (simulated)"),
    ("专网中断（模拟）", "Network down (simulated)"),
)
PAUSE_LINE_REASONS = (
    ("系统升级（模拟）", "System upgrade (simulated)"),
    ("窗口轮训（模拟）", "Staff briefing (simulated)"),
)

_ORDINARY_PACE = 0.5
_FEWEST_AT_THE_DOOR = 3
_MOST_AT_THE_DOOR = 30
_LARGE_ENOUGH_FOR_A_KIOSK = 8


def busyness(hour: float) -> float:
    """How busy this hour of the day is (9.5 is half past nine), 1.0 being the day's mean."""
    if hour <= _DAY[0][0]:
        return _DAY[0][1]
    for (start, low), (end, high) in pairwise(_DAY):
        if hour <= end:
            return low + (high - low) * (hour - start) / (end - start)
    return _DAY[-1][1]


def busiest_per_s(pace: float, size: float) -> float:
    """Arrivals a business second at the busiest hour; `size` is 1.0 for an average hall."""
    return pace * size * BUSIEST / 60


def gap_s(dice: Random, per_s: float) -> float:
    """Business seconds until the next arrival of a Poisson process."""
    return dice.expovariate(per_s)


def comes_now(dice: Random, hour: float) -> bool:
    """Whether an arrival drawn at the busiest rate happens at this hour, too (thinning)."""
    return dice.random() * BUSIEST < busyness(hour)


def at_the_door(counters: int, pace: float, hour: float) -> int:
    """How many people stand before a hall that opens, or that the demo opens at this hour."""
    people = counters * busyness(hour) * pace / _ORDINARY_PACE
    return max(_FEWEST_AT_THE_DOOR, min(_MOST_AT_THE_DOOR, round(people)))


def puts_off(waiting: int, clerks: int) -> bool:
    """Whether so long a line sends people home."""
    return waiting >= 4 + 5 * clerks


def long_line(clerks: int) -> int:
    """How many wait in a line that a manager sends help to."""
    return 3 + clerks


def popularity(item: str, minutes: int) -> float:
    """How often an item is wanted: short ones more, and each in its own measure."""
    return (0.5 + crc32(item.encode()) % 1000 / 500) / max(minutes, 1)


def patience_s(dice: Random, share: float) -> float | None:
    """After how many business seconds this person gives up; None for those who do not."""
    return dice.uniform(4, 20) * 60 if dice.random() < share else None


def walk_to_counter_s(dice: Random) -> float:
    """Business seconds from a call until the clerk starts, or gives the person up."""
    return dice.uniform(10, 60)


def service_s(dice: Random, minutes: int) -> float:
    """Business seconds at the counter: lognormal around the item's minutes, 0.5 to 1.6 times."""
    factor = math.exp(dice.gauss(0, 0.35))
    return minutes * 60 * min(max(factor, 0.5), 1.6)


def outcome(dice: Random) -> str:
    """How a visit ends: mostly done, or accepted for somebody behind the counter to decide."""
    return dice.choices(list(_OUTCOMES), list(_OUTCOMES.values()))[0]


def clerks_wanted(counters: int, waiting: int) -> int:
    """How many counters a hall mans: 60 % of them, up to 80 % as its lines grow."""
    load = min(1.0, waiting / max(1, 2 * counters))
    return max(1, min(counters, round(counters * (0.6 + 0.2 * load))))


def has_kiosk(counters: int) -> bool:
    """Whether a hall is large enough for a kiosk."""
    return counters >= _LARGE_ENOUGH_FOR_A_KIOSK


def manning_order(skills: Mapping[str, Sequence[str]]) -> list[str]:
    """Counters in the order to man them, so that every line is served soon and evenly."""
    left = sorted(skills)
    served: Counter[str] = Counter()
    order = []
    while left:
        # max keeps the first of equals: the lowest code.
        best = max(left, key=lambda code: sum(1 / (1 + 3 * served[line]) for line in skills[code]))
        left.remove(best)
        served.update(skills[best])
        order.append(best)
    return order
