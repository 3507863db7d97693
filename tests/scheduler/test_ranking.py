"""Nearest first, ties in the halls' own order, and travel times that grow with the way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.ranking import PACES, Pace, Travel, UnknownTravel, rank_nearest, travel_s

# Few different values, so that ties are common; NaN is a hall whose place is unknown.
distance_lists = st.lists(
    st.one_of(st.integers(0, 9).map(float), st.floats(0, 5e6), st.just(math.nan)), max_size=40
)
modes = st.sampled_from(list(PACES))


def test_the_nearest_hall_comes_first() -> None:
    assert rank_nearest([300.0, 100.0, 200.0]).tolist() == [1, 2, 0]


def test_ties_keep_the_order_of_the_halls() -> None:
    assert rank_nearest([5.0, 1.0, 5.0, 1.0]).tolist() == [1, 3, 0, 2]
    assert rank_nearest([5.0, 1.0, 5.0, 1.0], limit=3).tolist() == [1, 3, 0]


def test_within_includes_its_own_edge() -> None:
    assert rank_nearest([500.0, 501.0, 499.0], within_m=500).tolist() == [2, 0]


def test_a_hall_whose_place_is_unknown_comes_last_and_is_never_within() -> None:
    assert rank_nearest([math.nan, 2.0, 1.0]).tolist() == [2, 1, 0]
    assert rank_nearest([math.nan, 2.0, 1.0], limit=1).tolist() == [2]
    assert rank_nearest([math.nan, 2.0, 1.0], within_m=1e9).tolist() == [2, 1]


def test_no_halls_and_no_places_asked_for_give_an_empty_ranking() -> None:
    assert rank_nearest([]).tolist() == []
    assert rank_nearest([], within_m=1.0, limit=3).tolist() == []
    assert rank_nearest([1.0, 2.0], limit=0).tolist() == []


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="limit must not be negative"):
        rank_nearest([1.0], limit=-1)


@given(distance_lists, st.none() | st.floats(0, 12), st.none() | st.integers(0, 45))
def test_ranking_is_a_stable_sort_cut_off(
    distances: list[float], within_m: float | None, limit: int | None
) -> None:
    kept = [i for i, d in enumerate(distances) if within_m is None or d <= within_m]
    known = [i for i in kept if not math.isnan(distances[i])]
    unknown = [i for i in kept if math.isnan(distances[i])]
    expected = (sorted(known, key=lambda i: (distances[i], i)) + unknown)[:limit]
    assert rank_nearest(distances, within_m=within_m, limit=limit).tolist() == expected


@given(st.floats(0, 5e6), st.floats(0, 5e6), modes)
def test_a_longer_way_never_takes_less_time(a: float, b: float, mode: Travel) -> None:
    near, far = sorted((a, b))
    assert travel_s(near, mode) <= travel_s(far, mode)


@given(st.lists(st.floats(0, 5e6)), modes)
def test_an_array_of_ways_takes_what_each_takes(ways: list[float], mode: Travel) -> None:
    together = travel_s(np.array(ways, dtype=np.float64), mode)
    assert together.tolist() == [travel_s(way, mode) for way in ways]


def test_travel_times_in_a_city_are_plausible() -> None:
    minutes = {mode: travel_s(5_000.0, mode) / 60 for mode in PACES}
    assert 60 < minutes["walk"] < 100
    assert 20 < minutes["bike"] < 35
    assert 15 < minutes["drive"] < 30
    assert 25 < minutes["transit"] < 45
    assert travel_s(150.0, "walk") == min(travel_s(150.0, mode) for mode in PACES)


def test_an_unknown_distance_takes_an_unknown_time() -> None:
    assert math.isnan(travel_s(math.nan, "drive"))


def test_a_city_may_set_its_own_paces() -> None:
    ferry: dict[Travel, Pace] = {"transit": Pace(road_factor=2, speed_m_s=10, overhead_s=60)}
    assert travel_s(1_000.0, "transit", paces=ferry) == 260.0


def test_an_unknown_way_to_travel_is_refused() -> None:
    with pytest.raises(UnknownTravel, match="walk, bike, drive, transit, not 'fly'"):
        travel_s(1.0, "fly")  # type: ignore[call-overload]
