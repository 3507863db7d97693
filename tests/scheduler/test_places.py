"""Datums convert there and back, and every distance agrees with the exact geodesic."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from geopy.distance import geodesic
from hypothesis import assume, given
from hypothesis import strategies as st

from scheduler.places import (
    ACCURACY_UNSAID_M,
    ACCURACY_WORST_M,
    DATUMS,
    BadPlace,
    Datum,
    Place,
    PlaceNotFinite,
    PlaceOutOfRange,
    UnknownDatum,
    convert,
    geodesic_m,
    presence,
    to_bd09,
    to_gcj02,
    to_wgs84,
)

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "gcj02_points.json"
DONGGUAN = Place(23.04904, 113.75221, "wgs84")

# A hundredth of a degree inside the shifted box, so that all three datums' numbers are inside it.
shifted_lat = st.floats(0.85, 55.81)
shifted_lng = st.floats(72.03, 137.81)
anywhere = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
datums = st.sampled_from(DATUMS)


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    if not VECTORS.exists():
        pytest.skip(f"the shared test vectors are not beside this checkout: {VECTORS}")
    points: dict[str, Any] = json.loads(VECTORS.read_text())
    return points


def metres(a: Place, b: Place) -> float:
    """Distance of two sets of numbers as they stand, whatever their datum."""
    return float(geodesic((a.lat, a.lng), (b.lat, b.lng)).meters)


def from_lat_lng(numbers: list[float], datum: Datum) -> Place:
    return Place(numbers[0], numbers[1], datum)


def from_lng_lat(numbers: list[float], datum: Datum) -> Place:
    return Place(numbers[1], numbers[0], datum)


def test_gcj02_and_bd09_are_those_of_coordtransform(vectors: dict[str, Any]) -> None:
    points = vectors["coordtransform_a6378245"]
    given_as = points["input_lng_lat"]
    gcj = to_gcj02(from_lng_lat(given_as, "wgs84"))
    bd = to_bd09(from_lng_lat(given_as, "gcj02"))
    assert metres(gcj, from_lng_lat(points["wgs84_to_gcj02"], "gcj02")) < 1e-6
    assert metres(bd, from_lng_lat(points["gcj02_to_bd09"], "bd09")) < 1e-6


def test_the_inverses_are_those_of_coordtransform_but_for_its_one_step_error(
    vectors: dict[str, Any],
) -> None:
    points = vectors["coordtransform_a6378245"]
    wgs = to_wgs84(from_lng_lat(points["input_lng_lat"], "gcj02"))
    gcj = to_gcj02(from_lng_lat(points["input_lng_lat"], "bd09"))
    assert metres(wgs, from_lng_lat(points["gcj02_to_wgs84"], "wgs84")) < 5
    assert metres(gcj, from_lng_lat(points["bd09_to_gcj02"], "gcj02")) < 1


def test_gcj02_is_within_a_few_centimetres_of_the_other_published_radius(
    vectors: dict[str, Any],
) -> None:
    for point in vectors["wgs_to_gcj_a6378137"]:
        wgs, gcj = from_lat_lng(point["wgs"], "wgs84"), from_lat_lng(point["gcj"], "gcj02")
        assert metres(to_gcj02(wgs), gcj) < 0.02, point["place"]
        assert metres(to_wgs84(gcj), wgs) < 0.02, point["place"]


def test_the_geodesic_is_near_the_published_spherical_distance(vectors: dict[str, Any]) -> None:
    known = vectors["distance"]
    a, b = from_lat_lng(known["a"], "wgs84"), from_lat_lng(known["b"], "wgs84")
    assert geodesic_m(a, b) == pytest.approx(known["metres"], rel=0.005)


@given(shifted_lat, shifted_lng, datums, datums)
def test_a_round_trip_through_any_datum_closes_within_a_centimetre(
    lat: float, lng: float, start: Datum, through: Datum
) -> None:
    place = Place(lat, lng, start)
    assert metres(convert(convert(place, through), start), place) < 0.01


@given(st.floats(22.0, 23.5), st.floats(104.9999, 105.0001))
def test_a_round_trip_closes_at_the_cusp_on_the_105th_meridian(lat: float, lng: float) -> None:
    place = Place(lat, lng, "wgs84")
    assert metres(to_wgs84(to_gcj02(place)), place) < 0.01


@given(anywhere, datums, datums)
def test_outside_the_shifted_box_all_datums_are_one(
    where: tuple[float, float], start: Datum, end: Datum
) -> None:
    lat, lng = where
    assume(not (0.8293 <= lat <= 55.8271 and 72.004 <= lng <= 137.8347))
    assert convert(Place(lat, lng, start), end) == Place(lat, lng, end)


@given(anywhere, datums, datums)
def test_no_place_on_earth_fails_to_convert(
    where: tuple[float, float], start: Datum, end: Datum
) -> None:
    place = Place(*where, start)
    assert metres(convert(place, end), place) < 3_000


def test_the_shift_in_dongguan_is_some_hundred_metres() -> None:
    assert 300 < metres(to_gcj02(DONGGUAN), DONGGUAN) < 800
    assert 500 < metres(to_bd09(DONGGUAN), DONGGUAN) < 2_000


def test_the_same_datum_gives_the_same_place() -> None:
    assert to_wgs84(DONGGUAN) is DONGGUAN


def test_one_point_written_in_two_datums_is_at_no_distance_from_itself() -> None:
    assert geodesic_m(to_gcj02(DONGGUAN), to_bd09(DONGGUAN)) < 0.01


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_place_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(PlaceNotFinite, match="finite"):
        Place(number, 113.7, "gcj02")
    with pytest.raises(PlaceNotFinite, match="finite"):
        Place(23.0, number, "gcj02")


@pytest.mark.parametrize(("lat", "lng"), [(90.01, 0), (-91, 0), (23, 180.01), (113.7, 23.0 - 400)])
def test_a_place_off_the_globe_is_refused(lat: float, lng: float) -> None:
    with pytest.raises(PlaceOutOfRange, match="degrees, not"):
        Place(lat, lng, "wgs84")


def test_an_unknown_datum_is_refused() -> None:
    with pytest.raises(UnknownDatum, match="wgs84, gcj02, bd09, not 'cgcs2000'"):
        Place(23.0, 113.0, "cgcs2000")  # type: ignore[arg-type]
    with pytest.raises(BadPlace):
        convert(DONGGUAN, "mars")  # type: ignore[arg-type]


# --- within a fence

distances = st.floats(0, 10_000)


@given(distances, st.floats(0, ACCURACY_WORST_M), st.floats(20, 5_000), st.floats(-1, 1))
def test_whoever_is_said_to_be_inside_is_wherever_in_her_circle_she_stands(
    distance: float, accuracy: float, fence: float, where: float
) -> None:
    really = abs(distance + where * accuracy)
    match presence(distance, accuracy, fence):
        case "inside":
            assert really <= fence * (1 + 1e-12)
        case "outside":
            assert really > fence * (1 - 1e-12)


@given(distances, st.floats(20, 5_000))
def test_a_phone_that_does_not_say_how_exact_it_is_counts_as_a_usual_one(
    distance: float, fence: float
) -> None:
    assert presence(distance, None, fence) == presence(distance, ACCURACY_UNSAID_M, fence)


@given(distances, st.floats(ACCURACY_WORST_M, 1e6, exclude_min=True), st.floats(20, 5_000))
def test_a_place_from_masts_says_nothing(distance: float, accuracy: float, fence: float) -> None:
    assert presence(distance, accuracy, fence) == "unsure"
