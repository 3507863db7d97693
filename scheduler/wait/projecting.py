"""Where people stand: each one's place, the view of her line, and her backbone."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from scheduler.wait import features
from scheduler.wait.city import City, Kind
from scheduler.wait.features import View
from scheduler.wait.halls import Hall
from scheduler.wait.lines import Line
from scheduler.wait.pools import Waiting
from scheduler.wait.rollout import NEWCOMER, Playing

# Minutes of a hall after which somebody has waited a while: until then, what was promised when she
# joined is what is known.
JUST_JOINED: Final = 1.0


class Place(NamedTuple):
    """The n-th of a line, with a backbone in minutes; `to_slot` is tens of minutes to her slot."""

    line: Line
    ticket: str
    n: int
    priority: bool
    to_slot: float
    kind: Kind
    backbone: float
    view: View
    # Of one who has waited a while: how long, how long she was to wait yet by what was promised,
    # whether the line was played forward, whether she has booked.
    waited: float = 0.0
    promised: float = 0.0
    rolled: bool = False
    booked: bool = False
    gap: float = 0.0  # minutes in which nobody serves the line, besides the backbone


def placed(hall: Hall, waiting: Waiting, city: City) -> Place:
    """The place of one who has just joined."""
    called: dict[int, float] = {}
    if hall.has_capabilities:
        called = Playing(hall, hall.t).play(waiting)
    return _place(hall, waiting, waiting.n, called, look(hall, waiting.line, city))


def waiting_now(hall: Hall, city: City) -> Iterator[tuple[Waiting, Place]]:
    """All who wait, each with her place as it is now."""
    called = Playing(hall, hall.t).play() if hall.has_capabilities else {}
    views: dict[str, View] = {}
    just_joined = hall.t - JUST_JOINED * city.scale
    for pool in hall.pools.values():
        for at, (_, seq) in enumerate(pool.order):
            waiting = pool.waiting[seq]
            code = waiting.line.code
            if code not in views:
                views[code] = look(hall, waiting.line, city)
            midway = waiting.issued <= just_joined
            yield waiting, _place(hall, waiting, at + 1, called, views[code], midway=midway)


def newcomers(hall: Hall, city: City, lines: Sequence[str]) -> list[Place]:
    """The places of somebody who would join each of these lines now."""
    known = [hall.line(code) for code in lines]
    called = Playing(hall, hall.t, lines).play() if hall.has_capabilities else {}
    places = []
    for at, (code, line) in enumerate(zip(lines, known, strict=True)):
        view = look(hall, line, city)
        n = bisect_right(hall.pool(code).order, (hall.clock, NEWCOMER)) + 1
        ahead = n + _booked_before(hall, code, hall.clock)
        gap = _gap(hall, code)
        kind, backbone = _backbone(ahead, called.get(NEWCOMER + at), hall.t + gap, view)
        places.append(Place(line, "", n, False, 0.0, kind, backbone, view, gap=gap))
    return places


def look(hall: Hall, line: Line, city: City) -> View:
    """The view of a line now."""
    return features.view(hall, line, hall.t, line.tau(hall.tau(city.tau), city.strength))


def _place(
    hall: Hall,
    waiting: Waiting,
    n: int,
    called: dict[int, float],
    view: View,
    *,
    midway: bool = False,
) -> Place:
    ahead = n + _booked_before(hall, waiting.line.code, waiting.rank)
    gap = _gap(hall, waiting.line.code)
    kind, backbone = _backbone(ahead, called.get(waiting.seq), hall.t + gap, view)
    rolled = kind == "rolled"
    to_slot = 0.0
    if waiting.slot is not None:
        left = hall.known.worked(waiting.slot) - hall.t - gap
        to_slot = left / 10.0
        if kind == "line":
            backbone = max(left, 0.0) + view.tau
        kind = "booked"
    line, ticket, priority = waiting.line, waiting.ticket, waiting.priority
    if not midway:
        return Place(line, ticket, n, priority, to_slot, kind, backbone, view, gap=gap)
    waited, promise = hall.t - waiting.issued, waiting.promise
    promised = backbone
    if promise is not None:
        promised = max(promise.middle - waited, 0.0)
    return Place(
        line,
        ticket,
        n,
        priority,
        to_slot,
        "midway",
        backbone,
        view,
        waited,
        promised,
        rolled,
        waiting.appointment,
        gap,
    )


def _gap(hall: Hall, line: str) -> float:
    """Minutes until somebody serves a line that nobody does now, where it is known who is back.

    They pass for all who wait there alike, whatever else is known of them.
    """
    known, t = hall.known, hall.t
    if not known.pauses or hall.able(line):
        return 0.0
    number = hall.numbers.get(line)
    back = [
        at
        for code, counter in hall.counters.items()
        if any(number in lines for lines in counter.numbers)
        and (at := known.back_at(code, t)) is not None
        and math.isfinite(at)
    ]
    if not back:
        return 0.0
    opens = [habit.opens for _, habit in hall.yet_to_open(t) if line in habit.lines]
    return max(min([*back, *opens]) - t, 0.0)


def _booked_before(hall: Hall, line: str, rank: float) -> float:
    """How many are to come by their slots and be called before a rank; else they are in line."""
    slots = hall.known.bookings.get(line)
    if not slots or hall.known.booked_first:
        return 0.0
    return bisect_right(slots, rank) * hall.known.comes(line)


def _backbone(n: float, called: float | None, t: float, view: View) -> tuple[Kind, float]:
    """People times minutes, or what playing the line forward says, from a moment on."""
    if called is None:
        return "line", n * view.tau
    return "rolled", max(called - t, 0.0)
