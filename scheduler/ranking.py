"""Which hall first: nearest, with the shortest wait, or where she is done soonest.

Of 34 halls each is looked at; of 44,000 only those that can be among the first, found on the map by
bounds that hold for every hall not looked at. The answer is the same.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from scheduler.arrivals import Arrivals, Bools, Floats, arrive
from scheduler.hall_map import Indices
from scheduler.hall_table import HallTable
from scheduler.travel import Pace

Rank = Literal["nearest", "shortest_wait", "fastest"]

# Closer together than this, two halls are as good as each other, and not everybody is sent to one.
NEAR_TIE_S: Final = 300.0
# A hall whose wait is not known stands where one with this wait would: behind those known nearby,
# before those an hour's travel farther. The number itself is never shown.
UNKNOWN_COUNTS_AS_S: Final = 3600.0
# So few halls are all looked at: finding the near ones costs more.
_FEW: Final = 400
_SPARE: Final = 16
# A step of waiting outweighs any way on Earth, and not being served today every step of a day.
_STEP: Final = 1e8
_NOT_TODAY: Final = 1e12
_P50: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What somebody looks for.

    `here` is where she stands (WGS-84 degrees), None when she does not say: then she is taken to be
    at each hall already. `asked` are the halls that do what she wants, their numbers rising.
    `rows` gives each hall's row in the table, -1 where it is not asked for. `service_s` is the time
    at the counter, of each hall, and at least `least_service_s`.
    `seed` decides near-ties: the same seed, the same order.
    """

    by: Rank
    now_s: float
    here: tuple[float, float] | None
    pace: Pace
    asked: Indices
    rows: Indices
    service_s: Floats
    limit: int
    least_service_s: float = 0.0
    seed: int = 0
    within_m: float | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """Halls in rank order by their numbers, with what their order rests on.

    NaN is what is not known: waits and totals (row, SHARES), and the distance without a place;
    the way takes 0 seconds then. `served` says where she is served today.
    """

    halls: Indices
    distance_m: Floats
    travel_s: Floats
    wait_s: Floats
    total_s: Floats
    served: Bools
    key: Floats


def rank(table: HallTable, search: Search) -> Ranked:
    """The first halls of a table for somebody.

    - nearest: by metres.
    - shortest_wait: by the median wait on arrival in steps of five minutes, within one by metres;
      where the steps begin differs from seed to seed.
    - fastest: by travel + wait on arrival + service, the median, and up to five minutes more as
      the seed has it: 300·u³ with u in 0…1, so the nearer the tie, the more evenly people spread.

    For the last two, halls where she is not served today come after all others, by metres.
    """
    here = search.here
    if here is None or len(search.asked) <= _FEW:
        return _best_of(table, search, search.asked)
    return _search_outwards(table, search, here)


def refine(
    table: HallTable, search: Search, found: Ranked, travel_s: Mapping[int, float]
) -> Ranked:
    """Rank these halls anew, where somebody knows the way to some better: seconds by hall."""
    return _best_of(table, search, np.sort(found.halls), travel_s)


def _search_outwards(table: HallTable, search: Search, here: tuple[float, float]) -> Ranked:
    """Look at the halls around, then at all that may be better than the last of those found."""
    usual = table.map.region_of(*here), search.by, search.limit, search.pace
    metres = table.reached.get(usual)
    if metres is None:
        metres = table.map.radius_of_about(*here, 2 * search.limit + _SPARE)
    while True:
        if search.within_m is not None:
            metres = min(metres, search.within_m)
        near = table.map.around(*here, metres)
        if near is None:
            return _best_of(table, search, search.asked)
        found = _best_of(table, search, near[search.rows[near] >= 0])
        needed = _needed_m(table, search, found)
        if needed <= metres or metres == search.within_m:
            table.reach(usual, min(needed, metres))
            return found
        metres = needed


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
        return min(reach, _metres_in(search.pace, last - search.least_service_s))
    # At a hall farther away she may always wait less, unless she need not wait at all.
    return farthest if last < _STEP else reach


def _metres_in(pace: Pace, seconds: float) -> float:
    """How far away a hall may be at most that one gets to in this time."""
    return max(0.0, (seconds - pace.overhead_s) / pace.s_per_m)


def _best_of(
    table: HallTable,
    search: Search,
    halls: Indices,
    travel_s: Mapping[int, float] | None = None,
) -> Ranked:
    """The first of these halls, all looked at. Numbers of halls rise, so ties keep their order."""
    if search.here is None:
        distance = np.full(len(halls), np.nan)
        travel = np.zeros(len(halls))
    else:
        distance = table.map.distances_m(*search.here, halls)
        if search.within_m is not None:
            near = distance <= search.within_m
            halls, distance = halls[near], distance[near]
        if search.by == "nearest":
            # Only those that are shown need be sent anybody.
            first = np.argsort(distance, kind="stable")[: search.limit]
            halls, distance = halls[first], distance[first]
        travel = distance * search.pace.s_per_m + search.pace.overhead_s
        for hall, seconds in (travel_s or {}).items():
            travel[halls == hall] = seconds
    there = arrive(table.facts(halls, search.rows[halls]), search.now_s, travel)
    service = search.service_s[halls]
    key = _key(table, search, halls, there, distance_m=distance, besides_s=travel + service)
    order = np.argsort(key, kind="stable")[: search.limit]
    return Ranked(
        halls=halls[order],
        distance_m=distance[order],
        travel_s=travel[order],
        wait_s=there.wait_s[order],
        total_s=(there.wait_s + (travel + service)[:, None])[order],
        served=there.served[order],
        key=key[order],
    )


def _key(
    table: HallTable,
    search: Search,
    halls: Indices,
    there: Arrivals,
    *,
    distance_m: Floats,
    besides_s: Floats,
) -> Floats:
    """What halls are ordered by, the least first. `besides_s`: the way and the time served."""
    placed = search.here is not None
    if search.by == "nearest":
        return distance_m if placed else table.code_rank[halls].astype(float)
    chance = table.chances(halls, search.seed)
    far = distance_m if placed else chance
    wait = there.wait_s[:, _P50]
    wait = np.where(np.isnan(wait), UNKNOWN_COUNTS_AS_S, wait)
    if search.by == "fastest":
        key = besides_s + wait + NEAR_TIE_S * chance**3
    else:
        key = _STEP * _steps(wait, search.seed) + far
    key[~there.served] = _NOT_TODAY + far[~there.served]
    return key


def _steps(wait_s: Floats, seed: int) -> Floats:
    """How many steps long each wait is; where the steps begin is the seed's."""
    begin = (seed % 997) / 997
    return np.asarray(np.floor(wait_s / NEAR_TIE_S + begin))
