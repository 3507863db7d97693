"""The halls that several searches look at, put in order for each of them, all at one go.

A row a hall and search. Most halls are open when she gets there, and serve her: for those the wait
is read off a line. Only the others are looked into.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import numpy as np

from scheduler.arrivals import POINTS, SHARES, Bools, Floats, arrive, waits_at
from scheduler.hall_map import Indices, metres_between
from scheduler.hall_table import NEAR_TIE_S, SHUFFLES, UNKNOWN_COUNTS_AS_S, HallTable
from scheduler.places import earth_centred
from scheduler.travel import Pace
from scheduler.vicinity import Asked, Vicinity

Rank = Literal["nearest", "shortest_wait", "fastest"]

# A step of waiting outweighs any way on Earth, and not being served today every step of a day.
STEP: Final = 1e8
NOT_TODAY: Final = 1e12
_P50: Final = 1
# Of more than so many only the first are put in order.
_MANY: Final = 300
_FIGURES: Final = 2 * SHARES + 2


class Search(NamedTuple):
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


class Ranked(NamedTuple):
    """Halls in rank order by their numbers, with what their order rests on.

    `figures` has a column a hall: SHARES of the wait, SHARES of the total, the distance in metres,
    the way in seconds. NaN is what is not known: waits and totals, and the distance without a
    place; the way takes 0 seconds then. `foretold` says where no wait is NaN, `served` where she is
    served today.
    """

    halls: Indices
    figures: Floats
    foretold: Bools
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


class _Halls(NamedTuple):
    """Halls that are looked at for one search after the other, a row each.

    `of` says for which, as they were given.
    """

    halls: Indices
    rows: Indices
    service_s: Floats
    distance_m: Floats
    travel_s: Floats
    of: Indices

    def take(self, which: Indices) -> "_Halls":
        return _Halls(
            self.halls.take(which),
            self.rows.take(which),
            self.service_s.take(which),
            self.distance_m.take(which),
            self.travel_s.take(which),
            self.of.take(which),
        )


class _Searches(NamedTuple):
    """What several search by, a row each where they may differ."""

    by: Rank
    now_s: float
    are_placed: bool
    limits: Indices
    seeds: Indices
    begins: Floats  # where the steps of waiting begin, in steps


def best_of(
    table: HallTable,
    searches: Sequence[Search],
    nears: Sequence[Vicinity],
    travel_s: Mapping[int, float] | None = None,
) -> list[Ranked]:
    """The first of these halls for each, all looked at.

    Numbers of halls rise, so ties keep their order.
    """
    seen = _measured(searches, nears, travel_s)
    those = _Searches(
        by=searches[0].by,
        now_s=searches[0].now_s,
        are_placed=searches[0].here is not None,
        limits=np.array([search.limit for search in searches]),
        seeds=np.array([search.seed % SHUFFLES for search in searches]),
        begins=np.array([search.seed % 997 / 997 for search in searches]),
    )
    if those.by == "nearest":
        key = _metres(table, seen, those)
        # Only those that are shown need be sent anybody.
        first = _first(key, seen.of, those.limits)
        seen, key = seen.take(first), key.take(first)
        there = _arrive(table, seen, those.now_s)
        _look_into(table, seen, those.now_s, there, there.uneven)
        waits, served = there.waits, there.served
    else:
        there, last = _arrive(table, seen, those.now_s), None
        key = _key(table, seen, those, there.waits[_P50].copy())
        if len(there.uneven):
            last = _order_uneven(table, seen, those, there, key)
        first = _first(key, seen.of, those.limits, last)
        seen, key = seen.take(first), key.take(first)
        waits, served = there.waits.take(first, axis=1), there.served.take(first)
    foretold = table.known.take(seen.rows)
    foretold &= served
    figures = _figures(seen, waits, foretold)
    bounds = seen.of.searchsorted(np.arange(len(searches) + 1)).tolist()
    return [
        Ranked(seen.halls[a:b], figures[:, a:b], foretold[a:b], served[a:b], key[a:b])
        for a, b in pairwise(bounds)
    ]


class _There(NamedTuple):
    """How it goes for each row: waits (SHARES, row), who is served today.

    `uneven` are the rows where she is not simply let in: of these it says so only when they have
    been looked into.
    """

    waits: Floats
    served: Bools
    uneven: Indices


def _arrive(table: HallTable, seen: _Halls, now_s: float) -> _There:
    """Read the waits off a line, as where she is simply let in."""
    left_s = table.smooth_until_s.take(seen.rows)
    left_s -= seen.travel_s
    return _There(
        waits=waits_at(table.stretches, seen.rows * POINTS, seen.travel_s),
        served=np.ones(len(seen.halls), dtype=bool),
        uneven=np.flatnonzero(left_s <= now_s),
    )


def _look_into(table: HallTable, seen: _Halls, now_s: float, there: _There, rows: Indices) -> None:
    """Find out how it goes where she may come to a break, a closing, a last number."""
    if len(rows):
        some = seen.take(rows)
        found = arrive(table.facts(some.halls, some.rows), now_s, some.travel_s)
        there.waits[:, rows] = found.wait_s.T
        there.served[rows] = found.served


def _order_uneven(
    table: HallTable, seen: _Halls, those: _Searches, there: _There, key: Floats
) -> Floats | None:
    """Look into the halls where she is not simply let in, and correct what orders them.

    Of `fastest` only those that may be among the first: not where the way and the time served alone
    take longer than all of it at enough others. Those come last, and are not shown. Answers what
    the last of the first cannot be after, for each search, where that is found on the way.
    """
    rows, last = there.uneven, None
    if those.by == "fastest":
        key[rows] = np.inf
        last = _last(key, seen.of, those.limits)
        soonest = seen.travel_s.take(rows)
        soonest += seen.service_s.take(rows)
        rows = rows[soonest <= last.take(seen.of.take(rows))]
        if not len(rows):
            return last
    _look_into(table, seen, those.now_s, there, rows)
    some, median = seen.take(rows), there.waits[_P50].take(rows)
    median[np.isnan(median)] = UNKNOWN_COUNTS_AS_S
    key[rows] = np.where(
        there.served.take(rows),
        _key(table, some, those, median),
        NOT_TODAY + _far(table, some, those),
    )
    return last


def _figures(shown: _Halls, waits: Floats, foretold: Bools) -> Floats:
    """A column a hall, as `Ranked` has them."""
    figures = np.empty((_FIGURES, len(foretold)))
    wait = figures[:SHARES]
    wait[:] = waits
    if not foretold.all():
        wait[:, ~foretold] = np.nan
    np.add(wait, shown.service_s + shown.travel_s, out=figures[SHARES : 2 * SHARES])
    figures[-2], figures[-1] = shown.distance_m, shown.travel_s
    return figures


def _measured(
    searches: Sequence[Search],
    nears: Sequence[Vicinity],
    travel_s: Mapping[int, float] | None,
) -> _Halls:
    """How far it is to each of the halls that they ask for."""
    of = np.arange(len(nears)).repeat([len(near) for near in nears])
    halls, rows = np.concatenate([near.numbers for near in nears], axis=1)
    measures = np.concatenate([near.measures for near in nears], axis=1)
    here = [earth_centred(*search.here) for search in searches if search.here is not None]
    if here:
        distance = metres_between(measures[:-1], np.array(here).T.take(of, axis=1))
        travel = _ways(searches, distance, of)
        for hall, seconds in (travel_s or {}).items():
            travel[halls == hall] = seconds
    else:
        distance, travel = np.full(len(halls), np.nan), np.zeros(len(halls))
    seen = _Halls(halls, rows, measures[-1], distance, travel, of)
    if all(search.within_m is None and search.open is None for search in searches):
        return seen
    wanted = [_wanted(seen, nth, search) for nth, search in enumerate(searches)]
    return seen.take(np.concatenate(wanted))


def _ways(searches: Sequence[Search], distance_m: Floats, of: Indices) -> Floats:
    """How many seconds each way takes."""
    paces = {search.pace for search in searches}
    if len(paces) == 1:
        [pace] = paces
        travel: Floats = distance_m * pace.s_per_m
        travel += pace.overhead_s
        return travel
    s_per_m = np.array([search.pace.s_per_m for search in searches])
    travel = distance_m * s_per_m.take(of)
    travel += np.array([search.pace.overhead_s for search in searches]).take(of)
    return travel


def _wanted(seen: _Halls, nth: int, search: Search) -> Indices:
    """The rows of a search's halls that are near enough for it, and open if they must be."""
    rows = np.flatnonzero(seen.of == nth)
    if search.within_m is not None:
        rows = rows[seen.distance_m.take(rows) <= search.within_m]
    if search.open is not None:
        rows = rows[search.open.take(seen.halls.take(rows))]
    return rows


def _first(key: Floats, of: Indices, limits: Indices, last: Floats | None = None) -> Indices:
    """Where each search's least stand, in their order; of equal ones the first.

    `last` is a bound of what the last of them can be, where one is known.
    """
    if len(limits) == 1:
        limit = int(limits[0])
        if len(key) > max(_MANY, 2 * limit):
            least = np.flatnonzero(key <= np.partition(key, limit - 1)[limit - 1])
            return least[key[least].argsort(kind="stable")[:limit]]
        return key.argsort(kind="stable")[:limit]
    bounds = of.searchsorted(np.arange(len(limits)))
    if len(key) > 2 * int(limits.sum()):
        # To find the least and to order them costs less than to order all.
        if last is None:
            last = _last(key, of, limits)
        least = np.flatnonzero(key <= last.take(of))
        key, of = key.take(least), of.take(least)
        order = least.take(np.lexsort((key, of)))
        bounds = of.searchsorted(np.arange(len(limits)))
    else:
        order = np.lexsort((key, of))
    nth = np.arange(len(order)) - bounds.take(of)
    return order[nth < limits.take(of)]


def _last(key: Floats, of: Indices, limits: Indices) -> Floats:
    """The last key that is among the first of each search; inf where there are not so many."""
    bounds = of.searchsorted(np.arange(len(limits) + 1))
    most = int(np.diff(bounds).max(initial=0))
    rows = np.full((len(limits), max(most, int(limits.max()))), np.inf)
    rows[of, np.arange(len(key)) - bounds.take(of)] = key
    rows.partition(sorted({int(limit) - 1 for limit in limits}), axis=1)
    last: Floats = rows[np.arange(len(limits)), limits - 1]
    return last


def _key(table: HallTable, seen: _Halls, those: _Searches, wait_s: Floats) -> Floats:
    """What halls are ordered by, the least first, where she is served. `wait_s` is the median."""
    if those.by == "fastest":
        wait_s += seen.travel_s
        wait_s += seen.service_s
        wait_s += table.delays_s(seen.halls, those.seeds.take(seen.of))
        return wait_s
    wait_s /= NEAR_TIE_S
    wait_s += those.begins.take(seen.of)
    np.floor(wait_s, out=wait_s)
    wait_s *= STEP
    wait_s += _far(table, seen, those)
    return wait_s


def _far(table: HallTable, seen: _Halls, those: _Searches) -> Floats:
    """What orders halls that are as good as each other."""
    if those.are_placed:
        return seen.distance_m
    return table.delays_s(seen.halls, those.seeds.take(seen.of))


def _metres(table: HallTable, seen: _Halls, those: _Searches) -> Floats:
    """What orders halls by the way alone: without a place, their codes."""
    if those.are_placed:
        return seen.distance_m
    return table.code_rank.take(seen.halls).astype(float)
