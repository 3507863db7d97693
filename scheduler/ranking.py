"""Which hall first: nearest, with the shortest wait, or where she is done soonest.

Of 34 halls each is looked at; of 44,000 only those that can be among the first, found by bounds
that hold for every hall not looked at. The answer is the same.
"""

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from scheduler.hall_table import HallTable
from scheduler.ordering import NOT_TODAY, STEP, Ranked, Search, best_of
from scheduler.travel import Pace
from scheduler.vicinity import Vicinity


def rank(table: HallTable, search: Search) -> Ranked:
    """The first halls of a table for somebody.

    - nearest: by metres.
    - shortest_wait: by the median wait on arrival in steps of five minutes, within one by metres;
      where the steps begin differs from seed to seed.
    - fastest: by travel + wait on arrival + service, the median, and up to five minutes more as
      the seed has it: 300·u³ with u in 0…1, so the nearer the tie, the more evenly people spread.

    For the last two, halls where she is not served today come after all others, by metres.
    """
    return rank_all(table, [search])[0]


def rank_all(table: HallTable, searches: Sequence[Search]) -> list[Ranked]:
    """The same for several who look at the same moment and by the same rank.

    All of them say where they stand, or none. Most of what a small search costs is to begin each
    step of it, and a step for all of them costs hardly more than for one.
    """
    table.mind(searches[0].now_s)
    nears = [_nearby(search) for search in searches]
    found = best_of(table, searches, nears)
    for nth, search in enumerate(searches):
        while (needed_m := _lacks_m(table, search, found[nth], nears[nth])) is not None:
            assert search.here is not None, "without a place all are looked at"
            nears[nth] = search.asked.within(search.here, needed_m, _kind(search))
            found[nth] = best_of(table, [search], [nears[nth]])[0]
    return found


def refine(
    table: HallTable, search: Search, found: Ranked, travel_s: Mapping[int, float]
) -> Ranked:
    """Rank these halls anew, where somebody knows the way to some better: seconds by hall."""
    table.mind(search.now_s)
    return best_of(table, [search], [search.asked.among(np.sort(found.halls))], travel_s)[0]


def _nearby(search: Search) -> Vicinity:
    """The halls that are looked at first."""
    if search.here is None:
        return search.asked.without_places()
    return search.asked.near(search.here, _about(search), _kind(search))


def _about(search: Search) -> int:
    """Who asks for about as many looks about as far, and shares what is remembered."""
    return 1 << (search.limit - 1).bit_length()


def _kind(search: Search) -> Hashable:
    return search.by, _about(search), search.pace


def _lacks_m(table: HallTable, search: Search, found: Ranked, near: Vicinity) -> float | None:
    """How far one must look, if farther than was looked at; None where all that may be is found."""
    if near.complete_m == math.inf or search.here is None:
        return None
    needed = _needed_m(table, search, found)
    if search.within_m is not None:
        needed = min(needed, search.within_m)
    if needed > near.complete_m:
        return needed
    if near.is_far_too_wide(needed):  # lest the next looks at far too many
        search.asked.within(search.here, needed, _kind(search))
    return None


def _needed_m(table: HallTable, search: Search, found: Ranked) -> float:
    """Within how many metres every hall must be looked at to know that none is missing."""
    if len(found.halls) < search.limit:
        return math.inf
    last = float(found.key[-1])
    if search.by == "nearest":
        return last
    # Halls that are farther away serve her today no more: they have closed before she is there.
    reach = _metres_in(search.pace, table.hours.latest_s - search.now_s)
    if search.by == "fastest" and last < NOT_TODAY:
        return min(reach, _metres_in(search.pace, last - search.asked.least_service_s))
    farthest = float(found.distance_m.max())
    if last >= NOT_TODAY:
        return max(reach, farthest)
    # At a hall farther away she may always wait less, unless she need not wait at all.
    return farthest if last < STEP else reach


def _metres_in(pace: Pace, seconds: float) -> float:
    """How far away a hall may be at most that one gets to in this time."""
    return max(0.0, (seconds - pace.overhead_s) / pace.s_per_m)
