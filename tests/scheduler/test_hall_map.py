"""The halls on the map: measured as the exact geodesic does, and none near is ever missed."""

import math

import numpy as np
import pytest
from geopy.distance import geodesic
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler.hall_map import HallMap
from scheduler.places import PlaceNotFinite, PlaceOutOfRange

DONGGUAN = (23.04904, 113.75221)
anywhere = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
china = st.tuples(st.floats(3.8, 53.6), st.floats(73.4, 135.1))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_place_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(PlaceNotFinite, match="finite"):
        HallMap([(23.0, 113.0)]).distances_m(number, 113.7)
    with pytest.raises(PlaceNotFinite, match="finite"):
        HallMap([(23.0, 113.0), (number, 113.0)])


@pytest.mark.parametrize(("lat", "lng"), [(90.01, 0), (-91, 0), (23, 180.01), (113.7, 23.0 - 400)])
def test_a_place_off_the_globe_is_refused(lat: float, lng: float) -> None:
    with pytest.raises(PlaceOutOfRange, match="degrees, not"):
        HallMap([(lat, lng)])
    with pytest.raises(PlaceOutOfRange, match="degrees, not"):
        HallMap([]).distances_m(lat, lng)


def share_off(hall: tuple[float, float], here: tuple[float, float]) -> tuple[float, float]:
    """The exact distance, and by what share of it the hall map is off (20 cm forgiven)."""
    exact = float(geodesic(hall, here).meters)
    off = abs(float(HallMap([hall]).distances_m(*here)[0]) - exact)
    return exact, max(off - 0.2, 0) / max(exact, 1e-9)


@given(china, china)
def test_hall_distances_are_within_a_thousandth_of_the_geodesic_across_china(
    hall: tuple[float, float], here: tuple[float, float]
) -> None:
    exact, off = share_off(hall, here)
    assume(exact <= 5_000_000)
    assert off < (0.00002 if exact < 1_000_000 else 0.001)


@given(china, st.floats(-6, 0), st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_hall_distances_hold_from_centimetres_to_a_hundred_kilometres(
    hall: tuple[float, float], scale: float, step: tuple[float, float]
) -> None:
    here = hall[0] + step[0] * 10**scale, hall[1] + step[1] * 10**scale
    _, off = share_off(hall, here)
    assert off < 1e-6


@given(anywhere, anywhere)
def test_hall_distances_are_finite_anywhere_on_earth(
    hall: tuple[float, float], here: tuple[float, float]
) -> None:
    exact, off = share_off(hall, here)
    assert math.isfinite(off)
    if exact < 15_000_000:
        assert off < 0.05


def test_a_hall_is_at_no_distance_from_itself() -> None:
    distance = HallMap([DONGGUAN]).distances_m(*DONGGUAN)
    assert distance[0] < 0.2


def test_hall_distances_come_as_floats_in_the_order_of_the_halls() -> None:
    halls = HallMap([(39.9, 116.4), (23.0, 113.7), (31.2, 121.5)])
    distances = halls.distances_m(23.0, 113.7)
    assert len(halls) == len(distances) == 3
    assert sorted(range(3), key=distances.__getitem__) == [1, 2, 0]


def test_a_city_without_halls_has_no_distances() -> None:
    assert HallMap([]).distances_m(23.0, 113.7).tolist() == []


# --- finding the near ones

some = st.lists(st.one_of(china, anywhere), min_size=1, max_size=60)
radii = st.one_of(st.floats(0, 50_000), st.floats(0, 25_000_000))


@settings(max_examples=500)
@given(some, st.one_of(china, anywhere), radii)
def test_no_hall_outside_the_cells_around_is_as_near(
    halls: list[tuple[float, float]], here: tuple[float, float], metres: float
) -> None:
    city = HallMap(halls)
    found = city.around(*here, metres)
    if found is not None:
        left_out = np.setdiff1d(np.arange(len(halls)), found)
        assert (city.distances_m(*here, left_out) > metres).all()
        assert (np.diff(found) > 0).all()


@given(china, st.floats(0, 400_000), st.integers(0, 359))
def test_a_hall_just_within_the_circle_is_found(
    here: tuple[float, float], metres: float, bearing: int
) -> None:
    there = geodesic(meters=metres).destination(here, bearing)
    hall = (there.latitude, there.longitude)
    # Far halls spread the grid, so that there is something to leave out.
    city = HallMap([hall, (18.0, 75.0), (53.0, 134.0)])
    found = city.around(*here, float(city.distances_m(*here)[0]))
    assert found is None or 0 in found


def test_cells_leave_most_of_a_nation_out() -> None:
    rng = np.random.default_rng(7)
    city = HallMap(zip(rng.uniform(20, 50, 20_000), rng.uniform(80, 130, 20_000), strict=True))
    found = city.around(35.0, 105.0, 50_000.0)
    assert found is not None
    assert 5 < len(found) < 60
    radius = city.radius_of_about(35.0, 105.0, 100)
    assert 50_000 < radius < 200_000
    assert city.radius_of_about(35.0, 105.0, 30_000) == math.inf


def test_the_date_line_and_the_poles_hide_nobody() -> None:
    halls = [(52.0, 179.95), (52.0, -179.95), (89.9, 0.0), (89.9, 180.0), (-89.9, 90.0), (0.0, 0.0)]
    city = HallMap(halls)
    for here, near in (((52.0, 180.0), {0, 1}), ((90.0, 0.0), {2, 3}), ((-90.0, 0.0), {4})):
        found = city.around(*here, 30_000.0)
        assert found is None or near <= set(found.tolist())
