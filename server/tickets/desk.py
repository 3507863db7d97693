"""What staff do with a ticket of their hall that is at no counter."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg

from models import decisions, standing
from models.database import Transaction
from models.history import Happened
from models.standing import Held
from models.tickets import OPEN_ONCE, Actor, Move, after
from scheduler.calendar import business_day
from scheduler.discipline import after_return, may_return, with_credit
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound
from server.halls.directory import HallEntry
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.numbers.arriving import check_day, checked_in
from server.numbers.refusals import AlreadyInLine, GraceOver, NoPriorityClaim
from server.visits.coming_back import check_waited_for


async def let_return(
    hall: HallEntry, ticket: str, who: Principal, *, now: datetime, feed: Feed
) -> TicketView:
    """Let somebody who was missed wait again, from now and the hall's penalty later.

    `ticket` is its id, or today's number. Raises NotFound, GraceOver, AlreadyInLine where she has
    taken another number since, or WrongState unless she was missed and her visit waits for her.
    """

    async def choose(tx: Transaction, held: Held) -> Happened:
        state = after(held.now.state, Move.RETURN)
        missed_at = held.now.ended_at
        today = held.day == business_day(now)
        if missed_at is None or not today or not may_return(missed_at, now, hall.rules):
            raise GraceOver
        await check_waited_for(tx, held)
        rank_time = after_return(now, hall.rules)
        return Happened(Move.RETURN, state, now, hall.id, rank_time=rank_time, here=True)

    try:
        return await _decide(hall, ticket, who, choose, now=now, feed=feed)
    except asyncpg.UniqueViolationError as taken:
        if taken.constraint_name in OPEN_ONCE:
            raise AlreadyInLine from None
        raise


async def confirm_priority(
    hall: HallEntry, ticket: str, who: Principal, *, now: datetime, feed: Feed
) -> TicketView:
    """Let a claim of priority count: so many minutes as the hall gives, once a ticket.

    Raises NotFound, NoPriorityClaim, or WrongState unless she waits.
    """

    async def choose(_: Transaction, held: Held) -> Happened:
        state = after(held.now.state, Move.CONFIRM)
        check_day(held, now)
        claim = held.now.priority
        if claim is None or held.now.priority_at is not None:
            raise NoPriorityClaim
        rank_time = with_credit(held.now.rank_time, claim.value, hall.rules)
        detail = claim.value
        return Happened(Move.CONFIRM, state, now, hall.id, detail=detail, rank_time=rank_time)

    return await _decide(hall, ticket, who, choose, now=now, feed=feed)


async def refuse_priority(
    hall: HallEntry, ticket: str, who: Principal, *, now: datetime, feed: Feed
) -> TicketView:
    """Let a claim of priority fall: she keeps her place, and nobody is asked about it again.

    Raises NotFound, NoPriorityClaim, or WrongState unless she waits.
    """

    async def choose(_: Transaction, held: Held) -> Happened:
        state = after(held.now.state, Move.REFUSE)
        check_day(held, now)
        claim = held.now.priority
        if claim is None or held.now.priority_at is not None:
            raise NoPriorityClaim
        return Happened(Move.REFUSE, state, now, hall.id, detail=claim.value)

    return await _decide(hall, ticket, who, choose, now=now, feed=feed)


async def check_in(
    hall: HallEntry, ticket: str, who: Principal, *, now: datetime, feed: Feed
) -> TicketView:
    """Let somebody who stands before a member of staff be checked in.

    Raises NotFound, AlreadyCheckedIn, or WrongState unless she waits.
    """

    async def choose(_: Transaction, held: Held) -> Happened:
        return checked_in(held, now)

    return await _decide(hall, ticket, who, choose, now=now, feed=feed)


async def _decide(
    hall: HallEntry,
    ticket: str,
    who: Principal,
    choose: Callable[[Transaction, Held], Awaitable[Happened]],
    *,
    now: datetime,
    feed: Feed,
) -> TicketView:
    async with decisions.deciding_in(hall.id) as tx:
        ticket_id = await standing.find(tx, hall.id, business_day(now), ticket)
        held = await standing.hold(tx, ticket_id) if ticket_id else None
        if held is None:
            raise NotFound(("该大厅没有这个号。", "There is no such number in this hall."))
        row = await standing.make(
            tx,
            held,
            await choose(tx, held),
            version=microseconds(),
            actor=Actor("staff", who.id),
            on_behalf_of=held.on_behalf_of,
        )
    view = ticket_view(row, hall=hall.code, ahead=row["ahead"])
    await feed.changed(Change(hall.code, view.id, view.version))
    return view
