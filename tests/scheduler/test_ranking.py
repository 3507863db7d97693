"""Nearest first, ties in the halls' own order, and travel times that grow with the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.ranking import PACES, Pace, Travel, UnknownTravel, rank_nearest, travel_times_s

# Few different values, so that ties are common.
distance_lists = st.lists(st.one_of(st.integers(0, 9).map(float), st.floats(0, 5e6)), max_size=40)
modes = st.sampled_from(list(PACES))


def test_the_nearest_hall_comes_first() -> None:
    assert rank_nearest([300.0, 100.0, 200.0]) == [1, 2, 0]


def test_ties_keep_the_order_of_the_halls() -> None:
    assert rank_nearest([5.0, 1.0, 5.0, 1.0]) == [1, 3, 0, 2]


def test_within_includes_its_own_edge() -> None:
    assert rank_nearest([500.0, 501.0, 499.0], within_m=500) == [2, 0]


def test_no_halls_give_an_empty_ranking() -> None:
    assert rank_nearest([]) == []
    assert rank_nearest([], within_m=1.0) == []


@given(distance_lists, st.none() | st.floats(0, 12))
def test_ranking_is_a_stable_sort_cut_off(distances: list[float], within_m: float | None) -> None:
    kept = [at for at, metres in enumerate(distances) if within_m is None or metres <= within_m]
    expected = sorted(kept, key=lambda at: (distances[at], at))
    assert rank_nearest(distances, within_m=within_m) == expected


@given(st.floats(0, 5e6), st.floats(0, 5e6), modes)
def test_a_longer_way_never_takes_less_time(a: float, b: float, mode: Travel) -> None:
    near, far = sorted((a, b))
    assert travel_times_s([near, far], mode) == sorted(travel_times_s([far, near], mode))


def test_travel_times_in_a_city_are_plausible() -> None:
    minutes = {mode: travel_times_s([5_000.0], mode)[0] / 60 for mode in PACES}
    assert 60 < minutes["walk"] < 100
    assert 20 < minutes["bike"] < 35
    assert 15 < minutes["drive"] < 30
    assert 25 < minutes["transit"] < 45
    short = {mode: travel_times_s([150.0], mode)[0] for mode in PACES}
    assert short["walk"] == min(short.values())


def test_a_city_may_set_its_own_paces() -> None:
    ferry: dict[Travel, Pace] = {"transit": Pace(road_factor=2, speed_m_s=10, overhead_s=60)}
    assert travel_times_s([1_000.0], "transit", paces=ferry) == [260.0]


def test_an_unknown_way_to_travel_is_refused() -> None:
    with pytest.raises(UnknownTravel, match="walk, bike, drive, transit, not 'fly'"):
        travel_times_s([1.0], "fly")  # type: ignore[arg-type]
