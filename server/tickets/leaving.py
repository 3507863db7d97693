"""Giving a number up."""

from datetime import datetime
from uuid import UUID

import asyncpg

from models import decisions
from models.database import Transaction, statements
from models.decisions import Step
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

    async def give_up(tx: Transaction) -> asyncpg.Record | None:
        found = await decisions.own(tx, ticket_id, who.id)
        if found is None:
            raise NotFound
        hall_id, before = found
        return await decisions.make(
            tx,
            ticket_id,
            Step(
                hall_id=hall_id,
                move=Move.CANCEL,
                before=before,
                at=now,
                version=microseconds(),
                actor=Actor("citizen", who.id),
            ),
        )

    row = await decisions.decide(await _hall_of(ticket_id, who), give_up)
    view = ticket_view(row, hall=row["hall"], ahead=None)
    await feed.changed(Change(view.hall, view.id, view.version))
    return view


async def _hall_of(ticket_id: UUID, who: Principal) -> UUID:
    async with statements() as tx:
        found = await decisions.own(tx, ticket_id, who.id)
    if found is None:
        raise NotFound
    return found[0]
