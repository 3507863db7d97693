"""What becomes of somebody who sets off now: when she gets to a hall, and how long she waits there.

A row an arrival. Seconds everywhere; moments are Unix seconds. NaN says "not known" and goes no
further than this room: whoever answers turns it into null.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.calendar import Timetable, open_spans

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# The wait is foretold for somebody who arrives in so many seconds; later, it stays as it is then.
ARRIVAL_AT_S: Final = (0, 900, 1800, 3600, 5400)
POINTS: Final = len(ARRIVAL_AT_S)
# Of each: 10 %, 50 % and 90 % of waits are shorter.
SHARES: Final = 3
_P50: Final = 1

_LATER: Final = ARRIVAL_AT_S[1:]
_BENDS = np.array(_LATER, dtype=float)
# When each stretch of a curve begins, and how long all but the last are.
_BEGINS = np.array(ARRIVAL_AT_S, dtype=float)[:, None]
_LONG = np.diff(_BEGINS, axis=0)
# No wait is foretold to last longer than until everybody is let go, in steps of five minutes. Whose
# turn is foretold for the last of them may as well come after it.
_CUT_OFF_S: Final = 300.0
# Nothing that happens is as late.
_NEVER: Final = 1e18


@dataclass(frozen=True, slots=True)
class Hours:
    """One day's openings of several timetables: a column each, filled up with infinities.

    Whose turn comes after `let_go_s` is let go unserved; `latest_s` is the last closing of all.
    """

    starts_s: Floats
    ends_s: Floats
    let_go_s: Floats
    latest_s: float


def hours_of(day: date, timetables: Sequence[tuple[Timetable, int]]) -> Hours:
    """The openings on a day of timetables, each with the minutes that clerks go on after it."""
    spans = [open_spans(timetable, day) for timetable, _ in timetables]
    shape = max((len(each) for each in spans), default=0) or 1, len(spans)
    starts, ends = np.full(shape, np.inf), np.full(shape, -np.inf)
    for at, each in enumerate(spans):
        starts[: len(each), at] = [span.start.timestamp() for span in each]
        ends[: len(each), at] = [span.end.timestamp() for span in each]
    after_s = np.array([60.0 * minutes for _, minutes in timetables])
    closing = ends.max(axis=0)
    return Hours(starts, ends, closing + after_s - _CUT_OFF_S, float(closing.max(initial=-np.inf)))


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the halls that somebody may go to, a column each.

    `starts_s` and `ends_s` are the day's openings, a row each; after `let_go_s` nobody is called;
    `last_s` is about when the last number will be given (inf: no end in sight, -inf: none any
    more); `known` whether anything is foretold. `stretches` holds the waits by when she
    arrives, as `stretches_of` makes them of `in_one_opening`, and `rows` says which of them are
    these halls'.
    """

    starts_s: Floats
    ends_s: Floats
    let_go_s: Floats
    last_s: Floats
    known: Bools
    stretches: Floats
    rows: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How it goes: `wait_s` (row, SHARES) from arriving to being called, and who is served today.

    The wait is NaN where it is not known or where she is not served.
    """

    wait_s: Floats
    served: Bools


def arrive(facts: Facts, now_s: float, travel_s: Floats) -> Arrivals:
    """Send somebody to each hall.

    Who arrives before an opening, in the morning or in a break, waits for it, and then as long as
    somebody who arrives at that moment. Who arrives after the last opening, when no number will be
    given any more, or so late that her turn would come (at the median) after everybody was let go,
    is not served today.
    """
    at = travel_s + now_s
    ready = _opened(facts, at)
    ahead = ready - now_s
    beyond = bool((ahead > _LATER[-1]).any())
    wait = waits_at(facts.stretches, facts.rows * POINTS, np.minimum(ahead, _LATER[-1], out=ahead))
    if beyond:
        wait -= _break_between(facts, ahead + now_s, ready, wait)
        np.maximum(wait, 0.0, out=wait)
    wait += ready - at
    at += wait[_P50]
    away = at > facts.let_go_s
    away &= facts.known  # who waits nobody knows how long is served, as far as one knows
    away |= ready > np.minimum(facts.last_s, _NEVER)
    np.copyto(wait, np.nan, where=away | ~facts.known)
    return Arrivals(wait.T, ~away)


def _break_between(facts: Facts, last: Floats, ready: Floats, wait: Floats) -> Floats:
    """Seconds of a break that are in the waits of who arrives `last`, and not of who comes after.

    Beyond the last point it stays as it is there; who arrives `ready` need not wait through a break
    that is over by then.
    """
    ends = np.full(len(last), np.inf)
    for starts, each in zip(facts.starts_s, facts.ends_s, strict=True):
        np.copyto(ends, each, where=(starts <= last) & (each > last))
    opens = _opened(facts, ends)
    is_over = np.isfinite(opens) & (ready >= opens)
    closed = np.subtract(opens, ends, out=np.zeros(len(last)), where=is_over)
    through: Floats = np.where(last + wait > ends, closed, 0.0)
    return through


def in_one_opening(
    curves_s: Floats, moments_s: Floats, starts_s: Floats, ends_s: Floats
) -> tuple[Floats, Floats]:
    """Curves (row, POINTS, SHARES) without the steps that closing for a break makes in them.

    `moments_s` (row, POINTS) is when those arrive for whom they are foretold, `starts_s` and
    `ends_s` (opening, row) the day's openings. Who arrives while the hall is closed waits for it to
    open, and then as long as is answered here. And that is how long those wait who arrive until it
    closes: a stretch of the curve that a break begins in goes on to what is answered second (row,
    POINTS - 1, SHARES), with the break in it only where whoever comes first must wait through it.
    """
    opened, ends = np.full((2, *moments_s.shape), np.inf)
    for start, end in zip(starts_s[::-1, :, None], ends_s[::-1, :, None], strict=True):
        np.copyto(opened, np.maximum(start, moments_s), where=end > moments_s)
        np.copyto(ends, end, where=(start <= moments_s) & (end > moments_s))
    closed = np.subtract(
        opened, moments_s, out=np.zeros(moments_s.shape), where=np.isfinite(opened)
    )
    if not closed.any():
        return curves_s, curves_s[:, 1:]
    curves = np.maximum(curves_s - closed[..., None], 0.0)
    until = curves[:, 1:].copy()
    begins = np.nonzero((closed[:, :-1] == 0.0) & (closed[:, 1:] > 0.0) & np.isfinite(ends[:, :-1]))
    through = (moments_s[:, :-1][begins] - ends[:, :-1][begins])[:, None] + curves[:, :-1][
        begins
    ] > 0
    until[begins] += through * (opened[:, 1:][begins] - ends[:, :-1][begins])[:, None]
    return curves, until


def _opened(facts: Facts, at: Floats) -> Floats:
    """When each hall next is open, `at` itself where it then is; inf: not on this day any more."""
    opened = np.full(len(at), np.inf)
    for starts, ends in zip(facts.starts_s[::-1], facts.ends_s[::-1], strict=True):
        np.copyto(opened, np.maximum(starts, at), where=ends > at)
    return opened


def stretches_of(curves_s: Floats, until_s: Floats | None = None) -> Floats:
    """Curves (row, POINTS, SHARES) as the straight lines between their points, and the level after.

    Each goes from its point to the next, or to `until_s` (row, POINTS - 1, SHARES). For each point
    the SHARES of the wait as they would be for arriving at once, and by how much each rises a
    second. So one product and one sum tell the wait of an arrival.
    """
    stretches = np.zeros((*curves_s.shape[:2], 2 * SHARES))
    starts, rises = stretches[..., :SHARES], stretches[..., SHARES:]
    until = curves_s[:, 1:] if until_s is None else until_s
    np.subtract(until, curves_s[:, :-1], out=rises[:, :-1])
    rises[:, :-1] /= _LONG
    np.subtract(curves_s, rises * _BEGINS, out=starts)
    return stretches


def stretch_at(stretches: Floats, firsts: NDArray[np.intp], ahead_s: Floats) -> Floats:
    """The stretches that arrivals so many seconds ahead lie on; `firsts` are those they begin at.

    In columns: SHARES of the wait for arriving at once, SHARES of what it rises a second.
    """
    at: NDArray[np.intp] = _BENDS.searchsorted(ahead_s, "right")
    at += firsts
    taken: Floats = stretches.take(at, axis=0)
    return taken


def waits_at(stretches: Floats, firsts: NDArray[np.intp], ahead_s: Floats) -> Floats:
    """The waits (SHARES, row) of arrivals so many seconds ahead."""
    on = stretch_at(stretches, firsts, ahead_s).T
    waits: Floats = on[SHARES:] * ahead_s
    waits += on[:SHARES]
    return waits


def hall_curve(lines: Iterable[tuple[int, Sequence[Sequence[float]]]]) -> list[list[float]]:
    """The wait at a hall for somebody who has not said what for, of its lines' (waiting, curve).

    At each point the median is the mean of the lines' medians, each counting as many as wait in it
    and one more for whoever comes; the range reaches from the least p10 to the most p90. Lines of
    which nothing is known say nothing; without any line the curve is empty.
    """
    known = [(waiting + 1, curve) for waiting, curve in lines if curve]
    if len(known) < 2:
        return [list(point) for _, curve in known for point in curve]
    people = sum(weight for weight, _ in known)
    return [
        [
            min(curve[at][0] for _, curve in known),
            sum(weight * curve[at][1] for weight, curve in known) / people,
            max(curve[at][2] for _, curve in known),
        ]
        for at in range(len(known[0][1]))
    ]


def sure_range(shares: Sequence[float]) -> list[float]:
    """A range with nothing negative and in order, whatever a clock that jumped made of it."""
    p10, p50, p90 = (max(0.0, float(share)) for share in shares)
    return [min(p10, p50), p50, max(p50, p90)]
