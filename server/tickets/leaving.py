"""Giving a number up."""

from datetime import datetime
from uuid import UUID

import asyncpg

from models import decisions, steps
from models.audit import Entry, record
from models.database import Transaction, rows
from models.decisions import VIEW_ONE, Own
from models.steps import Step
from models.tickets import Actor, Move, WrongState
from server.auth import Principal
from server.clock import microseconds
from server.halls.directory import Directory
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.tickets.own import CHANGED_SINCE, MOVED_ON, own_ticket
from server.visits.changing import give_up_ticket


async def cancel(
    ticket_id: UUID, who: Principal, *, now: datetime, directory: Directory, feed: Feed
) -> TicketView:
    """Cancel a ticket that is for this citizen, or that she took; a visit goes on without it.

    Raises NotFound, or WrongState once somebody is being served.
    """

    mine = await own_ticket(ticket_id, who)

    async def give_up(tx: Transaction | None) -> asyncpg.Record | None:
        now_mine = await own_ticket(ticket_id, who, tx)
        if tx is not None:
            _check_hall(now_mine, mine.hall_id)
        return await _give_up(ticket_id, now_mine, who, now, tx)

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
        mine = await own_ticket(ticket_id, who, tx)
        _check_hall(mine, hall_id)
        row = await _give_up(ticket_id, mine, who, now, tx)
        if row is None:  # it is one of a visit since
            raise WrongState("the ticket has changed", mine.state, told=CHANGED_SINCE)
        entry = Entry(
            Actor("citizen", who.id),
            "ticket.cancelled",
            "ticket",
            ticket_id,
            on_behalf_of=mine.on_behalf_of,
        )
        await record(tx, entry)
    return row


def _check_hall(mine: Own, locked: UUID) -> None:
    """Raise WrongState where it has moved: its hall must not be locked after another (by id)."""
    if mine.hall_id != locked:
        raise WrongState("it has moved to another hall", mine.state, told=MOVED_ON)
