"""A ticket as it is now: from memory, or from PostgreSQL where memory is behind."""

from typing import Any
from uuid import UUID

import msgspec

from models.database import Transaction, rows
from models.decisions import VIEW_ONE
from models.tickets import TicketState
from server.live.departing import leave_of
from server.live.feed import Feed
from server.live.memory import Memory
from server.live.reading import ticket_view
from server.live.rows import WayRow
from server.live.state import LiveTicket, TicketView

_decode_way = msgspec.json.Decoder(WayRow).decode


async def current_ticket(
    feed: Feed, ticket_id: UUID, *, tx: Transaction | None = None
) -> LiveTicket | None:
    """A ticket as it is now; None when there is none."""
    live = feed.memory.ticket(ticket_id)
    if live is not None:
        return live
    found = await rows(VIEW_ONE, ticket_id, tx=tx)
    return current(found[0], feed.memory) if found else None


def current(row: Any, memory: Memory) -> LiveTicket:
    """A ticket just read from PostgreSQL as it is shown: as memory has it, unless that is older."""
    live = memory.ticket(row["id"])
    if live is not None and live.row_version >= row["version"]:
        return live
    view = ticket_view(row, hall=row["hall"], ahead=row["ahead"])
    version = memory.version_after(view.id, view.version)
    shown = _with_foretold(msgspec.structs.replace(view, version=version), row["way"], memory)
    return LiveTicket(shown, row["citizen_id"], view.version, row["acting_id"])


def _with_foretold(view: TicketView, way: str | None, memory: Memory) -> TicketView:
    """With her wait as it was said last, while nothing has moved her, and so when to leave."""
    if view.state is not TicketState.WAITING:
        return view
    last, wait, before, now = memory.shown_last(view.id), None, None, view.issued_at
    if last is not None and last.view.hall == view.hall:
        before, now = last.view.leave, memory.halls[view.hall].board.as_of
        if (last.view.line, last.view.ahead) == (view.line, view.ahead):
            wait = last.view.wait
    leave = leave_of(wait, _decode_way(way), before, now) if way else None
    return msgspec.structs.replace(view, wait=wait, leave=leave)
