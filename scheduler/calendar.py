"""When a hall is open: its week, its own special days, national holidays, make-up working days.

Business time is Asia/Shanghai. A day is decided in this order:

1. a special day of the hall's own: exactly its openings, none meaning closed all day;
2. a national holiday: closed, whatever the week says;
3. a make-up working day, a Saturday or Sunday worked for a weekday off: that weekday's openings.
   `chinese_calendar` lists both by festival but does not join them: they are paired in date order
   where there are as many of one as of the other, else it is Friday's openings;
4. any other day: the openings of its weekday.

In years the calendar does not cover, the holidays that the law ties to a date are holidays all the
same: New Year (1 January), Labour Day (1 and 2 May) and National Day (1 to 3 October). Holidays by
the moon and make-up days are not known then, so only 1, these and 4 apply, and
`DayHours.calendar_known` is False.
A moment without a time zone raises `ValueError` everywhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import chinese_calendar

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
MIDNIGHT: Final = time(0)
FRIDAY: Final = 4
HORIZON: Final = timedelta(days=60)  # how far `next_open` looks
MOST_CACHED_DAYS: Final = 64
_LAST: Final = date.max.toordinal()

Spans = tuple["Span", ...]
DayKind = Literal["working", "weekend", "holiday", "makeup", "special"]


class BadTimetable(ValueError):
    """Opening hours that cannot be: ends before it starts, no such weekday, wrong date."""


def _check_hours(start: time, end: time) -> None:
    if start.tzinfo is not None or end.tzinfo is not None:
        raise BadTimetable("opening times are local to Asia/Shanghai and carry no time zone")
    if end != MIDNIGHT and end <= start:
        raise BadTimetable(f"an opening must end after it starts: {start} to {end}")


@dataclass(frozen=True, slots=True)
class Opening:
    """Hours of one weekday (0 Monday … 6 Sunday); end 00:00 is midnight at the day's end."""

    weekday: int
    start: time
    end: time

    def __post_init__(self) -> None:
        if self.weekday not in range(7):
            raise BadTimetable(f"weekday must be 0 (Monday) to 6 (Sunday), not {self.weekday}")
        _check_hours(self.start, self.end)


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A date on which the hall keeps these hours, whatever the week and the nation do."""

    date: date
    openings: tuple[tuple[time, time], ...] = ()  # none: closed all day
    reason: str = ""
    reason_en: str = ""

    def __post_init__(self) -> None:
        for start, end in self.openings:
            _check_hours(start, end)


class Span(NamedTuple):
    """Open from `start` until just before `end`, both aware in Asia/Shanghai."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Timetable:
    """A hall's week and its special days by date. Never changes: a new one replaces it.

    So it keeps the spans it has worked out, by day: nothing to invalidate, no hashing of a whole
    timetable on each question, and they go when it goes. Raises `BadTimetable`.
    """

    weekly: tuple[Opening, ...] = ()
    special: Mapping[date, SpecialDay] = field(default_factory=dict, hash=False)
    _spans: dict[date, Spans] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for day, special in self.special.items():
            if special.date != day:
                raise BadTimetable(f"the special day of {special.date} is filed under {day}")
        object.__setattr__(self, "weekly", tuple(self.weekly))
        object.__setattr__(self, "special", dict(self.special))  # a copy nobody else holds


@dataclass(frozen=True, slots=True)
class DayHours:
    """One day as citizens read it; named by its special reason, its holiday or what it makes up."""

    date: date
    spans: Spans
    kind: DayKind
    name_zh: str | None
    name_en: str | None
    calendar_known: bool


_HOLIDAYS: Final[Mapping[date, str]] = chinese_calendar.holidays  # names in English
_MADE_UP: Final[Mapping[date, str]] = chinese_calendar.workdays
_YEARS: Final = frozenset(day.year for day in _HOLIDAYS)
_CHINESE: Final[Mapping[str, str]] = {h.value: h.chinese for h in chinese_calendar.Holiday}
# What the law ties to a day of the year (State Council order 795): known before it is published.
_BY_LAW: Final[Mapping[tuple[int, int], str]] = {
    (1, 1): chinese_calendar.Holiday.new_years_day.value,
    **{(5, day): chinese_calendar.Holiday.labour_day.value for day in (1, 2)},
    **{(10, day): chinese_calendar.Holiday.national_day.value for day in (1, 2, 3)},
}


def _stand_ins(lieu: Mapping[date, str]) -> Iterator[tuple[date, int]]:
    """Say for each make-up day which weekday it works as."""
    for year, festival in {(day.year, festival) for day, festival in _MADE_UP.items()}:
        days = sorted(d for d, f in _MADE_UP.items() if (d.year, f) == (year, festival))
        off = sorted(d for d, f in lieu.items() if (d.year, f) == (year, festival))
        matched = len(off) == len(days)
        yield from ((day, off[i].weekday() if matched else FRIDAY) for i, day in enumerate(days))


_STANDS_IN_FOR: Final = dict(_stand_ins(chinese_calendar.in_lieu_days))


def year_is_covered(year: int) -> bool:
    """Tell whether the year's holidays and make-up days are known (published the autumn before)."""
    return year in _YEARS


def _holiday(day: date) -> str | None:
    """The holiday that it is, in English; of a year not covered those tied to a date alone."""
    if year_is_covered(day.year):
        return _HOLIDAYS.get(day)
    return _BY_LAW.get((day.month, day.day))


def business_day(at: datetime) -> date:
    """Give the date in Asia/Shanghai at that moment."""
    return _local(at).date()


def end_of_day(at: datetime) -> datetime:
    """Give the moment at which the business day of that moment ends."""
    return datetime.combine(business_day(at) + timedelta(days=1), time(), SHANGHAI)


def _local(at: datetime) -> datetime:
    if at.tzinfo is SHANGHAI:
        return at
    if at.tzinfo is None:
        raise ValueError(f"a moment needs a time zone: {at}")
    return at.astimezone(SHANGHAI)


def _kind(timetable: Timetable, day: date) -> DayKind:
    if day in timetable.special:
        return "special"
    if _holiday(day) is not None:
        return "holiday"
    if day in _MADE_UP:
        return "makeup"
    return "weekend" if day.weekday() > FRIDAY else "working"


def _hours(timetable: Timetable, day: date) -> Iterable[tuple[time, time]]:
    if day in timetable.special:
        return timetable.special[day].openings
    if _holiday(day) is not None:
        return ()
    weekday = _STANDS_IN_FOR.get(day, day.weekday())
    return [(o.start, o.end) for o in timetable.weekly if o.weekday == weekday]


def _span(day: date, start: time, end: time) -> Span:
    if end == MIDNIGHT and day < date.max:
        ends = datetime.combine(day + timedelta(days=1), end, SHANGHAI)
    else:  # no midnight follows 9999-12-31
        ends = datetime.combine(day, time.max if end == MIDNIGHT else end, SHANGHAI)
    return Span(datetime.combine(day, start, SHANGHAI), ends)


def _merged(spans: Iterable[Span]) -> Spans:
    """Put in order and join what overlaps or touches."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def open_spans(timetable: Timetable, day: date) -> Spans:
    """Give the spans in which the hall is open that day: in order, disjoint, not touching."""
    spans = timetable._spans.get(day)
    if spans is None:
        if len(timetable._spans) >= MOST_CACHED_DAYS:  # somebody is paging through the years
            timetable._spans.clear()
        spans = _merged(_span(day, start, end) for start, end in _hours(timetable, day))
        timetable._spans[day] = spans
    return spans


def _span_at(timetable: Timetable, at: datetime) -> Span | None:
    local = _local(at)
    for span in open_spans(timetable, local.date()):
        if span.start <= local < span.end:
            return span
    return None


def is_open(timetable: Timetable, at: datetime) -> bool:
    """Tell whether the hall is open at that moment."""
    return _span_at(timetable, at) is not None


def closes_at(timetable: Timetable, at: datetime) -> datetime | None:
    """Give when the span now open ends (midnight at the latest), or None while closed."""
    span = _span_at(timetable, at)
    return None if span is None else span.end


def last_close(timetable: Timetable, day: date) -> datetime | None:
    """Give when the hall closes for good that day, or None if it never opens."""
    spans = open_spans(timetable, day)
    return spans[-1].end if spans else None


def next_open(timetable: Timetable, at: datetime) -> datetime | None:
    """Give the first moment open, `at` itself if open then; None if not within 60 days."""
    local = _local(at)
    first = local.toordinal()
    for ordinal in range(first, min(first + HORIZON.days, date.max.toordinal()) + 1):
        for span in open_spans(timetable, date.fromordinal(ordinal)):
            if local < span.end:
                start = max(span.start, local)
                return start if start - local <= HORIZON else None
    return None


def _day_hours(timetable: Timetable, day: date) -> DayHours:
    en = _holiday(day) or _MADE_UP.get(day)
    zh = _CHINESE.get(en) if en else None
    special = timetable.special.get(day)
    if special is not None and special.reason:
        zh, en = special.reason, special.reason_en or None
    spans, kind = open_spans(timetable, day), _kind(timetable, day)
    return DayHours(day, spans, kind, zh, en, calendar_known=year_is_covered(day.year))


def hours_between(timetable: Timetable, first: date, last: date) -> list[DayHours]:
    """Give each day's hours, first and last included; the caller bounds how many."""
    days = map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))
    return [_day_hours(timetable, day) for day in days]


def uncovered_years(first: date, last: date) -> list[int]:
    """The years of these days, first and last included, whose holidays are not known yet.

    Their days are taken as the weekday has it but for holidays tied to a date: whoever plans on
    them is to be told.
    """
    return [year for year in range(first.year, last.year + 1) if not year_is_covered(year)]


def last_bookable(timetable: Timetable, today: date, working_days: int) -> date:
    """The last day that may be booked today: so many days ahead on which the hall opens.

    Today counts as none. Where the hall opens on fewer within 60 days, the last of these.
    """
    last = today
    for ordinal in range(today.toordinal() + 1, min(today.toordinal() + HORIZON.days, _LAST) + 1):
        if working_days <= 0:
            break
        if open_spans(timetable, day := date.fromordinal(ordinal)):
            last, working_days = day, working_days - 1
    return last


def spans_within(timetable: Timetable, line: Timetable | None, day: date) -> Spans:
    """When one of its lines is open that day: its own hours, but never while the hall is closed.

    A line without hours of its own (None) keeps the hall's. Its hours follow a make-up day's
    weekday as the hall's do; on a special day of the hall they only narrow what the hall said.
    """
    halls = open_spans(timetable, day)
    if line is None:
        return halls
    both = (
        Span(max(one.start, other.start), min(one.end, other.end))
        for one in halls
        for other in open_spans(line, day)
    )
    return tuple(span for span in both if span.start < span.end)


def cut_into(spans: Spans, length: timedelta) -> list[Span]:
    """The slots of one length that fit into these spans, each beginning where the last ended.

    What is left of a span at its end is no slot. Raises ValueError for a length of nothing.
    """
    if length <= timedelta(0):
        raise ValueError("a slot takes some time")
    return [
        Span(span.start + nth * length, span.start + (nth + 1) * length)
        for span in spans
        for nth in range((span.end - span.start) // length)
    ]
