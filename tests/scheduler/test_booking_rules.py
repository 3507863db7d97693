"""What excuses who did not come, and how often one may book, whatever the rules are."""

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.booking import (
    LEAST_OUTAGE,
    BookingRules,
    check_in_times,
    counted_from,
    counted_until,
    excuses,
    used_up,
)
from scheduler.calendar import SHANGHAI

TEN = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
USUAL = BookingRules()
minutes = st.integers(-600, 600).map(lambda many: TEN + timedelta(minutes=many))
rules = st.builds(BookingRules, early_min=st.integers(0, 240), most_late_min=st.integers(0, 240))


def test_five_minutes_of_the_time_to_check_in_excuse_and_four_do_not() -> None:
    def at(hour: int, minute: int) -> datetime:
        return TEN.replace(hour=hour, minute=minute)

    assert check_in_times(TEN, USUAL) == (at(9, 0), at(10, 30))
    for since, until, excused in (
        (at(8, 0), at(9, 5), True),
        (at(8, 0), at(9, 4), False),
        (at(10, 25), None, True),
        (at(10, 26), None, False),
        (at(9, 40), at(9, 45), True),
        (at(10, 31), None, False),
        (at(8, 0), at(9, 0), False),
    ):
        assert excuses(since, until, TEN, USUAL) is excused, (since, until)


@given(minutes, st.none() | minutes, rules)
def test_it_excuses_only_by_what_lies_in_her_time(
    since: datetime, until: datetime | None, rules: BookingRules
) -> None:
    first, last = check_in_times(TEN, rules)
    excused = excuses(since, until, TEN, rules)
    if (until is not None and (until < first or until < since)) or since > last:
        assert not excused
    if since <= first and (until is None or until >= last):
        assert excused
    if excused:
        assert min(until or last, last) - max(since, first) >= min(LEAST_OUTAGE, last - first)
        assert excuses(since - timedelta(minutes=1), None, TEN, rules)


@given(
    st.dictionaries(st.dates(date(2026, 10, 1), date(2027, 1, 31)), st.integers(1, 4), max_size=9),
    st.integers(0, 6),
    st.integers(0, 9),
)
def test_a_day_is_used_up_when_its_week_or_month_is(
    booked: dict[date, int], per_week: int, per_month: int
) -> None:
    rules = BookingRules(book_per_week=per_week, book_per_month=per_month)
    days = [date(2026, 11, 23) + timedelta(days=nth) for nth in range(21)]
    within = {d: n for d, n in booked.items() if counted_from(days[0]) <= d}
    within = {d: n for d, n in within.items() if d <= counted_until(days[-1])}
    found = used_up(within, days, rules)
    for day in days:
        week = sum(n for d, n in booked.items() if d.isocalendar()[:2] == day.isocalendar()[:2])
        month = sum(n for d, n in booked.items() if (d.year, d.month) == (day.year, day.month))
        no_more = (per_week and week >= per_week) or (per_month and month >= per_month)
        assert (day in found) == bool(no_more)
