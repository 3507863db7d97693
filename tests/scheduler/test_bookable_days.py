"""Which days may be booked, when a line is open on them, and into which slots they are cut."""

from datetime import date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.calendar import (
    SHANGHAI,
    Opening,
    SpecialDay,
    Timetable,
    cut_into,
    last_bookable,
    open_spans,
    spans_within,
    uncovered_years,
)
from tests.scheduler.test_calendar_properties import days, timetables

WEEK = Timetable(tuple(Opening(day, time(9), time(12)) for day in range(5)))
MONDAY = date(2026, 11, 23)


@given(timetables, days, st.integers(0, 30))
def test_the_last_day_is_so_many_openings_ahead(hall: Timetable, today: date, ahead: int) -> None:
    last = last_bookable(hall, today, ahead)
    opened = [
        day
        for day in (today + timedelta(nth) for nth in range(1, (last - today).days + 1))
        if open_spans(hall, day)
    ]
    assert len(opened) <= ahead
    assert last == (opened[-1] if opened else today)
    after = [
        day for day in (last + timedelta(nth) for nth in range(1, 61)) if open_spans(hall, day)
    ]
    if len(opened) < ahead:
        assert all((day - today).days > 60 for day in after)


@given(timetables, st.none() | timetables, days)
def test_a_line_is_open_only_while_its_hall_is(
    hall: Timetable, line: Timetable | None, day: date
) -> None:
    spans, halls = spans_within(hall, line, day), open_spans(hall, day)
    assert all(any(h.start <= s.start < s.end <= h.end for h in halls) for s in spans)
    assert all(before.end <= after.start for before, after in pairwise(spans))
    if line is None:
        assert spans == halls
    else:
        lines = open_spans(line, day)
        moments = [datetime.combine(day, time(hour, 7), SHANGHAI) for hour in range(24)]
        for at in moments:
            both = all(any(s.start <= at < s.end for s in each) for each in (halls, lines))
            assert both == any(s.start <= at < s.end for s in spans)


@given(timetables, days, st.integers(5, 240))
def test_slots_fill_each_opening_from_its_start(hall: Timetable, day: date, minutes: int) -> None:
    spans, length = open_spans(hall, day), timedelta(minutes=minutes)
    slots = cut_into(spans, length)
    assert all(slot.end - slot.start == length for slot in slots)
    assert all(before.end <= after.start for before, after in pairwise(slots))
    for span in spans:
        inside = [slot for slot in slots if span.start <= slot.start < span.end]
        assert len(inside) == (span.end - span.start) // length
        assert all(slot.end <= span.end for slot in inside)
        assert not inside or inside[0].start == span.start


def test_a_slot_of_no_length_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="some time"):
        cut_into(open_spans(WEEK, MONDAY), timedelta(0))


def test_weekends_and_holidays_do_not_count_as_ahead() -> None:
    assert last_bookable(WEEK, MONDAY, 5) == date(2026, 11, 30)
    new_year = date(2026, 2, 14)  # the last day before the Spring Festival, a Saturday made up
    assert last_bookable(WEEK, new_year, 1) == date(2026, 2, 24)


def test_closures_and_extra_openings_move_the_horizon() -> None:
    closed = SpecialDay(date(2026, 11, 24))
    extra = SpecialDay(date(2026, 11, 28), ((time(9), time(12)),))
    hall = Timetable(WEEK.weekly, {day.date: day for day in (closed, extra)})
    assert last_bookable(hall, MONDAY, 1) == date(2026, 11, 25)
    assert last_bookable(hall, MONDAY, 4) == date(2026, 11, 28)


def test_a_year_whose_holidays_are_not_published_is_told() -> None:
    assert uncovered_years(date(2026, 12, 30), date(2026, 12, 31)) == []
    assert uncovered_years(date(2026, 12, 30), date(2035, 1, 2))[-1] == 2035
