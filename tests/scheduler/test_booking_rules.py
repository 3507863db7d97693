"""What excuses who did not come, whatever the hall's rules are."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.booking import LEAST_OUTAGE, BookingRules, check_in_times, excuses
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
