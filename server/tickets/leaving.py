"""Giving a number up."""

from datetime import datetime
from uuid import UUID

import asyncpg

from models import decisions, steps
from models.database import Transaction
from models.steps import Step
from models.tickets import Actor, Move, TicketState
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView


async def cancel(ticket_id: UUID, who: Principal, *, now: datetime, feed: Feed) -> TicketView:
    """Cancel a citizen's own ticket. Raises NotFound, or WrongState once she is being served."""

    async def give_up(tx: Transaction | None) -> asyncpg.Record | None:
        hall_id, before = await _own(ticket_id, who, tx)
        step = Step(hall_id, Move.CANCEL, before, now, microseconds(), Actor("citizen", who.id))
        return await steps.make(ticket_id, step, tx=tx)

    hall_id, _ = await _own(ticket_id, who, None)
    row = await decisions.decide(hall_id, give_up)
    view = ticket_view(row, hall=row["hall"], ahead=None)
    await feed.changed(Change(view.hall, view.id, view.version))
    return view


async def _own(ticket_id: UUID, who: Principal, tx: Transaction | None) -> tuple[UUID, TicketState]:
    found = await decisions.own(ticket_id, who.id, tx=tx)
    if found is None:
        raise NotFound
    return found
