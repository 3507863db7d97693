"""Travel times that grow with the way, in the paces of a city."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.travel import (
    PACES,
    Pace,
    Travel,
    UnknownTravel,
    paces_with_roads,
    travel_times_s,
)

modes = st.sampled_from(list(PACES))


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


def test_a_city_of_rivers_takes_longer_every_way() -> None:
    hilly = paces_with_roads(1.62)
    assert hilly["drive"].road_factor == pytest.approx(1.62)
    for mode, pace in PACES.items():
        assert hilly[mode].road_factor == pytest.approx(pace.road_factor * 1.2)
        assert travel_times_s([0.0], mode, paces=hilly) == [pace.overhead_s]
