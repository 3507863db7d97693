"""What the product knows of a hall's day beyond what happened: hours, bookings, who comes."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from models.halls import CounterState
from models.tickets import TicketState
from scheduler.calendar import SHANGHAI, business_day, open_spans
from scheduler.capacity import USUAL_NO_SHOW, Cell
from scheduler.closing import let_go_at
from scheduler.wait.known import Known
from server.halls.directory import HallEntry
from server.live.rows import HallRows
from server.waits.hearing import minute_of_day

# The rate at which people who have booked there and then do not come.
NoShow = Callable[[Cell], float]

# Whoever took a number from afar and must check in first is there about so long afterwards; and if
# she is not, she may come at any moment.
USUAL_WAY: Final = timedelta(minutes=20)
ANY_MOMENT: Final = timedelta(minutes=5)
# A counter whose pause was to be over so long ago is not counted on any more.
LATE_BACK: Final = timedelta(minutes=15)
A_MINUTE: Final = timedelta(minutes=1)
_NONE: Final = timedelta(0)


def as_usual(_cell: Cell) -> float:
    """Where nobody has learned who stays away."""
    return USUAL_NO_SHOW


def known_of(hall: HallEntry, found: HallRows, now: datetime, no_show: NoShow = as_usual) -> Known:
    """What is known of the day."""
    spans = open_spans(hall.timetable, business_day(now))
    let_go = let_go_at(hall.timetable, business_day(now), hall.rules)
    bookings, rates = _booked(hall, found, now, no_show)
    return Known(
        open=tuple((minute_of_day(span.start), _end(span.end, span.start)) for span in spans),
        bookings=bookings,
        no_show=rates,
        coming=_coming(found, now),
        pauses=_pauses(found, now),
        help_after={
            line.code: float(line.help_after_min)
            for line in found.lines
            if line.help_after_min is not None
        },
        let_go=_end(let_go, spans[0].start) if let_go else None,
    )


def _booked(
    hall: HallEntry, found: HallRows, now: datetime, no_show: NoShow
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """The slots of those who have booked for today and are not here, and how many stay away.

    By line. Whoever is later than her hall's grace stands, if she comes at all, where anybody does
    who comes then: she is not awaited.
    """
    here = {row.appointment.id for row in found.tickets.values() if row.appointment}
    awaited_from = now - timedelta(minutes=hall.booking.grace_late_min)
    slots: defaultdict[str, list[float]] = defaultdict(list)
    rates: defaultdict[str, list[float]] = defaultdict(list)
    for row in found.booked:
        start = row.slot_start.astimezone(SHANGHAI)
        if row.id in here or start < awaited_from or start.date() != business_day(now):
            continue
        slots[row.line].append(minute_of_day(start))
        rates[row.line].append(no_show(Cell(hall.code, row.item, start.weekday(), start.hour)))
    return (
        {line: sorted(minutes) for line, minutes in slots.items()},
        {line: sum(found) / len(found) for line, found in rates.items()},
    )


def _pauses(found: HallRows, now: datetime) -> dict[str, list[tuple[float, float]]]:
    """Until when counters pause that said so.

    One that should be back is taken to be as late again as it is by now, and a minute: and for so
    long only as clerks are late. Then nobody knows when it goes on.
    """
    pauses = {}
    for counter in found.counters:
        if counter.state == CounterState.PAUSED and counter.paused_until is not None:
            late = now - counter.paused_until
            if late <= LATE_BACK:
                back = counter.paused_until if late < _NONE else now + late + A_MINUTE
                pauses[counter.code] = [(0.0, _end(back, now))]
    return pauses


def _coming(found: HallRows, now: datetime) -> dict[str, list[float]]:
    """When those arrive, by line, who have a number and have not checked in."""
    coming: dict[str, list[float]] = {}
    today = business_day(now)
    for row in found.tickets.values():
        if row.away and row.state is TicketState.WAITING and business_day(row.issued_at) == today:
            arrives = max(row.issued_at + USUAL_WAY, now + ANY_MOMENT)
            if business_day(arrives) == today:
                coming.setdefault(row.line, []).append(minute_of_day(arrives))
    return {line: sorted(minutes) for line, minutes in coming.items()}


def _end(end: datetime, start: datetime) -> float:
    """A span's end in minutes of its own day: midnight is the day's end."""
    over = end.astimezone(SHANGHAI).date() > start.astimezone(SHANGHAI).date()
    return minute_of_day(end) + 1440.0 * over
