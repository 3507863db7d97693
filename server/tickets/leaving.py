"""Giving a number up."""

from datetime import datetime
from uuid import UUID

import asyncpg

from models import decisions, steps
from models.audit import Entry, record
from models.database import Transaction, rows
from models.decisions import VIEW_ONE, Own
from models.joined import current_id
from models.steps import Step
from models.tickets import Actor, Move, WrongState
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound
from server.halls.directory import Directory
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.visits.changing import give_up_ticket


async def cancel(
    ticket_id: UUID, who: Principal, *, now: datetime, directory: Directory, feed: Feed
) -> TicketView:
    """Cancel a ticket that is for this citizen, or that she took; a visit goes on without it.

    Raises NotFound, or WrongState once somebody is being served.
    """

    async def give_up(tx: Transaction | None) -> asyncpg.Record | None:
        return await _give_up(ticket_id, await _own(ticket_id, who, tx), who, now, tx)

    mine = await _own(ticket_id, who, None)
    if mine.visit_id is not None:
        await give_up_ticket(mine.visit_id, ticket_id, who, now=now, directory=directory, feed=feed)
        [row] = await rows(VIEW_ONE, ticket_id)
        return ticket_view(row, hall=row["hall"], ahead=None)
    if mine.on_behalf_of is None:
        row = await decisions.decide(mine.hall_id, give_up)
    else:
        row = await _give_up_for(ticket_id, mine.hall_id, who, now)
    view = ticket_view(row, hall=row["hall"], ahead=None)
    await feed.changed(Change(view.hall, view.id, view.version))
    return view


async def _give_up(
    ticket_id: UUID, mine: Own, who: Principal, now: datetime, tx: Transaction | None
) -> asyncpg.Record | None:
    actor = Actor("citizen", who.id)
    step = Step(
        mine.hall_id,
        Move.CANCEL,
        mine.state,
        now,
        microseconds(),
        actor,
        on_behalf_of=mine.on_behalf_of,
    )
    return await steps.make(ticket_id, step, tx=tx)


async def _give_up_for(
    ticket_id: UUID, hall_id: UUID, who: Principal, now: datetime
) -> asyncpg.Record:
    """Give up a ticket that was taken for somebody else, and record it."""
    async with decisions.deciding_in(hall_id) as tx:
        mine = await _own(ticket_id, who, tx)
        row = await _give_up(ticket_id, mine, who, now, tx)
        if row is None:  # her accounts were joined just now, or she was erased
            raise WrongState("the ticket has moved")
        entry = Entry(
            Actor("citizen", who.id),
            "ticket.cancelled",
            "ticket",
            ticket_id,
            on_behalf_of=mine.on_behalf_of,
        )
        await record(tx, entry)
    return row


async def _own(ticket_id: UUID, who: Principal, tx: Transaction | None) -> Own:
    found = await decisions.own(ticket_id, who.id, tx=tx)
    if found is None and (now_id := await current_id(who.id)) not in {None, who.id}:
        # Her account was joined into another a moment ago, and her token does not know yet.
        found = await decisions.own(ticket_id, now_id, tx=tx)
    if found is None:
        raise NotFound
    return found
