"""Reads a hall from PostgreSQL and makes its live state."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from models.database import rows
from models.proxies import TAKEN_FOR
from models.tickets import DAY_ENDED, Priority, TicketState
from scheduler.calendar import SHANGHAI
from server.halls.directory import HallEntry
from server.live.state import (
    Board,
    BoardCounter,
    Call,
    LiveHall,
    LiveLine,
    LiveTicket,
    PriorityView,
    TakenFor,
    TicketView,
)

CALLS_SHOWN = 10
# Who is called again is shown once: read are as many as may be the same people's.
CALLS_READ = 30
# Phones that still look at a ticket that is over find it here for a while.
ENDED_SHOWN_FOR = timedelta(minutes=15)
ENDED_SHOWN = 50

# One statement, so one snapshot and one round trip; each part comes as JSON of typed rows.
_HALL = """
    SELECT
      (SELECT coalesce(json_agg(r ORDER BY r.code), '[]') FROM (
        SELECT code, name, name_en, state FROM line WHERE hall_id = $1) r) AS lines,
      (SELECT coalesce(json_agg(r ORDER BY r.code), '[]') FROM (
        SELECT c.code, c.name, c.state, t.number,
               CASE WHEN c.state = 'paused' THEN c.pause_reason END AS reason
        FROM counter c
        LEFT JOIN ticket t ON t.counter_id = c.id AND t.state IN ('called', 'serving')
        WHERE c.hall_id = $1) r) AS counters,
      (SELECT coalesce(json_agg(r ORDER BY r.rank_time, r.id), '[]') FROM (
        SELECT {day_ended},
               t.id, t.number, t.state, l.code AS line, i.code AS item, t.citizen_id, t.issued_at,
               t.called_at, c.code AS counter, t.version, t.rank_time, t.acting_id,
               t.recalls, t.priority, t.priority_at, t.shown_as,
               {taken_for}
        FROM (
          SELECT * FROM ticket WHERE hall_id = $1 AND ended_at IS NULL
          UNION ALL (
            SELECT * FROM ticket WHERE hall_id = $1 AND ended_at > $2
            ORDER BY ended_at DESC LIMIT $3)
        ) t
        JOIN line l ON l.id = t.line_id
        JOIN item i ON i.id = t.item_id
        LEFT JOIN counter c ON c.id = t.counter_id) r) AS tickets,
      (SELECT coalesce(json_agg(r ORDER BY r.at DESC, r.id DESC), '[]') FROM (
        SELECT coalesce((
                   SELECT b.number FROM ticket_event b
                   WHERE b.ticket_id = e.ticket_id AND b.id < e.id AND b.number IS NOT NULL
                   ORDER BY b.id DESC LIMIT 1), '') AS number,
               c.code AS counter, e.at, e.id
        FROM ticket_event e
        JOIN counter c ON c.id = e.counter_id
        WHERE e.hall_id = $1 AND e.move IN ('call', 'recall') AND e.at >= $4
          AND NOT EXISTS (SELECT 1 FROM ticket_event u
                          WHERE u.ticket_id = e.ticket_id
                          AND (u.undoes = e.id OR u.move = 'return_to_line' AND u.id > e.id)
                          OFFSET 0)
        ORDER BY e.at DESC, e.id DESC LIMIT $5) r) AS calls
""".replace("{taken_for}", TAKEN_FOR).replace("{day_ended}", DAY_ENDED)


class _LineRow(msgspec.Struct, frozen=True):
    code: str
    name: str
    name_en: str
    state: str


class _TicketRow(msgspec.Struct, frozen=True):
    id: UUID
    number: str
    state: TicketState
    line: str
    item: str
    citizen_id: UUID | None
    issued_at: datetime
    called_at: datetime | None
    counter: str | None
    version: int
    acting_id: UUID | None
    taken_for: TakenFor | None
    day_ended: bool | None
    recalls: int
    priority: Priority | None
    priority_at: datetime | None
    shown_as: str | None


_decode_lines = msgspec.json.Decoder(list[_LineRow]).decode
_decode_counters = msgspec.json.Decoder(tuple[BoardCounter, ...]).decode
_decode_tickets = msgspec.json.Decoder(list[_TicketRow]).decode
_decode_taken_for = msgspec.json.Decoder(TakenFor).decode
_decode_calls = msgspec.json.Decoder(list[Call]).decode


async def read_hall(
    hall: HallEntry, last: LiveHall | None, *, now: datetime, version: int
) -> LiveHall:
    """The live state of a hall as PostgreSQL has it at this moment.

    `version` is used when something that can be seen differs from `last`; else `last`'s stands.
    """
    local = shown(now)
    midnight = local.replace(hour=0, minute=0, second=0)
    [row] = await rows(_HALL, hall.id, now - ENDED_SHOWN_FOR, ENDED_SHOWN, midnight, CALLS_READ)
    tickets = _decode_tickets(row["tickets"])
    if last is not None:
        version = max(version, last.version + 1)
    waiting = Counter(ticket.line for ticket in tickets if ticket.state is TicketState.WAITING)
    board = Board(
        hall=hall.code,
        name=hall.name,
        name_en=hall.name_en,
        version=version,
        as_of=local,
        counters=_decode_counters(row["counters"]),
        called=tuple(
            Call(call.number, call.counter, shown(call.at))
            for call in _newest(_decode_calls(row["calls"]))
        ),
        lines=tuple(
            LiveLine(line.code, line.name, line.name_en, line.state, waiting[line.code], None)
            for line in _decode_lines(row["lines"])
        ),
    )
    live = LiveHall(board, _tickets(hall.code, tickets, last, version))
    return live if last is None or _differs(live, last) else _as_of(last, local)


def _tickets(
    hall: str, found: Sequence[_TicketRow], last: LiveHall | None, version: int
) -> tuple[LiveTicket, ...]:
    """Tickets in rank order; a view that looks as it did keeps its version."""
    known = {ticket.view.id: ticket for ticket in last.tickets} if last else {}
    ahead: Counter[str] = Counter()
    live = []
    for row in found:
        waits = row.state is TicketState.WAITING
        place = ahead[row.line] if waits else None
        ahead[row.line] += waits
        before = known.get(row.id)
        if before and before.row_version == row.version:
            if before.view.ahead != place:
                # Only others have moved: most of a long line, at each call.
                moved = replace(before.view, ahead=place, version=version)
                before = LiveTicket(moved, before.citizen, before.row_version, before.acting)
            live.append(before)
        else:
            view = _view(row, hall, place, version)
            live.append(LiveTicket(view, row.citizen_id, row.version, row.acting_id))
    return tuple(live)


def _view(row: _TicketRow, hall: str, ahead: int | None, version: int) -> TicketView:
    return TicketView(
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
        reason="day_ended" if row.day_ended else None,
        recalls=row.recalls,
        priority=_priority(row.priority, row.priority_at),
        name=row.shown_as,
    )


def ticket_view(row: Any, *, hall: str, ahead: int | None) -> TicketView:
    """A ticket of a `VIEW_ONE` row as its holder sees it; the version is the row's own.

    A step that somebody has just made tells no `day_ended`: nobody's step is that.
    """
    called_at = row["called_at"]
    return TicketView(
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
        reason="day_ended" if row.get("day_ended") else None,
        recalls=row["recalls"],
        priority=_priority(row["priority"], row["priority_at"]),
        name=row["shown_as"],
    )


def _priority(kind: str | None, since: datetime | None) -> PriorityView | None:
    return PriorityView(Priority(kind), since is not None) if kind else None


def _newest(calls: Iterable[Call]) -> list[Call]:
    """The newest calls, each number at a counter once, however often it was called again."""
    once: dict[tuple[str, str], Call] = {}
    for call in calls:
        once.setdefault((call.number, call.counter), call)
    return list(once.values())[:CALLS_SHOWN]


def shown(at: datetime) -> datetime:
    """A moment as people read it: local time, whole seconds."""
    return at.astimezone(SHANGHAI).replace(microsecond=0)


def _differs(new: LiveHall, old: LiveHall) -> bool:
    board = replace(new.board, version=old.version, as_of=old.board.as_of)
    return board != old.board or new.tickets != old.tickets


def _as_of(hall: LiveHall, as_of: datetime) -> LiveHall:
    return LiveHall(replace(hall.board, as_of=as_of), hall.tickets)
