"""Giving a number up."""

from datetime import datetime
from uuid import UUID

from models import tickets
from models.database import rows
from models.tickets import Actor, Move
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView


async def cancel(ticket_id: UUID, who: Principal, *, now: datetime, feed: Feed) -> TicketView:
    """Cancel a citizen's own ticket. Raises NotFound, or WrongState once she is being served."""
    hall_id = await _hall_of(ticket_id, who)
    async with tickets.deciding_in(hall_id) as tx:
        state = await tickets.owned_state(tx, ticket_id, who.id)
        if state is None:
            raise NotFound
        row = await tickets.move(
            tx,
            ticket_id,
            Move.CANCEL,
            tickets.after(state, Move.CANCEL),
            at=now,
            version=microseconds(),
            actor=Actor("citizen", who.id),
        )
    view = ticket_view(row, hall=row["hall"], ahead=None)
    await feed.changed(Change(view.hall, view.id, view.version))
    return view


async def _hall_of(ticket_id: UUID, who: Principal) -> UUID:
    """A ticket's hall, to know which row to lock; a ticket's owner is checked again under it."""
    found = await rows(
        "SELECT hall_id FROM ticket WHERE id = $1 AND citizen_id = $2", ticket_id, who.id
    )
    if not found:
        raise NotFound
    hall_id: UUID = found[0]["hall_id"]
    return hall_id
