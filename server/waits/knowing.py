"""What the product knows of a hall's day beyond what happened: hours, bookings, who comes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from models.tickets import TicketState
from scheduler.calendar import SHANGHAI, business_day, open_spans
from scheduler.wait.known import Known
from server.halls.directory import HallEntry
from server.live.rows import HallRows
from server.waits.hearing import minute_of_day

Bookings = Mapping[str, Sequence[datetime]]

# Whoever took a number from afar and must check in first is there about so long afterwards; and if
# she is not, she may come at any moment.
USUAL_WAY: Final = timedelta(minutes=20)
ANY_MOMENT: Final = timedelta(minutes=5)


def known_of(hall: HallEntry, found: HallRows, bookings: Bookings, now: datetime) -> Known:
    """What is known of the day. `bookings` are slots of today, by line, of who is not here yet."""
    spans = open_spans(hall.timetable, business_day(now))
    return Known(
        open=tuple((minute_of_day(span.start), _end(span.end, span.start)) for span in spans),
        bookings={line: sorted(map(minute_of_day, slots)) for line, slots in bookings.items()},
        coming=_coming(found, now),
        help_after={
            line.code: float(line.help_after_min)
            for line in found.lines
            if line.help_after_min is not None
        },
    )


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
