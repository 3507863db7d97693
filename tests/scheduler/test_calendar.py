"""A hall is open when its timetable and the nation's calendar say so, to the second."""

import copy
import pickle
from datetime import UTC, date, datetime, time, timedelta

import pytest

from scheduler.calendar import (
    SHANGHAI,
    BadTimetable,
    Opening,
    SpecialDay,
    Timetable,
    business_day,
    closes_at,
    hours_between,
    is_open,
    last_close,
    next_open,
    open_spans,
    year_is_covered,
)

NINE, NOON, TWO, FIVE, MIDNIGHT = time(9), time(12), time(14), time(17), time(0)
MONDAY = date(2026, 11, 23)


def a_week(*specials: SpecialDay, friday_ends: time = FIVE) -> Timetable:
    """Monday to Friday 9-12 and 14-17."""
    mornings = [Opening(day, NINE, NOON) for day in range(5)]
    afternoons = [Opening(day, TWO, FIVE if day < 4 else friday_ends) for day in range(5)]
    return Timetable((*mornings, *afternoons), {special.date: special for special in specials})


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=SHANGHAI)


def hours(timetable: Timetable, day: date) -> list[str]:
    return [f"{span.start:%H:%M}-{span.end:%H:%M}" for span in open_spans(timetable, day)]


def test_an_ordinary_monday_has_its_morning_and_its_afternoon() -> None:
    assert hours(a_week(), MONDAY) == ["09:00-12:00", "14:00-17:00"]
    assert open_spans(a_week(), MONDAY)[0].start.isoformat() == "2026-11-23T09:00:00+08:00"


def test_a_national_holiday_is_closed() -> None:
    assert hours(a_week(), date(2026, 10, 1)) == []


@pytest.mark.parametrize("day", [date(2026, 10, 10), date(2026, 2, 14)])
def test_a_make_up_saturday_is_open(day: date) -> None:
    assert day.weekday() == 5
    assert hours(a_week(), day) == ["09:00-12:00", "14:00-17:00"]


def test_an_ordinary_saturday_is_closed_unless_the_week_says_otherwise() -> None:
    saturday = date(2026, 11, 28)
    assert hours(a_week(), saturday) == []
    assert hours(Timetable((Opening(5, NINE, NOON),)), saturday) == ["09:00-12:00"]


def test_a_make_up_day_works_as_the_day_off_it_stands_in_for() -> None:
    # 2026: 14 and 28 February for Friday the 20th and Monday the 23rd.
    early_friday = a_week(friday_ends=time(15))
    assert hours(early_friday, date(2026, 2, 14)) == ["09:00-12:00", "14:00-15:00"]
    assert hours(early_friday, date(2026, 2, 28)) == ["09:00-12:00", "14:00-17:00"]


def test_a_make_up_day_with_no_day_off_to_its_name_works_as_a_friday() -> None:
    # The calendar gives two make-up days and three days in lieu for Spring Festival 2018.
    early_friday = a_week(friday_ends=time(15))
    assert hours(early_friday, date(2018, 2, 11)) == ["09:00-12:00", "14:00-15:00"]


def test_a_special_day_overrides_the_week() -> None:
    closed = SpecialDay(MONDAY, (), "系统升级")
    late = SpecialDay(MONDAY, ((NINE, time(20)),), "延时服务")
    assert hours(a_week(closed), MONDAY) == []
    assert hours(a_week(late), MONDAY) == ["09:00-20:00"]


def test_a_special_day_opens_on_a_national_holiday() -> None:
    duty = SpecialDay(date(2026, 10, 1), ((NINE, NOON),), "国庆值班")
    assert hours(a_week(duty), date(2026, 10, 1)) == ["09:00-12:00"]


def test_an_opening_may_last_until_midnight() -> None:
    late = Timetable((Opening(0, time(20), MIDNIGHT),))
    (span,) = open_spans(late, MONDAY)
    assert span.end == datetime(2026, 11, 24, tzinfo=SHANGHAI)
    assert is_open(late, at(MONDAY, 23, 59))
    assert not is_open(late, span.end)


def test_a_hall_that_never_closes_is_open_all_round() -> None:
    always = Timetable(tuple(Opening(day, MIDNIGHT, MIDNIGHT) for day in range(7)))
    assert open_spans(always, MONDAY)[0].end - open_spans(always, MONDAY)[0].start == timedelta(1)
    assert is_open(always, at(MONDAY, 0))
    assert is_open(always, at(MONDAY, 23, 59))


def test_overlapping_and_touching_openings_become_one_span() -> None:
    split = Timetable((Opening(0, NOON, FIVE), Opening(0, NINE, NOON), Opening(0, TWO, time(18))))
    assert hours(split, MONDAY) == ["09:00-18:00"]


def test_the_door_opens_on_the_minute_and_shuts_on_the_minute() -> None:
    assert not is_open(a_week(), at(MONDAY, 9) - timedelta(microseconds=1))
    assert is_open(a_week(), at(MONDAY, 9))
    assert is_open(a_week(), at(MONDAY, 12) - timedelta(microseconds=1))
    assert not is_open(a_week(), at(MONDAY, 12))


def test_the_zone_in_which_a_moment_is_told_does_not_matter() -> None:
    assert is_open(a_week(), datetime(2026, 11, 23, 1, 0, tzinfo=UTC))
    assert not is_open(a_week(), datetime(2026, 11, 23, 9, 0, tzinfo=UTC))
    assert business_day(datetime(2026, 11, 22, 16, 0, tzinfo=UTC)) == MONDAY
    assert business_day(datetime(2026, 11, 22, 15, 59, tzinfo=UTC)) == date(2026, 11, 22)


def test_a_moment_without_a_zone_is_refused() -> None:
    for ask in (is_open, closes_at, next_open):
        with pytest.raises(ValueError, match="time zone"):
            ask(a_week(), datetime(2026, 11, 23, 9))
    with pytest.raises(ValueError, match="time zone"):
        business_day(datetime(2026, 11, 23, 9))


def test_it_closes_for_lunch_and_then_for_the_day() -> None:
    assert closes_at(a_week(), at(MONDAY, 10)) == at(MONDAY, 12)
    assert closes_at(a_week(), at(MONDAY, 13)) is None
    assert last_close(a_week(), MONDAY) == at(MONDAY, 17)
    assert last_close(a_week(), date(2026, 10, 1)) is None


def test_the_next_opening_skips_lunch_nights_weekends_and_holidays() -> None:
    assert next_open(a_week(), at(MONDAY, 10)) == at(MONDAY, 10)
    assert next_open(a_week(), at(MONDAY, 12)) == at(MONDAY, 14)
    assert next_open(a_week(), at(date(2026, 11, 27), 17)) == at(date(2026, 11, 30), 9)
    assert next_open(a_week(), at(date(2026, 9, 30), 18)) == at(date(2026, 10, 8), 9)


def test_a_hall_that_stays_shut_for_sixty_days_has_no_next_opening() -> None:
    assert next_open(Timetable(), at(MONDAY, 9)) is None
    far = Timetable((), {(d := MONDAY + timedelta(60)): SpecialDay(d, ((NINE, NOON),))})
    assert next_open(far, at(MONDAY, 9)) == at(d, 9)
    assert next_open(far, at(MONDAY, 8, 59)) is None


def test_each_day_says_what_kind_of_day_it_is_and_why() -> None:
    repair = SpecialDay(date(2026, 10, 12), (), "设备检修", "Maintenance")
    told = hours_between(a_week(repair), date(2026, 10, 7), date(2026, 10, 12))
    assert [(day.date.day, day.kind, day.name_zh, day.name_en) for day in told] == [
        (7, "holiday", "国庆节", "National Day"),
        (8, "working", None, None),
        (9, "working", None, None),
        (10, "makeup", "国庆节", "National Day"),
        (11, "weekend", None, None),
        (12, "special", "设备检修", "Maintenance"),
    ]
    assert all(day.calendar_known for day in told)


def test_a_special_day_without_a_reason_keeps_the_name_of_the_holiday() -> None:
    duty = SpecialDay(date(2026, 10, 1), ((NINE, NOON),))
    (told,) = hours_between(a_week(duty), duty.date, duty.date)
    assert (told.kind, told.name_zh, told.name_en) == ("special", "国庆节", "National Day")


def test_days_told_backwards_are_none() -> None:
    assert hours_between(a_week(), MONDAY, MONDAY - timedelta(1)) == []


@pytest.mark.parametrize(
    "day", [date(2099, 10, 5), date(2027, 2, 8), date(1850, 10, 4), date(1, 1, 2), date.max]
)
def test_beyond_the_calendar_a_plain_week_holds_and_says_so(day: date) -> None:
    always = Timetable(tuple(Opening(weekday, NINE, MIDNIGHT) for weekday in range(7)))
    (told,) = hours_between(always, day, day)
    assert told.kind == ("weekend" if day.weekday() > 4 else "working")
    assert len(told.spans) == 1
    assert not told.calendar_known
    assert next_open(always, told.spans[0].start) == told.spans[0].start


@pytest.mark.parametrize(
    ("month", "first", "last", "name"),
    [(1, 1, 1, "New Year's Day"), (5, 1, 2, "Labour Day"), (10, 1, 3, "National Day")],
)
def test_what_the_law_ties_to_a_date_is_a_holiday_before_it_is_published(
    month: int, first: int, last: int, name: str
) -> None:
    assert not year_is_covered(2099)
    for day in hours_between(a_week(), date(2099, month, first), date(2099, month, last)):
        assert (day.kind, day.name_en, day.spans) == ("holiday", name, ())
        assert day.name_zh
        assert not day.calendar_known
    duty = SpecialDay(date(2099, month, first), ((NINE, NOON),))
    assert open_spans(a_week(duty), duty.date)


def test_in_a_year_that_is_covered_what_was_published_holds() -> None:
    for day in (date(2021, 1, 4), date(2026, 10, 8)):
        (told,) = hours_between(a_week(), day, day)
        assert told.kind == "working"


def test_the_calendar_covers_this_year_and_not_the_far_future() -> None:
    assert year_is_covered(2026)
    assert not year_is_covered(2099)
    assert not year_is_covered(1999)


@pytest.mark.parametrize("weekday", [-1, 7])
def test_a_weekday_there_is_not_is_refused(weekday: int) -> None:
    with pytest.raises(BadTimetable, match="weekday"):
        Opening(weekday, NINE, NOON)


def test_an_opening_that_ends_before_it_starts_is_refused() -> None:
    for start, end in ((NOON, NINE), (NINE, NINE)):
        with pytest.raises(BadTimetable, match="must end after"):
            Opening(0, start, end)
        with pytest.raises(BadTimetable, match="must end after"):
            SpecialDay(MONDAY, ((start, end),))


def test_an_opening_with_a_time_zone_is_refused() -> None:
    with pytest.raises(BadTimetable, match="no time zone"):
        Opening(0, time(9, tzinfo=UTC), NOON)


def test_a_special_day_under_the_wrong_date_is_refused() -> None:
    with pytest.raises(BadTimetable, match="filed under"):
        Timetable((), {MONDAY: SpecialDay(date(2026, 11, 24))})


def test_a_timetable_is_a_value() -> None:
    closed = SpecialDay(MONDAY)
    one, other = a_week(closed), a_week(closed)
    open_spans(one, MONDAY)
    assert (one, hash(one)) == (other, hash(other))
    assert one != a_week()
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one


def test_changing_the_mapping_afterwards_changes_nothing() -> None:
    specials = {MONDAY: SpecialDay(MONDAY)}
    timetable = Timetable(a_week().weekly, specials)
    specials.clear()
    assert hours(timetable, MONDAY) == []


def test_paging_through_the_years_does_not_fill_the_memory() -> None:
    timetable = a_week()
    hours_between(timetable, date(2000, 1, 1), date(2030, 12, 31))
    assert len(timetable._spans) <= 64
