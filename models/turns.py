"""Whether everybody was called in her turn, seen by following all events of a day. Pure."""

from bisect import bisect_left, insort
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.faults import SAME_MOMENT
from models.history import BACK_IN_LINE, is_told_anew
from scheduler.calendar import business_day


@dataclass(frozen=True, slots=True)
class _Place:
    line: UUID
    rank: datetime
    # From when on she stood there, and for which counter alone.
    since: datetime
    held_for: UUID | None = None
    # At which hall, and whether she must check in there before she is called.
    hall: UUID | None = None
    away: bool = False


class Turns:
    """Follows events in the order of their ids, which in one hall is that of its decisions.

    It holds the places of one day: nobody of another day is called.
    """

    def __init__(self) -> None:
        self._day: date | None = None
        self._places: dict[UUID, _Place] = {}
        self._lines: dict[UUID, list[tuple[datetime, UUID]]] = {}

    def passed_over(self, event: Any) -> UUID | None:
        """Take the next event; who was ahead in the line when it called somebody else, if any."""
        day = business_day(event["at"])
        if day != self._day:
            self._day, self._places, self._lines = day, {}, {}
        ticket: UUID = event["ticket_id"]
        before = self._places.get(ticket)
        ahead = self._ahead(before, ticket, event) if event["move"] == "call" and before else None
        if before is not None:
            self._leave(ticket, before)
        after = _after(before, event)
        if after is not None:
            self._places[ticket] = after
            if event["state"] == "waiting":
                insort(self._lines.setdefault(after.line, []), (after.rank, ticket))
        return ahead

    def _ahead(self, called: _Place, ticket: UUID, event: Any) -> UUID | None:
        line = self._lines.get(called.line, [])
        for _, other in line[: bisect_left(line, (called.rank, ticket))]:
            place = self._places[other]
            mine = not place.away and place.held_for in {None, event["counter_id"]}
            if mine and event["at"] - place.since > SAME_MOMENT:
                return other
        return None

    def _leave(self, ticket: UUID, place: _Place) -> None:
        line = self._lines.get(place.line, [])
        at = bisect_left(line, (place.rank, ticket))
        if at < len(line) and line[at] == (place.rank, ticket):
            del line[at]


def _after(before: _Place | None, event: Any) -> _Place | None:
    """Where she stands, or stood last, after an event; None when that is not known."""
    line, rank, held_for = event["line_id"], event["rank_time"], event["held_for"]
    hall, here = event["hall_id"], event["here"]
    if before is None:
        if not line or not rank:
            return None
        return _Place(line, rank, event["at"], held_for, hall, here is False)
    away = before.away
    if before.hall is None or is_told_anew(here, hall, before.hall):
        away = here is False
    if event["state"] == "waiting" and not line and not rank and away == before.away:
        return before
    # Whoever does not wait now comes back into the line at a later moment.
    kept = held_for if event["move"] in BACK_IN_LINE else before.held_for
    return _Place(line or before.line, rank or before.rank, event["at"], kept, hall, away)
