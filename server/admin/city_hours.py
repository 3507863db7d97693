"""When the halls of a city are open, as its files tell it: the week and the special days."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time

from server.admin.city_tables import Row, Table

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # as date.weekday() counts
EVERY_HALL = "*"


@dataclass(frozen=True, slots=True)
class OpeningFile:
    """A stretch of one weekday (Monday is 0) in which the hall is open."""

    weekday: int
    opens: time
    closes: time
    note: str


@dataclass(frozen=True, slots=True)
class SpecialDayFile:
    """A date unlike others: closed all day when the times are None, else open at these times."""

    date: date
    opens: time | None
    closes: time | None
    reason: str


Span = tuple[time, time]


class _Agenda:
    """Which rows already fill a day of a hall, so that two rows never contradict each other."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, object], list[tuple[Span | None, int]]] = defaultdict(list)

    def add(self, row: Row, hall: str, day: int | date, span: Span | None) -> None:
        for other, number in self._days[hall, day]:
            if span is None or other is None:
                row.wrong(
                    "from",
                    f"与第{number}行矛盾：同一天不能既全天关闭又开放",
                    f"contradicts row {number}: closed all day stands alone",
                )
            elif span[0] < other[1] and other[0] < span[1]:
                row.wrong("from", f"与第{number}行的时间重叠", f"overlaps row {number}")
        self._days[hall, day].append((span, row.number))


def _span(row: Row) -> Span | None:
    """From and to; None is closed all day (or wrong, and the row is spoiled)."""
    opens, closes = row.clock("from"), row.clock("to")
    if opens is not None and closes is not None:
        if opens < closes:
            return opens, closes
        row.wrong("to", "结束时间应晚于开始时间", "must be later than from")
    elif bool(row.cells["from"]) != bool(row.cells["to"]):
        row.wrong("from", "from 和 to 应同时填写或同时留空", "give both from and to, or neither")
    return None


def _weekdays(row: Row) -> tuple[int, ...]:
    """`mon-fri`, `sat`, `mon,wed` and mixtures, as weekday numbers."""
    days = row.plain("days")
    found: list[int] = []
    for part in days.lower().split(",") if days else ():
        ends = [end.strip() for end in part.split("-")]
        if len(ends) > 2 or not all(end in WEEKDAYS for end in ends):
            row.wrong(
                "days",
                f"“{part}”不对，应如 mon-fri、sat 或 mon,wed",
                f"{part!r} is not like mon-fri, sat or mon,wed",
            )
            continue
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        if first > last:
            row.wrong("days", f"“{part}”次序颠倒", f"{part!r} runs backwards")
        found.extend(range(first, last + 1))
    if len(set(found)) < len(found):
        row.wrong("days", "同一天写了两次", "a day stands twice")
    return tuple(dict.fromkeys(found))


Openings = Mapping[str, Mapping[int, Sequence[OpeningFile]]]
SpecialDays = Mapping[str, Mapping[date, Sequence[SpecialDayFile]]]


def read_hours(table: Table, halls: Sequence[str] | None) -> Openings:
    """Weekly hours by hall (`*` too) and weekday; a weekday with an empty list is closed."""
    found: dict[str, dict[int, list[OpeningFile]]] = defaultdict(lambda: defaultdict(list))
    agenda = _Agenda()
    for row in table.rows:
        hall = row.refer("hall", None if halls is None else (EVERY_HALL, *halls), "halls.csv")
        weekdays, span = _weekdays(row), _span(row)
        note = row.text("note", 200, may_be_empty=True)
        if row.spoiled:
            continue
        for weekday in weekdays:
            agenda.add(row, hall, weekday, span)
            day = found[hall][weekday]
            if span is not None:
                day.append(OpeningFile(weekday, *span, note))
    return found


def read_special_days(table: Table, halls: Sequence[str] | None) -> SpecialDays:
    """Special dates by hall (`*` too) and date."""
    found: dict[str, dict[date, list[SpecialDayFile]]] = defaultdict(lambda: defaultdict(list))
    agenda = _Agenda()
    for row in table.rows:
        hall = row.refer("hall", None if halls is None else (EVERY_HALL, *halls), "halls.csv")
        day, span, reason = row.day("date"), _span(row), row.text("reason", 200)
        if row.spoiled:
            continue
        agenda.add(row, hall, day, span)
        opens, closes = span or (None, None)
        found[hall][day].append(SpecialDayFile(day, opens, closes, reason))
    return found


def openings_of(openings: Openings, hall: str) -> tuple[OpeningFile, ...]:
    """A hall's week: what it says of a weekday stands in place of what is said for all halls."""
    week = {**openings.get(EVERY_HALL, {}), **openings.get(hall, {})}
    return tuple(
        opening for day in sorted(week) for opening in sorted(week[day], key=lambda one: one.opens)
    )


def special_days_of(days: SpecialDays, hall: str) -> tuple[SpecialDayFile, ...]:
    """A hall's special days: its own word on a date stands in place of the word for all halls."""
    dates = {**days.get(EVERY_HALL, {}), **days.get(hall, {})}
    return tuple(
        special
        for day in sorted(dates)
        for special in sorted(dates[day], key=lambda one: one.opens or time.min)
    )
