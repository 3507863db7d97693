"""The wait of somebody who arrives later: what will have been served, and who will have come."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np

from scheduler.wait.city import City, Promise, Range
from scheduler.wait.halls import Hall
from scheduler.wait.lines import Line, slot_of
from scheduler.wait.pools import Waiting
from scheduler.wait.projecting import Place
from scheduler.wait.rollout import EARLY, NEWCOMER

NAMES: Final = (
    "now", "fluid", "hour", "les", "hol", "tau_n", "horizon", "ln_n", "ln_tau", "counters",
    "arrivals", "clock", "counters_next", "today",
)  # fmt: skip
_NEAR: Final = 10.0  # minutes within which who arrives stands for whom we asked after
_AT_FIRST: Final = 30.0  # minutes of a line's first day over which who came is spread at least
ASKED: Final = (15.0, 30.0, 60.0, 90.0)


def predicted(
    hall: Hall, place: Place, at_once: Promise, horizons: Sequence[float], city: City
) -> list[Promise]:
    """The waits of people who join this place's line in so many minutes, in minutes of work."""
    if not horizons:
        return []
    line, view, t = place.line, place.view, hall.t
    offset = city.offset_of("arrival")
    mean = line.mean_wait(view.tau)
    now = max(at_once.middle - place.gap, 0.0)
    refs, rows, more = [], [], []
    for horizon in horizons:
        # The clock goes on while the hall is closed at noon, and nobody is served.
        then = max(hall.known.worked(hall.clock + horizon), t)
        coming = _coming(hall, line, t, then)
        gap = max(place.gap - (then - t), 0.0)
        more.append(_more(hall, place, then, coming, hall.clock + horizon) + gap)
        ahead = max(place.n + coming - max(then - t - place.gap, 0.0) / view.tau, 0.0)
        fluid = ahead * view.tau
        hour = line.by_slot.mean(slot_of(then), mean)
        ref = 0.5 * fluid + 0.5 * hour + offset
        ratios = [
            math.log((minutes + offset) / ref)
            for minutes in (now, fluid, hour, view.waits[0], view.waits[2], place.n * view.tau)
        ]
        refs.append(ref)
        rows.append(
            [
                *ratios,
                horizon / 60.0,
                math.log(place.n),
                math.log(view.tau),
                view.counters,
                math.log1p(coming),
                then / 60.0,
                view.counters_next,
                view.today,
            ]
        )
    x = np.array(rows, np.float32)
    return [
        city.promise(line, "arrival", row, ref, which=_bin_of(horizon), said=said, more=minutes)
        for row, ref, minutes, horizon, said in zip(
            x, refs, more, horizons, city.trees["arrival"].predict(x), strict=True
        )
    ]


def _bin_of(horizon: float) -> int:
    """The bin of calibration of somebody who arrives in so many minutes."""
    return min(range(len(ASKED)), key=lambda at: abs(ASKED[at] - horizon))


def _coming(hall: Hall, line: Line, t: float, then: float) -> float:
    """How many come to the line's pool until then: as usual, more or fewer as today, and known."""
    total = 0.0
    for each in hall.pooled(line.code):
        if each.arrivals.total[1]:
            today = (each.issued + 10.0) / (each.expected_arrivals(0.0, t) + 10.0)
            total += each.expected_arrivals(t, then) * min(max(today, 0.4), 2.5)
        elif each.first_issue is not None:  # its first day: as they came so far
            total += each.issued / max(t - each.first_issue, _AT_FIRST) * (then - t)
        known = hall.known
        total += sum(t < at <= then for at in known.coming.get(each.code, ()))
    return total


def _more(hall: Hall, place: Place, then: float, coming: float, clock: float) -> float:
    """Minutes more for who comes `then`, for those who are called before her by their slots.

    They are not among those that trees have learned to expect, who come as on other days. While
    the line is short they take time that nobody would have needed.
    """
    t, known, code = hall.t, hall.known, place.line.code
    order = hall.pool(code).order
    here = bisect_right(order, (clock, NEWCOMER)) - (place.n - 1)
    slots = [
        (max(known.worked(slot) - EARLY, t), known.comes(each.code))
        for each in hall.pooled(code)
        for slot in known.bookings.get(each.code, ())
        if slot <= clock
    ]
    if not slots and here <= 0:
        return 0.0
    each_takes = max(place.view.tau, _least_minutes(hall, place.line))
    grows = coming / max(then - t, 1.0) - 1.0 / each_takes
    without = max(place.n + grows * (then - t), 0.0)
    line, at = float(place.n + max(here, 0)), t
    for comes_at, comes in sorted(slots):
        line = max(line + grows * (comes_at - at), 0.0) + comes
        at = comes_at
    line = max(line + grows * (then - at), 0.0)
    return max(line - without, 0.0) * each_takes


def _least_minutes(hall: Hall, line: Line) -> float:
    """What a place in line takes at least, by its counters: short waits tell too little of it."""
    counters = hall.open_for(line, hall.t) if hall.has_capabilities else None
    return hall.service_means()[line.code] / counters if counters else 0.0


def came(waiting: Waiting, t: float) -> None:
    """Whoever joins now stands for those after whom was asked; too late a one for nobody."""
    if waiting.appointment or not waiting.scored or not waiting.line.asked:
        return
    asked, waiting.line.asked = waiting.line.asked, []
    for due, promise in asked:
        if due > t:
            waiting.line.asked.append((due, promise))
        elif t <= due + _NEAR:
            waiting.asked.append((promise, t))


def in_turn(told: Sequence[Range | None], horizons: Sequence[float]) -> list[Range | None]:
    """Waits of who comes in so many minutes, where who comes later is called later.

    Her wait is shorter than that of who came before her by what has passed between them at most.
    """
    held: list[Range | None] = []
    for at, each in enumerate(told):
        before = held[-1] if held else None
        if each is None or before is None:
            held.append(each)
            continue
        passed = horizons[at] - horizons[at - 1]
        pairs = zip(
            (each.p10, each.p50, each.p90), (before.p10, before.p50, before.p90), strict=True
        )
        p10, p50, p90 = (max(one, other - passed) for one, other in pairs)
        held.append(Range(p10, p50, p90, each.basis))
    return held
