"""What happened in a hall, told to the predictor in its own words.

Told is the difference between what the predictor knows of the hall and what its rows say now. So
nothing is told twice, and what was missed while no worker ran comes with the next look.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from models.halls import CounterState
from models.tickets import TicketState
from scheduler.calendar import SHANGHAI
from scheduler.wait.events import Event, detail_of
from scheduler.wait.halls import Hall
from server.live.rows import HallRows, TicketRow
from server.live.state import BoardCounter

_AT_COUNTER: Final = frozenset({TicketState.CALLED, TicketState.SERVING})
_NOT_SERVED: Final = frozenset({TicketState.MISSED, TicketState.CANCELLED})
# Who joined longer ago than this, in minutes, was told nothing when she did.
_LATE: Final = 1.0
# Ranks are stored in microseconds; the predictor has them in minutes.
_SAME_RANK: Final = 1e-6


def minute_of_day(at: datetime) -> float:
    """Minutes since local midnight."""
    local = at.astimezone(SHANGHAI)
    return local.hour * 60 + local.minute + local.second / 60 + local.microsecond / 60e6


def day_of(at: datetime) -> int:
    """A number that rises by one from day to day."""
    return at.astimezone(SHANGHAI).toordinal()


def news(known: Hall, found: HallRows, now: datetime) -> list[Event]:
    """All that has happened in a hall today since `known` heard of it, in order of time."""
    day = day_of(now)
    telling = _Telling(known, day, now)
    telling.of_counters(found.counters, found.helps)
    today = [row for row in found.tickets.values() if day_of(row.issued_at) == day]
    for row in today:
        telling.of_ticket(row)
    telling.of_those_gone({str(row.id) for row in today})
    return sorted(telling.events, key=lambda event: event.t)


class _Telling:
    """The events of one look at a hall."""

    def __init__(self, known: Hall, day: int, now: datetime) -> None:
        self._code, self._day, self._now = known.code, day, minute_of_day(now)
        self._worked = known.known.worked
        self.events: list[Event] = []
        # By ticket: the line it waits in, its rank, and when it joined there in minutes of work.
        self._waiting = {
            ticket: (line, each.rank, each.issued) for (line, ticket), each in known.tickets.items()
        }
        # By ticket: the line that it was called from.
        self._served = {ticket: line for line, ticket in known.at_counter}
        self._seen = {ticket for _, ticket in known.seen}
        self._known = {code for code, each in known.counters.items() if each.came}
        self._open = {
            counter: detail_of(each.lines, each.helps)
            for counter, each in known.counters.items()
            if each.lines is not None
        }

    def of_counters(
        self, counters: Sequence[BoardCounter], helps: Mapping[str, Collection[str]]
    ) -> None:
        """Which are open, and for which lines, and which of these they only help."""
        is_open = {
            each.code: detail_of(each.lines, helps.get(each.code, ()))
            for each in counters
            if each.state == CounterState.OPEN
        }
        for counter in self._open.keys() - is_open.keys():
            self._tell("counter_close", self._now, counter=counter)
        for each in counters:
            # It was open today, though nobody listened: what it serves when it is back is known.
            if each.paused_until and each.lines and each.code not in self._known:
                lines = detail_of(each.lines, helps.get(each.code, ()))
                self._tell("counter_open", self._now, counter=each.code, detail=lines)
                self._tell("counter_close", self._now, counter=each.code)
        for counter, lines in is_open.items():
            if self._open.get(counter) != lines:
                self._tell("counter_open", self._now, counter=counter, detail=lines)

    def of_ticket(self, row: TicketRow) -> None:
        """Where a ticket is now."""
        if row.state in _AT_COUNTER:
            self._at_counter(row)
        elif row.state is TicketState.WAITING:
            self._in_line(row)
        else:
            self._over(row)

    def of_those_gone(self, here: set[str]) -> None:
        """Those of whom the hall has no row any more: they are over, or in another hall."""
        for ticket, (line, _, _) in self._waiting.items():
            if ticket not in here:
                self._tell("leave", self._now, line, ticket)
        for ticket, line in self._served.items():
            if ticket not in here:
                self._tell("finish", self._now, line, ticket)

    def _in_line(self, row: TicketRow) -> None:
        ticket, rank = str(row.id), minute_of_day(row.rank_time)
        if line := self._served.get(ticket):
            # Sent on to another line she was served here; else she had not come.
            self._tell("miss" if line == row.line else "finish", self._now, line, ticket)
        line, known_rank, _ = self._waiting.get(ticket, (None, 0.0, 0.0))
        # Who must check in first is passed over, so nobody waits for her.
        if line is not None and (line != row.line or row.away):
            self._tell("leave", self._now, line, ticket)
            line = None
        if row.away:
            return
        if line is None:
            self._join(row)
        elif abs(known_rank - rank) > _SAME_RANK:
            self._tell("rank", self._now, line, ticket, detail=f"rank@{rank!r}")

    def _at_counter(self, row: TicketRow) -> None:
        ticket = str(row.id)
        if ticket in self._served:
            return
        line, _, _ = self._waiting.get(ticket, (None, 0.0, 0.0))
        if line is not None and line != row.line:
            self._tell("leave", self._now, line, ticket)
            line = None
        if line is None:
            self._join(row)
        self._call(row)

    def _over(self, row: TicketRow) -> None:
        ticket = str(row.id)
        ended = minute_of_day(row.ended_at) if row.ended_at else self._now
        if line := self._served.get(ticket):
            self._end(row, line, ended)
        elif ticket in self._waiting:
            line, _, joined = self._waiting[ticket]
            if row.called_at is None or self._worked(minute_of_day(row.called_at)) < joined:
                self._tell("leave", ended, line, ticket)
            elif line == row.line:
                self._call(row)
                self._end(row, line, ended)
            else:
                self._tell("leave", ended, line, ticket)
        elif ticket not in self._seen and row.called_at is not None:
            self._join(row)
            self._call(row)
            self._end(row, row.line, ended)

    def _join(self, row: TicketRow) -> None:
        """She joins a line: as one who takes a number, or again."""
        ticket = str(row.id)
        joined = minute_of_day(row.checked_in_at or row.issued_at)
        marks = [f"rank@{minute_of_day(row.rank_time)!r}"]
        if row.appointment is not None:
            marks.append(f"appointment@{minute_of_day(row.appointment.slot_start)!r}")
        if row.priority_at is not None:
            marks.append("priority")
        again = ticket in self._seen or (
            row.called_at is not None and row.state is TicketState.WAITING
        )
        if again:
            marks.append("again")
        if again or self._now - joined > _LATE:
            marks.append("unscored")
            joined = self._now
        if row.called_at is not None and row.state is not TicketState.WAITING:
            joined = min(joined, minute_of_day(row.called_at))
        self._tell("issue", joined, row.line, ticket, detail=";".join(marks))

    def _call(self, row: TicketRow) -> None:
        called = minute_of_day(row.called_at) if row.called_at else self._now
        self._tell("call", called, row.line, str(row.id), counter=row.counter or "")

    def _end(self, row: TicketRow, line: str, ended: float) -> None:
        kind = "miss" if row.state in _NOT_SERVED else "finish"
        self._tell(kind, ended, line, str(row.id), counter=row.counter or "")

    def _tell(
        self,
        kind: str,
        t: float,
        line: str = "",
        ticket: str = "",
        *,
        counter: str = "",
        detail: str = "",
    ) -> None:
        event = Event(self._day, t, self._code, line, kind, ticket, counter, detail)
        self.events.append(event)
