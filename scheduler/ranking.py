"""Which hall first: nearest, with the shortest wait, or where she is done soonest.

Of 34 halls each is looked at; of 44,000 only those that can be among the first, found by bounds
that hold for every hall not looked at. The answer is the same. Most halls are open when she gets
there, and serve her: for those the wait is read off a line. Only the others are looked into.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from scheduler.arrivals import SHARES, Bools, Floats, arrive, stretch_at
from scheduler.hall_map import Indices
from scheduler.hall_table import NEAR_TIE_S, UNKNOWN_COUNTS_AS_S, HallTable
from scheduler.places import earth_centred
from scheduler.travel import Pace
from scheduler.vicinity import Asked, Vicinity

Rank = Literal["nearest", "shortest_wait", "fastest"]

# A step of waiting outweighs any way on Earth, and not being served today every step of a day.
_STEP: Final = 1e8
_NOT_TODAY: Final = 1e12
_P50: Final = 1
# Of more than so many only the first are put in order.
_MANY: Final = 300
_FIGURES: Final = 2 * SHARES + 2
_SERVED: Final = np.ones(1_000, dtype=bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What somebody looks for.

    `here` is where she stands (WGS-84 degrees), None when she does not say: then she is taken to be
    at each hall already. `asked` are the halls that do what she wants; `open` narrows them to
    those where it is True, by their numbers. `seed` decides near-ties: the same seed, the same
    order.
    """

    by: Rank
    now_s: float
    here: tuple[float, float] | None
    pace: Pace
    asked: Asked
    limit: int
    open: Bools | None = None
    seed: int = 0
    within_m: float | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """Halls in rank order by their numbers, with what their order rests on.

    `figures` has a column a hall: SHARES of the wait, SHARES of the total, the distance in metres,
    the way in seconds. NaN is what is not known: waits and totals, and the distance without a
    place; the way takes 0 seconds then. `is_foretold` says whether no wait is NaN, `served` where
    she is served today.
    """

    halls: Indices
    figures: Floats
    is_foretold: bool
    served: Bools
    key: Floats

    @property
    def wait_s(self) -> Floats:
        """The waits on arrival (row, SHARES)."""
        return self.figures[:SHARES].T

    @property
    def total_s(self) -> Floats:
        """Until she is done (row, SHARES)."""
        return self.figures[SHARES : 2 * SHARES].T

    @property
    def distance_m(self) -> Floats:
        """Metres to each hall."""
        metres: Floats = self.figures[-2]
        return metres

    @property
    def travel_s(self) -> Floats:
        """Seconds to each hall."""
        seconds: Floats = self.figures[-1]
        return seconds


def rank(table: HallTable, search: Search) -> Ranked:
    """The first halls of a table for somebody.

    - nearest: by metres.
    - shortest_wait: by the median wait on arrival in steps of five minutes, within one by metres;
      where the steps begin differs from seed to seed.
    - fastest: by travel + wait on arrival + service, the median, and up to five minutes more as
      the seed has it: 300·u³ with u in 0…1, so the nearer the tie, the more evenly people spread.

    For the last two, halls where she is not served today come after all others, by metres.
    """
    table.mind(search.now_s)
    asked, here = search.asked, search.here
    if here is None:
        return _best_of(table, search, asked.without_places())
    # Who asks for about as many looks about as far, and shares what is remembered.
    about = 1 << (search.limit - 1).bit_length()
    kind = search.by, about, search.pace
    near = asked.near(here, about, kind)
    while True:
        found = _best_of(table, search, near)
        if near.complete_m == math.inf:
            return found
        needed = _needed_m(table, search, found)
        if search.within_m is not None:
            needed = min(needed, search.within_m)
        if needed <= near.complete_m:
            asked.used(here, near, needed, kind)
            return found
        near = asked.within(here, needed, kind)


def refine(
    table: HallTable, search: Search, found: Ranked, travel_s: Mapping[int, float]
) -> Ranked:
    """Rank these halls anew, where somebody knows the way to some better: seconds by hall."""
    table.mind(search.now_s)
    return _best_of(table, search, search.asked.among(np.sort(found.halls)), travel_s)


def _needed_m(table: HallTable, search: Search, found: Ranked) -> float:
    """Within how many metres every hall must be looked at to know that none is missing."""
    if len(found.halls) < search.limit:
        return math.inf
    last = float(found.key[-1])
    if search.by == "nearest":
        return last
    farthest = float(found.distance_m.max())
    # Halls that are farther away serve her today no more: they have closed before she is there.
    reach = _metres_in(search.pace, table.hours.latest_s - search.now_s)
    if last >= _NOT_TODAY:
        return max(reach, farthest)
    if search.by == "fastest":
        return min(reach, _metres_in(search.pace, last - search.asked.least_service_s))
    # At a hall farther away she may always wait less, unless she need not wait at all.
    return farthest if last < _STEP else reach


def _metres_in(pace: Pace, seconds: float) -> float:
    """How far away a hall may be at most that one gets to in this time."""
    return max(0.0, (seconds - pace.overhead_s) / pace.s_per_m)


class _Halls(NamedTuple):
    """Halls that are looked at, a row each."""

    halls: Indices
    rows: Indices
    firsts: Indices
    service_s: Floats
    distance_m: Floats
    travel_s: Floats

    def take(self, which: Indices) -> "_Halls":
        return _Halls(
            self.halls.take(which),
            self.rows.take(which),
            self.firsts.take(which),
            self.service_s.take(which),
            self.distance_m.take(which),
            self.travel_s.take(which),
        )


def _best_of(
    table: HallTable, search: Search, near: Vicinity, travel_s: Mapping[int, float] | None = None
) -> Ranked:
    """The first of these halls, all looked at. Numbers of halls rise, so ties keep their order."""
    seen = _measured(search, near, travel_s)
    if not len(seen.halls):
        return Ranked(seen.halls, np.empty((_FIGURES, 0)), True, _SERVED[:0], seen.distance_m)
    if search.by == "nearest" and search.here is not None:
        # Only those that are shown need be sent anybody.
        seen = seen.take(_first(seen.distance_m, search.limit))
    left_s = table.smooth_until_s.take(seen.rows)
    left_s -= seen.travel_s
    if left_s.min() > search.now_s:
        return _among_smooth(table, search, seen, _smooth(table, search, seen))
    if search.by == "fastest" and len(left_s) > search.limit:
        waits, key = _smooth(table, search, seen)
        uneven = left_s <= search.now_s
        key[uneven] = np.inf
        if not _may_be_first(search, seen, key, uneven):
            return _among_smooth(table, search, seen, (waits, key))
    there = arrive(table.facts(seen.halls, seen.rows), search.now_s, seen.travel_s)
    median = there.wait_s[:, _P50]
    key = _key(table, search, seen, np.where(np.isnan(median), UNKNOWN_COUNTS_AS_S, median))
    if search.by != "nearest":
        # Where she is not served today comes behind all others.
        key[~there.served] = _NOT_TODAY + _far(table, search, seen)[~there.served]
    first = _first(key, search.limit)
    wait_s = there.wait_s.take(first, axis=0).T
    return _ranked(table, seen.take(first), wait_s, there.served.take(first), key.take(first))


def _smooth(table: HallTable, search: Search, seen: _Halls) -> tuple[Floats, Floats]:
    """The stretches of waiting that halls lie on which simply let her in, and what orders them."""
    waits = stretch_at(table.stretches, seen.firsts, seen.travel_s)
    median = waits[:, SHARES + _P50] * seen.travel_s
    median += waits[:, _P50]
    return waits, _key(table, search, seen, median)


def _among_smooth(
    table: HallTable, search: Search, seen: _Halls, smooth: tuple[Floats, Floats]
) -> Ranked:
    waits, key = smooth
    first = _first(key, search.limit)
    shown, on = seen.take(first), waits.take(first, axis=0).T
    wait_s = on[SHARES:] * shown.travel_s
    wait_s += on[:SHARES]
    return _ranked(table, shown, wait_s, _SERVED[: len(first)], key.take(first))


def _may_be_first(search: Search, seen: _Halls, key: Floats, uneven: Bools) -> bool:
    """Whether halls where she is not simply let in, which `key` puts last, may be among the first.

    Not if the way and the time served alone take longer there than all of it at enough others.
    """
    last = np.partition(key, search.limit - 1)[search.limit - 1]
    if last == np.inf:
        return True
    besides_s = seen.travel_s + seen.service_s
    return bool((besides_s[uneven] <= last).any())


def _ranked(table: HallTable, shown: _Halls, wait_s: Floats, served: Bools, key: Floats) -> Ranked:
    """These halls in this order; `wait_s` is (SHARES, row)."""
    known = table.known.take(shown.rows)
    figures = np.empty((_FIGURES, len(known)))
    wait = figures[:SHARES]
    wait[:] = wait_s
    is_foretold = False not in known.tolist() and False not in served.tolist()
    if not is_foretold:
        wait[:, ~(known & served)] = np.nan
    np.add(wait, shown.service_s + shown.travel_s, out=figures[SHARES : 2 * SHARES])
    figures[-2], figures[-1] = shown.distance_m, shown.travel_s
    return Ranked(shown.halls, figures, is_foretold, served, key)


def _measured(search: Search, near: Vicinity, travel_s: Mapping[int, float] | None) -> _Halls:
    """How far it is to each of these halls that she asks for."""
    if search.here is None:
        distance = np.full(len(near), np.nan)
        travel = np.zeros(len(near))
    else:
        distance = near.distances_m(earth_centred(*search.here))
        travel = distance * search.pace.s_per_m
        travel += search.pace.overhead_s
        for hall, seconds in (travel_s or {}).items():
            travel[near.halls == hall] = seconds
    seen = _Halls(near.halls, near.rows, near.firsts, near.service_s, distance, travel)
    if search.within_m is not None:
        seen = seen.take(np.flatnonzero(seen.distance_m <= search.within_m))
    if search.open is not None:
        seen = seen.take(np.flatnonzero(search.open.take(seen.halls)))
    return seen


def _first(key: Floats, limit: int) -> Indices:
    """Where the least stand, in their order; of equal ones the first."""
    if len(key) > max(_MANY, 2 * limit):
        last = np.partition(key, limit - 1)[limit - 1]
        least = np.flatnonzero(key <= last)
        return least[key[least].argsort(kind="stable")[:limit]]
    order: Indices = key.argsort(kind="stable")
    return order if len(order) <= limit else order[:limit]


def _key(table: HallTable, search: Search, seen: _Halls, wait_s: Floats) -> Floats:
    """What halls are ordered by, the least first, where she is served. `wait_s` is the median."""
    if search.by == "fastest":
        wait_s += seen.travel_s
        wait_s += seen.service_s
        wait_s += table.delays_s(search.seed).take(seen.halls)
        return wait_s
    if search.by == "nearest":
        return seen.distance_m if search.here else table.code_rank[seen.halls].astype(float)
    return _STEP * _steps(wait_s, search.seed) + _far(table, search, seen)


def _far(table: HallTable, search: Search, seen: _Halls) -> Floats:
    return seen.distance_m if search.here else table.chances(seen.halls, search.seed)


def _steps(wait_s: Floats, seed: int) -> Floats:
    """How many steps long each wait is; where the steps begin is the seed's."""
    begin = (seed % 997) / 997
    return np.asarray(np.floor(wait_s / NEAR_TIE_S + begin))
