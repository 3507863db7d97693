"""Places of a slot: from counters, in parts, and how many more may book without too many coming."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.capacity import (
    Came,
    Cell,
    NoShows,
    Places,
    overbooking,
    overflow_chance,
    parts,
    places,
)

percents = st.integers(0, 100)
rates = st.floats(0.001, 0.6)


def test_three_counters_of_ten_minutes_give_half_an_hour_four_places_at_half_share() -> None:
    assert places(3, 10, 30, 50).capacity == 4
    assert places(1 / 3 + 1 / 3 + 1 / 3, 10, 30, 100).capacity == 3
    assert places(0.2, 30, 30, 50).capacity == 1  # somebody serves it, so it can be booked
    assert places(0, 10, 30, 50).capacity == places(3, 10, 30, 0).capacity == 0


@given(st.floats(0, 40), st.integers(1, 240), st.integers(5, 240), percents)
def test_more_counters_or_a_greater_share_never_make_fewer_places(
    counters: float, minutes: int, slot: int, share: int
) -> None:
    some = places(counters, minutes, slot, share).capacity
    assert places(counters + 1, minutes, slot, share).capacity >= some
    assert places(counters, minutes, slot, min(share + 10, 100)).capacity >= some
    assert some <= max(counters * slot / minutes + 1e-9, 1)


@given(st.integers(0, 500), percents, percents)
def test_parts_are_never_more_than_the_whole(capacity: int, elders: int, companies: int) -> None:
    found = parts(capacity, elders, companies)
    assert found == Places(capacity, found.elders, found.companies)
    assert found.elders >= 0
    assert found.companies >= 0
    assert found.elders + found.companies <= capacity


@pytest.mark.parametrize(
    "wrong", [(-1, 10, 30, 50), (1, 0, 30, 50), (1, 10, 0, 50), (1, 1, 1, 101)]
)
def test_what_cannot_be_is_refused(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="places"):
        places(*wrong)


@given(st.integers(1, 60), rates, percents, st.floats(0.0, 0.2))
def test_overbooking_stays_below_the_chance_and_takes_all_that_is_allowed(
    capacity: int, no_show: float, most: int, chance: float
) -> None:
    more = overbooking(capacity, no_show, most_percent=most, chance=chance)
    assert 0 <= more <= capacity * most // 100
    assert overflow_chance(capacity + more, capacity, no_show) <= chance or more == 0
    if more < capacity * most // 100:
        assert overflow_chance(capacity + more + 1, capacity, no_show) > chance


def test_the_chance_of_overflow_is_what_dice_say() -> None:
    dice = random.Random(7)
    computed = overflow_chance(23, 20, 0.15)
    overflowing = sum(sum(dice.random() >= 0.15 for _ in range(23)) > 20 for _ in range(20_000))
    assert overflowing / 20_000 == pytest.approx(computed, abs=0.015)
    assert overflow_chance(20, 20, 0.15) == 0
    assert overflow_chance(1, 0, 0.25) == pytest.approx(0.75)


def test_one_of_one_who_stayed_away_says_nearly_nothing() -> None:
    cell = Cell("dg-01", "a", 0, 9)
    assert NoShows({}).expected(cell) == pytest.approx(0.05)
    assert NoShows({cell: Came(1, 1)}).expected(cell) < 0.25
    assert NoShows({cell: Came(5_000, 1_500)}).expected(cell) == pytest.approx(0.3, abs=0.01)


def test_an_hour_without_evidence_has_the_rate_of_its_item_then_hall_then_city() -> None:
    seen = {Cell("dg-01", "a", 0, 9): Came(2_000, 800), Cell("dg-02", "b", 0, 9): Came(8_000, 80)}
    rates = NoShows(seen)
    same_item = rates.expected(Cell("dg-01", "a", 3, 15))
    same_hall = rates.expected(Cell("dg-01", "b", 0, 9))
    elsewhere = rates.expected(Cell("dg-03", "a", 0, 9))
    assert same_item == pytest.approx(0.4, abs=0.02)
    assert same_hall == pytest.approx(0.4, abs=0.02)
    assert elsewhere == pytest.approx(880 / 10_000, abs=0.01)


@given(
    st.dictionaries(
        st.builds(
            Cell,
            st.sampled_from("xy"),
            st.sampled_from("ab"),
            st.integers(0, 1),
            st.integers(9, 10),
        ),
        st.integers(0, 50).flatmap(lambda n: st.builds(Came, st.just(n), st.integers(0, n))),
    )
)
def test_rates_are_never_certain(seen: dict[Cell, Came]) -> None:
    rates = NoShows(seen)
    for cell in [*seen, Cell("z", "a", 0, 9)]:
        assert 0 < rates.expected(cell) < 1
