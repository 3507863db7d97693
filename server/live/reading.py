"""Reads a hall from PostgreSQL and makes its live state."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from models.database import transaction
from models.tickets import TicketState
from scheduler.calendar import SHANGHAI, business_day
from server.halls.directory import HallEntry
from server.live.state import (
    Board,
    BoardCounter,
    Call,
    LiveHall,
    LiveLine,
    LiveTicket,
    TicketView,
)

CALLS_SHOWN = 10
# Phones that still look at a ticket that is over find it here for a while.
ENDED_SHOWN_FOR = timedelta(minutes=15)

_LINES = "SELECT code, name, name_en, state FROM line WHERE hall_id = $1 ORDER BY code"
_COUNTERS = """
    SELECT c.code, c.name, c.state, t.number,
           CASE WHEN c.state = 'paused' THEN c.pause_reason END AS reason
    FROM counter c
    LEFT JOIN ticket t ON t.counter_id = c.id AND t.state IN ('called', 'serving')
    WHERE c.hall_id = $1 ORDER BY c.code
"""
_TICKETS = """
    SELECT t.id, t.number, t.state, l.code AS line, i.code AS item, t.citizen_id, t.issued_at,
           t.called_at, c.code AS counter, t.version
    FROM ticket t
    JOIN line l ON l.id = t.line_id
    JOIN item i ON i.id = t.item_id
    LEFT JOIN counter c ON c.id = t.counter_id
    WHERE t.hall_id = $1
      AND (t.state IN ('waiting', 'called', 'serving', 'parked') OR t.ended_at > $2)
    ORDER BY t.rank_time, t.id
"""
_CALLS = """
    SELECT t.number, c.code AS counter, t.called_at AS at
    FROM ticket t JOIN counter c ON c.id = t.counter_id
    WHERE t.hall_id = $1 AND t.called_at IS NOT NULL AND t.day = $2
    ORDER BY t.called_at DESC, t.id DESC LIMIT $3
"""


async def read_hall(
    hall: HallEntry, last: LiveHall | None, *, now: datetime, version: int
) -> LiveHall:
    """The live state of a hall as PostgreSQL has it at this moment.

    `version` is used when something that can be seen differs from `last`; else `last`'s stands.
    """
    local = shown(now)
    async with transaction() as tx:
        await tx.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        lines = await tx.rows(_LINES, hall.id)
        counters = await tx.rows(_COUNTERS, hall.id)
        tickets = await tx.rows(_TICKETS, hall.id, now - ENDED_SHOWN_FOR)
        calls = await tx.rows(_CALLS, hall.id, business_day(now), CALLS_SHOWN)
    if last is not None:
        version = max(version, last.version + 1)
    board = _board(hall, lines, counters, calls, tickets, as_of=local, version=version)
    live = LiveHall(board, _tickets(hall.code, tickets, last, version))
    return live if last is None or _differs(live, last) else _as_of(last, local)


def _board(
    hall: HallEntry,
    lines: Sequence[Any],
    counters: Sequence[Any],
    calls: Sequence[Any],
    tickets: Sequence[Any],
    *,
    as_of: datetime,
    version: int,
) -> Board:
    waiting = Counter(row["line"] for row in tickets if row["state"] == TicketState.WAITING)
    return Board(
        hall=hall.code,
        name=hall.name,
        name_en=hall.name_en,
        version=version,
        as_of=as_of,
        counters=tuple(BoardCounter(**row) for row in counters),
        called=tuple(Call(row["number"], row["counter"], shown(row["at"])) for row in calls),
        lines=tuple(LiveLine(**row, waiting=waiting[row["code"]], wait=None) for row in lines),
    )


def _tickets(
    hall: str, rows: Sequence[Any], last: LiveHall | None, version: int
) -> tuple[LiveTicket, ...]:
    """Tickets in rank order; a view that looks as it did keeps its version."""
    known = {ticket.view.id: ticket.view for ticket in last.tickets} if last else {}
    ahead: Counter[str] = Counter()
    found = []
    for row in rows:
        waits = row["state"] == TicketState.WAITING
        view = ticket_view(row, hall=hall, ahead=ahead[row["line"]] if waits else None)
        ahead[row["line"]] += waits
        before = known.get(view.id)
        same = before is not None and before == msgspec.structs.replace(
            view, version=before.version
        )
        shown = before if same and before else msgspec.structs.replace(view, version=version)
        found.append(LiveTicket(shown, row["citizen_id"], row["version"]))
    return tuple(found)


def ticket_view(row: Any, *, hall: str, ahead: int | None) -> TicketView:
    """A ticket row as its holder sees it; the version is the row's own."""
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
    )


def shown(at: datetime) -> datetime:
    """A moment as people read it: local time, whole seconds."""
    return at.astimezone(SHANGHAI).replace(microsecond=0)


def _differs(new: LiveHall, old: LiveHall) -> bool:
    board = msgspec.structs.replace(new.board, version=old.version, as_of=old.board.as_of)
    return board != old.board or new.tickets != old.tickets


def _as_of(hall: LiveHall, as_of: datetime) -> LiveHall:
    return LiveHall(msgspec.structs.replace(hall.board, as_of=as_of), hall.tickets)
