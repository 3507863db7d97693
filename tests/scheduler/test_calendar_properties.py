"""Whatever the timetable and the moment: spans, open, next opening and days told agree."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scheduler.calendar import (
    SHANGHAI,
    Opening,
    Span,
    SpecialDay,
    Timetable,
    business_day,
    closes_at,
    hours_between,
    is_open,
    next_open,
    open_spans,
    year_is_covered,
)

MIDNIGHT = time(0)

times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
pairs = st.tuples(times, times | st.just(MIDNIGHT)).filter(
    lambda pair: pair[1] == MIDNIGHT or pair[0] < pair[1]
)
days = st.dates(date(2024, 1, 1), date(2029, 12, 31))
moments = st.datetimes(datetime(2024, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC))
openings = st.builds(lambda day, pair: Opening(day, *pair), st.integers(0, 6), pairs)
special_days = st.builds(SpecialDay, days, st.lists(pairs, max_size=3).map(tuple))
timetables = st.builds(
    lambda week, specials: Timetable(tuple(week), {s.date: s for s in specials}),
    st.lists(openings, max_size=12),
    st.lists(special_days, max_size=4),
)


def spans_of(timetable: Timetable, day: date) -> list[Span]:
    """All spans around a day, so that a moment near midnight finds its own."""
    around = (day + timedelta(shift) for shift in (-1, 0, 1))
    return [span for each in around for span in open_spans(timetable, each)]


@given(timetables, days)
def test_spans_are_in_order_disjoint_and_within_their_day(timetable: Timetable, day: date) -> None:
    spans = open_spans(timetable, day)
    assert all(span.start < span.end for span in spans)
    assert all(before.end < after.start for before, after in pairwise(spans))
    midnight = datetime.combine(day, MIDNIGHT, SHANGHAI)
    assert all(midnight <= s.start and s.end <= midnight + timedelta(1) for s in spans)
    assert all(edge.tzinfo is SHANGHAI for span in spans for edge in span)


@given(timetables, moments)
def test_open_means_inside_a_span(timetable: Timetable, moment: datetime) -> None:
    inside = [s for s in spans_of(timetable, business_day(moment)) if s.start <= moment < s.end]
    assert is_open(timetable, moment) == bool(inside)
    assert closes_at(timetable, moment) == (inside[0].end if inside else None)


@given(timetables, moments)
def test_the_next_opening_is_open_and_nothing_before_it_is(
    timetable: Timetable, moment: datetime
) -> None:
    found = next_open(timetable, moment)
    until = moment + timedelta(60) if found is None else found
    first, last = business_day(moment), business_day(until)
    spans = [s for day in hours_between(timetable, first, last) for s in day.spans]
    assert not any(max(s.start, moment) < min(s.end, until) for s in spans)
    if found is not None:
        assert moment <= found <= moment + timedelta(60)
        assert is_open(timetable, found)


@given(timetables, days, st.integers(0, 60))
def test_days_are_told_one_by_one_without_gaps(timetable: Timetable, day: date, count: int) -> None:
    told = hours_between(timetable, day, day + timedelta(count))
    assert [each.date for each in told] == [day + timedelta(i) for i in range(count + 1)]
    assert [each.spans for each in told] == [open_spans(timetable, each.date) for each in told]
    assert all(each.calendar_known == year_is_covered(each.date.year) for each in told)
    assert all(not each.spans for each in told if each.kind == "holiday")
