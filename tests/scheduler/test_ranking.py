"""Which hall first: the same answer as looking at every one, and nobody herded to one of them."""

import itertools
import math
from collections import Counter
from datetime import date, datetime, time
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.arrivals import ARRIVAL_AT_S
from scheduler.calendar import SHANGHAI, Opening, Timetable, open_spans
from scheduler.hall_table import (
    NEAR_TIE_S,
    SHUFFLES,
    UNKNOWN_COUNTS_AS_S,
    HallFacts,
    HallTable,
    Learned,
    seed_of,
)
from scheduler.ordering import Rank, Ranked, Search
from scheduler.ranking import rank, rank_all, refine
from scheduler.travel import PACES, Travel
from scheduler.vicinity import Asked

MONDAY = date(2026, 11, 23)
RANKS: tuple[Rank, ...] = ("nearest", "shortest_wait", "fastest")
SERVICE_S = 600.0


def week(*spans: tuple[time, time]) -> Timetable:
    return Timetable(tuple(Opening(day, *span) for day in range(5) for span in spans))


WITH_LUNCH = week((time(9), time(12)), (time(13, 30), time(17)))
WEEKS = (
    WITH_LUNCH,
    week((time(8, 30), time(17, 30))),
    week((time(9), time(12))),
    week((time(0), time(0))),
    Timetable(),
)


def moment(clock: str) -> float:
    return datetime.combine(MONDAY, time.fromisoformat(clock), SHANGHAI).timestamp()


# From where to where, and how long one usually waits.
LANDS = (
    ((20.0, 48.0), (85.0, 125.0), 1200.0),
    ((22.0, 25.0), (111.0, 116.0), 60.0),
    ((20.0, 48.0), (85.0, 125.0), 60.0),
    ((22.0, 25.0), (111.0, 116.0), 1200.0),
)


@cache
def world(seed: int, many: int, weeks: int) -> HallTable:
    """Halls in clusters and alone, waits of every length, some not known, some lines full."""
    rng = np.random.default_rng(seed)
    (south, north), (west, east), usual_s = LANDS[seed % len(LANDS)]
    towns = np.column_stack(
        (rng.uniform(south, north, many // 12), rng.uniform(west, east, many // 12))
    )
    places = towns[rng.integers(0, len(towns), many)] + rng.normal(0, 0.1, (many, 2))
    table = HallTable(
        [
            HallFacts(
                code=f"h-{at}",
                place=(float(lat), float(lng)),
                timetable=WEEKS[int(rng.integers(0, weeks))],
                after_close_min=60,
                lines=[],
            )
            for at, (lat, lng) in enumerate(places)
        ],
        MONDAY,
    )
    for at in range(many):
        curve = np.sort(rng.gamma(1.2, usual_s, (5, 3)), axis=1).tolist()
        last = rng.choice([math.inf, math.inf, math.inf, -math.inf, moment("15:00")])
        table.learn(at, curve if rng.random() > 0.15 else [], last_s=float(last))
    for at in rng.integers(0, many, many // 10).tolist():
        table.expect(at, 2, 150.0)
    return table


def search(
    table: HallTable, by: Rank, here: tuple[float, float], clock: str, **other: Any
) -> Search:
    rows = other.pop("rows", None)
    asked = everybody_s(table) if rows is None else Asked(table.map, rows, service(table))
    return Search(
        by=by,
        now_s=moment(clock),
        here=here,
        pace=PACES[other.pop("travel", "drive")],
        asked=asked,
        limit=other.pop("limit", 20),
        seed=other.pop("seed", seed_of(*here, moment(clock))),
        **other,
    )


def service(table: HallTable) -> Any:
    return np.full(len(table), SERVICE_S)


@cache
def everybody_s(table: HallTable) -> Asked:
    """All halls, asked for again and again: what one search leaves behind meets the next."""
    return Asked(table.map, np.arange(len(table)), service(table))


def by_hand(table: HallTable, asked: Search) -> list[int]:
    """The order as the rules say it, hall by hall, in plain numbers."""
    assert asked.here is not None
    metres = table.map.distances_m(*asked.here).tolist()
    delay = table.delays_s(np.arange(len(table)), np.array(asked.seed % SHUFFLES)).tolist()
    keys: dict[int, tuple[float, ...]] = {}
    for at in asked.asked.halls.tolist():
        if asked.within_m is not None and metres[at] > asked.within_m:
            continue
        travel = metres[at] * asked.pace.s_per_m + asked.pace.overhead_s
        wait = waits_by_hand(table, at, asked.now_s, travel)
        if asked.by == "nearest":
            keys[at] = (metres[at],)
        elif wait is None:
            keys[at] = (1, metres[at])
        elif asked.by == "fastest":
            keys[at] = (0, travel + wait + SERVICE_S + delay[at])
        else:
            steps = math.floor(wait / NEAR_TIE_S + asked.seed % 997 / 997)
            keys[at] = (0, steps, metres[at])
    return sorted(keys, key=lambda at: (*keys[at], at))[: asked.limit]


def waits_by_hand(table: HallTable, at: int, now_s: float, travel_s: float) -> float | None:
    """The median wait on arrival, an unknown one as it counts; None where she is not served."""
    arrives = now_s + travel_s
    timetable = table._timetables[table.group[at]][0]
    spans = [(s.timestamp(), e.timestamp()) for s, e in open_spans(timetable, MONDAY)]
    ready = next((max(start, arrives) for start, end in spans if end > arrives), None)
    if ready is None or ready > table.last_s[at]:
        return None
    ahead = min(max(ready - now_s, 0.0), float(ARRIVAL_AT_S[-1]))
    if not table.known[at]:
        return UNKNOWN_COUNTS_AS_S
    medians = [point[1] for point in table._curves[at]]
    wait = float(np.interp(ahead, ARRIVAL_AT_S, medians)) + float(table.coming_s[at])
    last = now_s + ahead
    for (start, end), (opens, _) in itertools.pairwise(spans):
        # Beyond the curve there is no break to wait through that whoever came last on it had to.
        if start <= last < end and ready >= opens and last + wait > end:
            wait = max(wait - (opens - end), 0.0)
    wait += ready - arrives
    # Everybody is let go an hour after closing; waits are cut off five minutes before that.
    return None if arrives + wait > spans[-1][1] + 3600 - 300 else wait


@settings(max_examples=1_000, deadline=None)
@given(
    nation=st.integers(0, 3),
    by=st.sampled_from(RANKS),
    clock=st.sampled_from(["06:00", "08:50", "09:30", "11:40", "12:45", "16:10", "16:58", "19:00"]),
    travel=st.sampled_from(list(PACES)),
    dice=st.integers(0, 2**32),
    limit=st.sampled_from([1, 5, 50, 100]),
    within_m=st.sampled_from([None, None, None, 3_000, 60_000, 900_000]),
    one_in=st.sampled_from([1, 1, 2, 40]),
    many=st.sampled_from([1, 1, 1, 3]),
)
def test_a_search_gives_what_looking_at_every_hall_gives(
    *,
    nation: int,
    by: Rank,
    clock: str,
    travel: Travel,
    dice: int,
    limit: int,
    within_m: int | None,
    one_in: int,
    many: int,
) -> None:
    """However many ask at once: others from elsewhere, on foot, for ten, see nobody else's."""
    table = world(nation, 1_500, 3 if nation < 2 else 5)
    rng = np.random.default_rng(dice)
    (south, north), (west, east), _ = LANDS[nation]
    heres = zip(rng.uniform(south - 1, north, many), rng.uniform(west, east + 1, many), strict=True)
    rows = np.arange(len(table))
    rows[rng.random(len(table)) > 1 / one_in] = -1
    first, *others = [
        search(table, by, (float(lat), float(lng)), clock, travel=travel, rows=rows)
        for lat, lng in heres
    ]
    asked = [first._replace(limit=limit, within_m=within_m)]
    asked += [other._replace(limit=10, pace=PACES["walk"]) for other in others]
    found = [ranked.halls.tolist() for ranked in rank_all(table, asked)]
    assert found == [by_hand(table, each) for each in asked]


def a_city(*halls: tuple[float, list[list[float]]], timetable: Timetable = WITH_LUNCH) -> HallTable:
    """Halls so many kilometres east of the origin, with their curves."""
    table = HallTable(
        [
            HallFacts(
                code=f"c-{at}",
                place=(23.0, 113.0 + km / 102.5),
                timetable=timetable,
                after_close_min=60,
                lines=[],
            )
            for at, (km, _) in enumerate(halls)
        ],
        MONDAY,
    )
    for at, (_, curve) in enumerate(halls):
        table.learn(at, curve, last_s=math.inf)
    return table


def level(minutes: float) -> list[list[float]]:
    return [[minutes * 40, minutes * 60, minutes * 90]] * 5


def order(table: HallTable, by: Rank, clock: str = "10:00", **other: Any) -> list[int]:
    halls: list[int] = rank(table, search(table, by, (23.0, 113.0), clock, **other)).halls.tolist()
    return halls


def test_fastest_weighs_the_way_against_the_wait() -> None:
    table = a_city((1, level(60)), (8, level(5)), (30, level(0)))
    assert order(table, "nearest") == [0, 1, 2]
    assert order(table, "shortest_wait", seed=0) == [2, 1, 0]
    assert order(table, "fastest") == [1, 0, 2]


@pytest.mark.parametrize(("km", "first"), [(19.0, 499), (19.9, 499), (22.0, 0)])
def test_one_empty_hall_far_off_is_found_among_hundreds_of_full_ones(km: float, first: int) -> None:
    near = [(0.001 * at, level(60)) for at in range(499)]
    table = a_city(*near, (km, level(0)))
    # An hour's wait is worth 20 km by car; the seed gives each hall the least it can.
    asked = search(table, "fastest", (23.0, 113.0), "09:10", limit=1)
    table._delays_s[:] = 0.0
    assert rank(table, asked).halls.tolist() == [first]


def test_the_total_is_the_way_the_wait_and_the_service() -> None:
    table = a_city((8, level(5)))
    found = rank(table, search(table, "fastest", (23.0, 113.0), "10:00"))
    expected = [found.travel_s[0] + minutes * 60 + SERVICE_S for minutes in (10 / 3, 5, 7.5)]
    assert found.total_s[0].tolist() == pytest.approx(expected)


def test_a_wait_nobody_knows_stands_behind_known_ones_near_and_is_not_shown() -> None:
    table = a_city((1, []), (8, level(20)), (120, level(0)))
    assert order(table, "fastest") == [1, 0, 2]
    found = rank(table, search(table, "fastest", (23.0, 113.0), "10:00"))
    assert np.isnan(found.total_s[1]).all()
    assert found.served.all()


def test_halls_that_serve_nobody_any_more_come_last_by_distance() -> None:
    table = a_city((9, level(0)), (1, level(0)), (5, level(0)))
    table.learn(1, level(0), last_s=-math.inf)
    table.learn(2, [], last_s=-math.inf)
    orders: tuple[Rank, ...] = ("fastest", "shortest_wait")
    for by in orders:
        found = rank(table, search(table, by, (23.0, 113.0), "10:00"))
        assert found.halls.tolist() == [0, 1, 2]
        assert found.served.tolist() == [True, False, False]
        assert np.isnan(found.total_s[1:]).all()


def test_a_hall_closed_for_lunch_may_still_be_the_fastest() -> None:
    table = a_city((1, level(0)), (60, level(60)))
    assert order(table, "fastest", "13:10") == [0, 1]


# --- near-ties


def test_two_halls_five_minutes_apart_never_change_places() -> None:
    table = a_city((1, level(20)), (1, level(25)))
    assert {tuple(order(table, "fastest", seed=seed)) for seed in range(64)} == {(0, 1)}
    assert {tuple(order(table, "shortest_wait", seed=seed)) for seed in range(997)} == {(0, 1)}


def test_equal_halls_share_people_evenly_and_closer_ones_get_more() -> None:
    firsts = Counter(
        order(a_city((1, level(20)), (1, level(20))), "fastest", seed=seed)[0] for seed in range(64)
    )
    assert min(firsts.values()) > 16
    lopsided = Counter(
        order(a_city((1, level(20)), (1, level(22))), "fastest", seed=seed)[0] for seed in range(64)
    )
    assert 0 < lopsided[1] < lopsided[0]


def test_within_five_minutes_the_shortest_wait_is_the_nearest() -> None:
    table = a_city((9, level(1)), (2, level(3)))
    firsts = Counter(order(table, "shortest_wait", seed=seed)[0] for seed in range(997))
    # How often a step begins between the two waits: two minutes of five.
    assert firsts[0] / 997 == pytest.approx(2 / 5, abs=0.01)


def test_the_same_person_gets_the_same_order_for_ten_minutes() -> None:
    start = moment("10:00")
    seeds = {seed_of(23.04904, 113.75221, start + second) for second in range(0, 600, 7)}
    assert len(seeds) == 1
    assert seed_of(23.04904, 113.75221, start + 600) not in seeds
    assert seed_of(23.06, 113.75221, start) not in seeds


def test_delays_depend_on_the_halls_code_and_the_seed_alone() -> None:
    one, more = a_city((1, [])), a_city((5, []), (1, []))
    for seed in (0, 1, 63, 2**63 + 5):
        shuffle = np.array([seed % SHUFFLES])
        assert one.delays_s(np.array([0]), shuffle) == more.delays_s(np.array([0]), shuffle)
    many = world(1, 1_500, 5)
    every = np.repeat(np.arange(SHUFFLES), 1_500)
    delays_s = many.delays_s(np.tile(np.arange(1_500), SHUFFLES), every)
    chances = np.cbrt(delays_s / NEAR_TIE_S)
    assert 0 <= chances.min() < chances.max() < 1
    assert chances.mean() == pytest.approx(0.5, abs=0.01)


def test_everybody_near_by_is_spread_over_halls_that_are_as_good() -> None:
    table = a_city(*[(5 + at / 10, level(15)) for at in range(4)])
    here = [(23.0 + north / 1000, 113.0) for north in range(200)]
    firsts = Counter(
        int(rank(table, search(table, "fastest", place, "10:00", limit=1)).halls[0])
        for place in here
    )
    assert max(firsts.values()) < 120
    assert len(firsts) == 4


# --- ways that a map service knows


def test_a_way_known_better_moves_a_hall() -> None:
    table = a_city((2, level(10)), (3, level(10)), (40, level(10)))
    asked = search(table, "fastest", (23.0, 113.0), "10:00", seed=1)
    found = rank(table, asked)
    assert found.halls.tolist() == [0, 1, 2]
    again = refine(table, asked, found, {0: 3_000.0, 1: 400.0})
    assert again.halls.tolist() == [1, 0, 2]
    assert again.travel_s.tolist()[:2] == [400.0, 3_000.0]
    assert again.travel_s[2] == found.travel_s[2]


def test_nothing_to_rank_is_an_empty_list() -> None:
    table = a_city()
    for by in RANKS:
        assert rank(table, search(table, by, (23.0, 113.0), "10:00")).halls.tolist() == []
        nowhere: Ranked = rank(
            a_city((5, level(3))), search(a_city((5, [])), by, (23.0, 113.0), "10:00", within_m=10)
        )
        assert nowhere.halls.tolist() == []


def test_without_a_place_halls_are_ranked_as_if_she_were_there() -> None:
    table = a_city((90, level(30)), (1, level(9)), (5, level(60)))
    orders: dict[Rank, list[int]] = {"nearest": [0, 1, 2], "shortest_wait": [1, 0, 2]}
    for by, expected in orders.items():
        asked = search(table, by, (0.0, 0.0), "10:00", seed=0)._replace(here=None)
        found = rank(table, asked)
        assert found.halls.tolist() == expected
        assert np.isnan(found.distance_m).all()


@given(st.permutations(range(6)))
def test_the_order_does_not_hang_on_that_of_the_halls(shuffled: list[int]) -> None:
    halls = [(km, level(wait)) for km, wait in itertools.product((2.0, 11.0), (3.0, 14.0, 40.0))]
    plain, mixed = a_city(*halls), a_city(*[halls[at] for at in shuffled])
    first = order(plain, "nearest")
    assert sorted(halls[at][0] for at in first) == [
        halls[shuffled[at]][0] for at in order(mixed, "nearest")
    ]


def test_what_is_learned_of_many_at_one_go_is_what_is_learned_one_by_one() -> None:
    rng = np.random.default_rng(4)
    one_by_one, at_once = (a_city(*((float(km), []) for km in range(40))) for _ in range(2))
    learned = [
        Learned(at, rng.normal(900, 900, (5, 3)).tolist() if at % 3 else [], moment("15:00"), 40.0)
        for at in rng.permutation(40).tolist()
    ]
    at_once.learn_all(learned)
    for each in learned:
        one_by_one.learn(each.row, each.curve_s, last_s=each.last_s)
        one_by_one.expect(each.row, 2, 20.0)
    for name in ("known", "stretches", "last_s", "coming_s", "smooth_until_s"):
        assert np.array_equal(getattr(one_by_one, name), getattr(at_once, name))
    assert (np.diff(at_once._curves, axis=2) >= 0).all()
