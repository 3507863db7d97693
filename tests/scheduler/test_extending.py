"""When longer hours are proposed: only where more want to come than fit, and by enough."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.extending import MOST_LONGER_MIN, DayWanted, propose

MONDAY = date(2026, 11, 2)
WEEK = {0, 1, 2, 3, 4}


def weeks(
    *, booked: float, serves: float = 30, unmet: float = 0, weekday: int = 0
) -> list[DayWanted]:
    """Four of one weekday, each alike."""
    first = MONDAY + timedelta(days=weekday)
    return [DayWanted(first + timedelta(weeks=n), serves, booked, unmet, 5) for n in range(4)]


def test_nothing_is_proposed_where_all_fit() -> None:
    days = weeks(booked=20) + weeks(booked=25, weekday=1)
    assert propose(days, counters=2, minutes=10, opens=WEEK) == []


def test_a_weekday_that_is_always_too_short_is_made_longer_by_what_is_missing() -> None:
    [found] = propose(weeks(booked=28, unmet=5), counters=2, minutes=10, opens=WEEK)
    # 38 want to come, 30 fit: eight more take two counters forty minutes, in half hours sixty.
    assert (found.kind, found.weekday, found.minutes) == ("longer", 0, 60)
    assert (found.days, found.days_over, found.short) == (4, 4, 8)
    assert (found.booked, found.unmet, found.walk_ins, found.serves) == (28, 5, 5, 30)
    assert found.would_serve == 8


def test_one_busy_day_of_four_changes_no_hours() -> None:
    days = weeks(booked=20)
    days[0] = DayWanted(days[0].day, 30, 60, 9, 5)
    assert propose(days, counters=2, minutes=10, opens=WEEK) == []


def test_what_longer_days_cannot_take_is_proposed_for_saturday() -> None:
    days = weeks(booked=60, unmet=20) + weeks(booked=60, unmet=20, weekday=3)
    monday, thursday, weekend = propose(days, counters=2, minutes=10, opens=WEEK)
    assert monday.minutes == thursday.minutes == MOST_LONGER_MIN
    # 55 too many on each of two days, of which two hours take 24: 62 are left for a Saturday.
    assert (weekend.kind, weekend.weekday, weekend.short) == ("weekend", 5, 62)
    assert weekend.minutes == 330
    assert propose(days, counters=2, minutes=10, opens=WEEK | {5})[-1].weekday == 6
    assert [one.kind for one in propose(days, counters=2, minutes=10, opens=range(7))] == [
        "longer",
        "longer",
    ]


def test_a_line_without_counters_is_proposed_nothing() -> None:
    assert propose(weeks(booked=99), counters=0, minutes=10, opens=WEEK) == []
    assert propose([], counters=2, minutes=10, opens=WEEK) == []


amounts = st.floats(0, 300)


@given(
    st.lists(st.tuples(st.integers(0, 27), amounts, amounts, amounts, amounts), max_size=30),
    st.floats(0.1, 12),
    st.floats(1, 90),
)
def test_proposals_are_bounded_in_whole_half_hours_and_rest_on_days_over(
    days: list[tuple[int, float, float, float, float]], counters: float, minutes: float
) -> None:
    wanted = [DayWanted(MONDAY + timedelta(days=nth), *rest) for nth, *rest in days]
    found = propose(wanted, counters=counters, minutes=minutes, opens=WEEK)
    for one in found:
        assert one.minutes % 30 == 0
        assert 0 < one.minutes <= 480
        assert 0 < one.days_over <= one.days <= len(wanted)
        assert one.would_serve <= one.short
    assert sum(one.kind == "weekend" for one in found) <= 1
