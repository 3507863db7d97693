"""Makes a hall's live state of its rows, and a ticket's view of its row."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec.structs import asdict, replace

from models.halls import LineState
from models.tickets import Priority, TicketState
from scheduler.calendar import SHANGHAI
from scheduler.closing import state_at
from server.halls.directory import HallEntry
from server.live.foreseen import NOTHING_FORESEEN, HallWaits
from server.live.lines import Outlook, live_line
from server.live.reasons import Words, line_stopped, reason_of
from server.live.rows import HallRows, TicketRow
from server.live.state import (
    BetterHall,
    Board,
    BoardCounter,
    Call,
    LiveHall,
    LiveTicket,
    OfAppointment,
    PriorityView,
    TakenFor,
    TicketView,
)

AT_COUNTER: Final[Mapping[TicketState, Literal["called", "serving"]]] = {
    TicketState.CALLED: "called",
    TicketState.SERVING: "serving",
}
NOBODY: Final[Mapping[UUID, BetterHall]] = MappingProxyType({})
_decode_taken_for = msgspec.json.Decoder(TakenFor).decode
_decode_booked = msgspec.json.Decoder(OfAppointment).decode


def live_hall(
    hall: HallEntry,
    found: HallRows,
    last: LiveHall | None,
    *,
    now: datetime,
    version: int,
    outlook: Mapping[str, Outlook] | None = None,
    waits: HallWaits = NOTHING_FORESEEN,
    better: Mapping[UUID, BetterHall] = NOBODY,
) -> LiveHall:
    """The live state of a hall as its rows tell.

    `version` is used when something that can be seen differs from `last`; else `last`'s stands.
    `outlook` is what is known of how many numbers its lines can still give, `waits` what is
    foreseen, `better` the halls where some tickets would have their turn earlier.
    """
    local = shown(now)
    tickets = sorted(found.tickets.values(), key=lambda row: (row.rank_time, row.id))
    if last is not None:
        version = max(version, last.version + 1)
    in_line = [ticket for ticket in tickets if ticket.state is TicketState.WAITING]
    waiting = Counter(ticket.line for ticket in in_line)
    away = Counter(ticket.line for ticket in in_line if ticket.away)
    called = Counter(ticket.line for ticket in tickets if ticket.state is TicketState.CALLED)
    state, resumes_at = state_at(hall.timetable, now)
    board = Board(
        hall=hall.code,
        name=hall.name,
        name_en=hall.name_en,
        version=version,
        as_of=local,
        counters=tuple(map(_counter, found.counters)),
        called=_called(tickets),
        lines=tuple(
            live_line(
                line,
                waiting[line.code],
                away[line.code],
                called=called[line.code],
                outlook=outlook or {},
                on_arrival=() if state == "closed" else waits.arrivals.get(line.code, ()),
                now=now,
            )
            for line in found.lines
        ),
        state=state,
        resumes_at=resumes_at,
        announcements=tuple(
            replace(one, until=one.until.astimezone(SHANGHAI)) for one in found.announcements
        ),
    )
    stopped = {
        line.code: (line.reason, line.reason_en)
        for line in found.lines
        if line.state == LineState.STOPPED
    }
    live = LiveHall(
        board,
        _tickets(hall.code, tickets, last, version, stopped=stopped, waits=waits, better=better),
    )
    return live if last is None or _differs(live, last) else _as_of(last, local)


def _counter(counter: BoardCounter) -> BoardCounter:
    until = counter.paused_until
    return counter if until is None else replace(counter, paused_until=shown(until))


def _tickets(
    hall: str,
    found: Sequence[TicketRow],
    last: LiveHall | None,
    version: int,
    *,
    stopped: Mapping[str, Words],
    waits: HallWaits,
    better: Mapping[UUID, BetterHall],
) -> tuple[LiveTicket, ...]:
    """Tickets in rank order; a view that looks as it did keeps its version.

    `stopped` are the words of the lines that are, `waits` what is foreseen.
    """
    known = {ticket.view.id: ticket for ticket in last.tickets} if last else {}
    ahead: Counter[str] = Counter()
    live = []
    for row in found:
        in_line = row.state is TicketState.WAITING
        place = ahead[row.line] if in_line else None
        ahead[row.line] += in_line and not row.away
        before = known.get(row.id)
        words = stopped.get(row.line) if in_line else None
        wait = waits.tickets.get(row.id) if in_line else None
        leave = waits.leaves.get(row.id) if row.way else None
        other = better.get(row.id) if leave else None
        if before and before.row_version == row.version and _tells(before.view, words):
            was = before.view
            if (was.ahead, was.wait, was.leave, was.better_hall) != (place, wait, leave, other):
                # Only others have moved: most of a long line, at each call.
                moved = replace(
                    was, ahead=place, wait=wait, leave=leave, better_hall=other, version=version
                )
                before = LiveTicket(moved, before.citizen, before.row_version, before.acting)
            live.append(before)
        else:
            view = _view(row, hall, place, version, words)
            view = replace(view, wait=wait, leave=leave, better_hall=other)
            live.append(LiveTicket(view, row.citizen_id, row.version, row.acting_id))
    return tuple(live)


def _tells(view: TicketView, stopped: Words | None) -> bool:
    """Whether a view tells that its line is stopped as it is now, or not stopped."""
    if stopped is None:
        return view.reason != "line_stopped"
    return (view.reason, view.reason_text, view.reason_text_en) == ("line_stopped", *stopped)


def _view(
    row: TicketRow, hall: str, ahead: int | None, version: int, stopped: Words | None
) -> TicketView:
    why = reason_of(
        row.state,
        hall,
        day_ended=bool(row.day_ended),
        stopped=stopped,
        sent_from=row.sent_from,
    )
    return TicketView(
        **asdict(why),
        id=row.id,
        number=row.number,
        state=row.state,
        hall=hall,
        line=row.line,
        item=row.item,
        issued_at=shown(row.issued_at),
        called_at=shown(row.called_at) if row.called_at else None,
        ahead=ahead,
        wait=None,
        counter=row.counter,
        version=version,
        taken_for=row.taken_for,
        recalls=row.recalls,
        priority=priority_view(row.priority, row.priority_at),
        name=row.shown_as,
        visit=row.visit_id,
        next_ticket=row.next_ticket,
        checked_in_at=shown(row.checked_in_at) if row.checked_in_at else None,
        check_in_required=row.away and row.state is TicketState.WAITING,
        appointment=_of_appointment(row.appointment),
    )


def ticket_view(row: Any, *, hall: str, ahead: int | None) -> TicketView:
    """A ticket of a `VIEW_ONE` row as its holder sees it; the version is the row's own.

    A step that somebody has just made tells no `day_ended`, nor what came after: neither has been.
    """
    called_at, checked_in_at = row["called_at"], row["checked_in_at"]
    why = reason_of(
        TicketState(row["state"]),
        hall,
        day_ended=bool(row.get("day_ended")),
        stopped=line_stopped(row),
        sent_from=row["sent_from"],
    )
    return TicketView(
        **asdict(why),
        id=row["id"],
        number=row["number"],
        state=TicketState(row["state"]),
        hall=hall,
        line=row["line"],
        item=row["item"],
        issued_at=shown(row["issued_at"]),
        called_at=shown(called_at) if called_at else None,
        ahead=ahead,
        wait=None,
        counter=row["counter"],
        version=row["version"],
        taken_for=_decode_taken_for(row["taken_for"]) if row["taken_for"] else None,
        recalls=row["recalls"],
        priority=priority_view(row["priority"], row["priority_at"]),
        name=row["shown_as"],
        visit=row["visit_id"],
        next_ticket=row.get("next_ticket"),
        checked_in_at=shown(checked_in_at) if checked_in_at else None,
        check_in_required=row["away"] and row["state"] == TicketState.WAITING,
        appointment=appointment_view(row["appointment"]),
    )


def _of_appointment(found: OfAppointment | None) -> OfAppointment | None:
    return found and OfAppointment(found.id, shown(found.slot_start))


def appointment_view(stored: str | None) -> OfAppointment | None:
    """The appointment that a ticket came of, as `OF_APPOINTMENT` reads it."""
    return _of_appointment(_decode_booked(stored)) if stored else None


def priority_view(kind: str | None, since: datetime | None) -> PriorityView | None:
    """A priority as it is shown; `since` is when it was confirmed."""
    return PriorityView(Priority(kind), since is not None) if kind else None


def _called(tickets: Sequence[TicketRow]) -> tuple[Call, ...]:
    """Who is to come to a counter, newest first, then who is being served; nobody else."""
    found = [
        (at, row.id, Call(row.number, row.counter, shown(at), AT_COUNTER[row.state]))
        for row in tickets
        if row.state in AT_COUNTER and row.counter and (at := row.recalled_at or row.called_at)
    ]
    newest = [call for _, _, call in sorted(found, key=lambda each: each[:2], reverse=True)]
    return tuple(sorted(newest, key=lambda call: call.state == "serving"))


def next_edge(board: Board, now: datetime) -> datetime | None:
    """When the board looks different though nothing happens: what is told ends, a break is over."""
    edges = [*(one.until for one in board.announcements), board.resumes_at]
    return min((at for at in edges if at and at > now), default=None)


def shown(at: datetime) -> datetime:
    """A moment as people read it: local time, whole seconds."""
    return at.astimezone(SHANGHAI).replace(microsecond=0)


def _differs(new: LiveHall, old: LiveHall) -> bool:
    board = replace(new.board, version=old.version, as_of=old.board.as_of)
    return board != old.board or new.tickets != old.tickets


def _as_of(hall: LiveHall, as_of: datetime) -> LiveHall:
    return LiveHall(replace(hall.board, as_of=as_of), hall.tickets)
