"""What a prediction looks at: logs of ratios to the backbone, so that 0 means as usual.

A view is what all tickets of a line share at a moment; rows are made of it for one ticket or for
all that wait. Nothing here has a scale in minutes but the clock.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from scheduler.wait.halls import Hall
from scheduler.wait.lines import SLOTS, Line, Profile, slot_of
from scheduler.wait.rollout import remaining
from scheduler.wait.trees import Floats

# Minutes of wait, each told as ln((v + d) / (backbone + d)).
WAITS: Final = ("les", "les_line", "hol", "last_ten", "hour", "next_hour")
# Minutes for each position, times the place, told in the same way.
PACES: Final = (
    "tau",
    "tau_today",
    "rate_1",
    "rate_2",
    "rate_3",
    "les_pace",
    "hist",
    "hist_next",
    "counters_pace",
    "loaded",
)
# Minutes until so many are called at the usual pace of each half hour to come.
FLUIDS: Final = ("fluid", "fluid_now")
# Told as they are.
PLAIN: Final = (
    "ln_tau",
    "today",
    "today_bias",
    "line_bias",
    "line_spread",
    "counters",
    "counters_usual",
    "clock",
    "young",
    "elsewhere",
    "issued",
    "lately",
    "quiet",
    "service",
    "idle",
    "busy",
    "age",
    "arrivals",
    "rest",
    "hall_today",
    "flow_1",
    "flow_2",
    "left",
    "counters_next",
)
OF_TICKET: Final = ("ln_n", "priority", "to_slot")
NAMES: Final = (*WAITS, *PACES, *FLUIDS, *PLAIN, *OF_TICKET)
# Of one who has waited a while, two waits more, told as WAITS, and two flags.
MIDWAY_NAMES: Final = (*NAMES, "promised", "waited", "rolled", "booked")

_COUNTERS, _COUNTERS_NEXT, _TODAY = map(PLAIN.index, ("counters_usual", "counters_next", "today"))
_ALIVE: Final = 60.0  # minutes after which a counter without open and close is gone
_RATE_PRIORS: Final = (4.0, 6.0, 8.0)


class View(NamedTuple):
    """A line at a moment: `waits` and `paces` in minutes, `plain` by PLAIN; tau in minutes."""

    tau: float
    waits: tuple[float, ...]
    paces: tuple[float, ...]
    plain: tuple[float, ...]
    t: float
    busy: Profile  # the usual minutes for each call
    level: float  # today's pace against the usual

    @property
    def counters(self) -> float:
        """The feature of that name."""
        return self.plain[_COUNTERS]

    @property
    def counters_next(self) -> float:
        """The feature of that name."""
        return self.plain[_COUNTERS_NEXT]

    @property
    def today(self) -> float:
        """The feature of that name."""
        return self.plain[_TODAY]


def view(hall: Hall, line: Line, t: float, tau: float) -> View:
    """Look at a line whose position takes `tau` minutes. Changes nothing but lets time pass."""
    pool = hall.pool(line.code)
    pool.pass_to(t)
    slot = slot_of(t)
    waiting = len(pool.order)
    mean_wait = line.mean_wait(tau)
    hour = line.by_slot.mean(slot, mean_wait)
    first = pool.first_issued(math.inf)
    hol = 0.0 if first is None else t - first
    les = hour if pool.last_wait is None else pool.last_wait
    les_line = les if line.last_wait is None else line.last_wait
    last_ten = sum(line.last_ten) / len(line.last_ten) if line.last_ten else hour
    rates = [
        (rate.minutes + prior * tau) / (rate.calls + prior)
        for rate, prior in zip(pool.rates, _RATE_PRIORS, strict=True)
    ]
    les_pace = tau
    if pool.last_wait is not None:
        les_pace = (pool.last_wait + 3.0 * tau) / (pool.last_n + 3.0)
    hist = pool.busy_by_slot.mean(slot, tau, 8.0)
    hist_next = pool.busy_by_slot.mean(slot + 2, tau, 8.0)
    counters = hall.open_for(line, t)
    usual = line.counters_by_slot.mean(slot, float(counters or 1), 2.0)
    usual_next = line.counters_by_slot.mean(slot + 2, usual, 2.0)
    open_now = max(float(counters or 0), 0.3)
    service = pool.service.value
    counters_pace = service / open_now if pool.service.count >= 5 and counters else tau
    idle, busy, age, left = _at_counters(hall, line, t)
    others = len(hall.tickets) - waiting
    since = 0.0 if line.first_issue is None else t - line.first_issue
    quiet = 0.0
    if pool.order:
        began = max(pool.last_call or 0.0, hol_start(first, t))
        quiet = math.log1p((t - began) / tau)
    weight = line.ys[2]
    # Today's arrivals against a usual day's.
    came = line.issued
    expected = line.expected_arrivals(0.0, t) if line.arrivals.weights[slot] else float(came)
    loaded = tau * (counters_usual_ratio(usual, open_now) if counters is not None else 1.0)
    plain = (
        math.log(tau),
        line.ys[0] / (weight + 5.0),
        line.ys[1] / (weight + 5.0),
        line.bias / (line.biased + 30.0),
        (line.spread + 15.0) / (line.biased + 30.0),
        math.log(open_now) if counters is not None else -3.0,
        math.log(open_now / max(usual, 0.3)) if counters is not None else 0.0,
        t / 60.0,
        math.exp(-since / 30.0),
        math.log1p(others),
        math.log1p(line.issued),
        math.log1p(pool.rates[0].calls),
        quiet,
        math.log(max(service, 0.1) / tau) if pool.service.count >= 5 else 0.0,
        math.log1p(idle),
        math.log1p(busy),
        age,
        math.log((came + 5.0) / (expected + 5.0)),
        left,
        hall.ys[0] / (hall.ys[1] + 10.0),
        *(math.log((rate.came + 4.0) / (rate.calls + rate.left + 4.0)) for rate in pool.rates[:2]),
        pool.rates[1].left / (pool.rates[1].left + pool.rates[1].calls + 10.0),
        math.log(max(usual_next, 0.3) / open_now) if counters is not None else 0.0,
    )
    return View(
        tau,
        (les, les_line, hol, last_ten, hour, line.by_slot.mean(slot + 1, mean_wait)),
        (tau, line.tau_today(tau), *rates, les_pace, hist, hist_next, counters_pace, loaded),
        plain,
        t,
        pool.busy_by_slot,
        min(max(rates[1] / hist, 0.2), 5.0),
    )


def _fluid(n: Sequence[int], seen: View, level: float) -> list[float]:
    """Minutes until so many are called at the usual paces times `level`; n rises, mostly."""
    profile, t, tau = seen.busy, seen.t, seen.tau
    found = []
    slot, passed, called, last = slot_of(t), 0.0, 0.0, 0
    pace = level * profile.mean(slot, tau, 8.0)
    length = max(30.0 * (slot + 1) - t, 0.0)
    for each in n:
        if each < last:
            found.append(each * pace)  # out of order: near enough
            continue
        last = each
        while slot < SLOTS - 1 and called + length / pace < each:
            called += length / pace
            passed += length
            slot, length = slot + 1, 30.0
            pace = level * profile.mean(slot, tau, 8.0)
        found.append(passed + (each - called) * pace)
    return found


def counters_usual_ratio(usual: float, now: float) -> float:
    """By how much fewer counters than usual slow a line, within reason."""
    return min(max(usual / now, 0.25), 4.0)


def hol_start(first: float | None, t: float) -> float:
    """Since when the first in line waits."""
    return t if first is None else first


def _at_counters(hall: Hall, line: Line, t: float) -> tuple[int, int, float, float]:
    """Idle and busy counters that may serve a line, the busy ones' mean age and rest."""
    idle = busy = 0
    age = rest = 0.0
    service = max(line.service.value, 0.5)
    if hall.has_capabilities:
        counters = hall.working_for(line.code)
    else:
        counters = [each for each in hall.counters.values() if t - each.alive <= _ALIVE]
    for counter in counters:
        if counter.serving is None:
            idle += 1
        else:
            busy += 1
            age += t - counter.since
            rest += remaining(service, t - counter.since)
    if not busy:
        return idle, 0, 0.0, 0.0
    return idle, busy, math.log1p(age / busy / service), math.log1p(rest / busy / service)


class Placed(Protocol):
    """Somebody's place, as `projecting` finds it."""

    @property
    def view(self) -> View:
        """Of her line."""

    @property
    def n(self) -> int:
        """Her place."""

    @property
    def priority(self) -> bool:
        """Whether she goes before others."""

    @property
    def to_slot(self) -> float:
        """Tens of minutes until her appointment."""


class PlacedMidway(Placed, Protocol):
    """The place of one who has waited a while; minutes."""

    @property
    def waited(self) -> float:
        """How long."""

    @property
    def promised(self) -> float:
        """How long yet, by what was promised."""

    @property
    def rolled(self) -> bool:
        """Whether the line was played forward."""

    @property
    def booked(self) -> bool:
        """Whether she has an appointment."""


def table(places: Sequence[Placed], ref: npt.NDArray[np.float64], offset: float) -> Floats:
    """Features of places: (places, NAMES). `ref` is each one's backbone + offset."""
    out = np.empty((len(places), len(NAMES)), np.float32)
    start = 0
    # Places of one line stand together and share a view.
    while start < len(places):
        seen = places[start].view
        end = start + 1
        while end < len(places) and places[end].view is seen:
            end += 1
        some = slice(start, end)
        _fill(out[some], seen, [place.n for place in places[some]], ref[some], offset)
        start = end
    out[:, -2] = [place.priority for place in places]
    out[:, -1] = [place.to_slot for place in places]
    return out


def midway_table(
    places: Sequence[PlacedMidway], ref: npt.NDArray[np.float64], offset: float
) -> Floats:
    """Features of places of those who have waited a while: (places, MIDWAY_NAMES)."""
    own = np.array([(place.promised, place.waited) for place in places])
    flags = [(place.rolled, place.booked) for place in places]
    since_issue = np.log((own + offset) / ref[:, None])
    return np.hstack((table(places, ref, offset), since_issue, flags)).astype(np.float32)


def _fill(
    out: Floats, seen: View, n: list[int], ref: npt.NDArray[np.float64], offset: float
) -> None:
    log = math.log
    flows = zip(_fluid(n, seen, 1.0), _fluid(n, seen, seen.level), strict=True)
    waits = [log(each + offset) for each in seen.waits]
    for at, (place, each, flow) in enumerate(zip(n, ref.tolist(), flows, strict=True)):
        ln_ref = log(each)
        out[at] = (
            *[each - ln_ref for each in waits],
            *[log(place * pace + offset) - ln_ref for pace in seen.paces],
            *[log(minutes + offset) - ln_ref for minutes in flow],
            *seen.plain,
            log(place),
            0.0,
            0.0,
        )
