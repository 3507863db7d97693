"""What a ticket's holder may do with her place: take it elsewhere, let others pass, check in."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import asyncpg

from models import decisions, standing
from models.audit import Entry, record
from models.database import Transaction
from models.decisions import Own
from models.history import Happened
from models.proving import counting
from models.sealing import Sealer
from models.spoken_for import missed_of
from models.standing import Held
from models.tickets import Actor, Move, WrongState, after
from scheduler.discipline import behind
from server.auth import Principal
from server.clock import microseconds
from server.halls.directory import Directory, HallEntry
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.numbers import by_phone
from server.numbers.arriving import arrive, check_day, checked_in
from server.numbers.by_phone import Fix
from server.numbers.refusals import AlreadyThere, MissedNumberKept, NobodyBehind
from server.numbers.residents import check_residence
from server.tickets.own import MOVED_ON, own_ticket
from server.visits.going_on import offered_rest

# What is done for somebody else is in the audit log.
_RECORDED_AS = {
    Move.MOVE: "ticket.moved",
    Move.LET_PASS: "ticket.let_pass",
    Move.CHECK_IN: "ticket.checked_in",
}


async def move(
    ticket_id: UUID,
    to: str,
    who: Principal,
    *,
    fix: Fix | None,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    feed: Feed,
) -> TicketView:
    """Take her place in the order to another hall, where she gets a number of its line.

    Her whole visit goes with her, so the hall must offer what is left of it, and take her for all
    of that; and what it asks of phones holds for her. Raises NotFound, AlreadyThere, WrongState
    unless she waits, and why she cannot come there.
    """
    target = directory.hall(to)
    mine = await own_ticket(ticket_id, who)
    left = directory.hall_by_id(mine.hall_id)
    if target.id == mine.hall_id:
        after(mine.state, Move.MOVE)
        raise AlreadyThere
    by_phone.check_place(target, fix)

    async def come(tx: Transaction, held: Held) -> Happened:
        items = [held.item_id]
        if held.now.visit_id is not None:
            items += await offered_rest(tx, held.now.visit_id, target)
        came = await arrive(tx, held, Move.MOVE, target, left=left, memory=feed.memory, now=now)
        await _check_kept(tx, who, held, came, now)
        await _check_level(tx, who, target)
        for item in map(directory.item_by_id, items):
            await check_residence(
                tx, sealer, held.citizen_id, hall=target, item=item, directory=directory
            )
        return replace(came, here=by_phone.is_here(target, fix))

    row = await _decide(ticket_id, mine, who, come, halls=(left, target))
    return await _tell(row, feed, left=left)


async def let_pass(
    ticket_id: UUID, people: int, who: Principal, *, now: datetime, directory: Directory, feed: Feed
) -> TicketView:
    """Keep her place behind so many people more, or behind the last of the line.

    Raises NotFound, NobodyBehind, or WrongState unless she waits.
    """
    mine = await own_ticket(ticket_id, who)
    hall = directory.hall_by_id(mine.hall_id)

    async def step_back(tx: Transaction, held: Held) -> Happened:
        state = after(held.now.state, Move.LET_PASS)
        check_day(held, now)
        passing = await standing.behind(tx, held, people)
        rank_time = behind(passing, held.id, people)
        if rank_time is None:
            raise NobodyBehind
        detail = str(len(passing))
        return Happened(Move.LET_PASS, state, now, hall.id, detail=detail, rank_time=rank_time)

    row = await _decide(ticket_id, mine, who, step_back, halls=(hall,))
    return await _tell(row, feed)


async def check_in(
    ticket_id: UUID, fix: Fix, who: Principal, *, now: datetime, directory: Directory, feed: Feed
) -> TicketView:
    """Let her be called where only those are who are at the hall, as her phone says that she is.

    Raises NotFound, NotAtHall, PlaceUnsure, AlreadyCheckedIn, or WrongState unless she waits.
    """
    mine = await own_ticket(ticket_id, who)
    hall = directory.hall_by_id(mine.hall_id)

    async def come_in(_: Transaction, held: Held) -> Happened:
        event = checked_in(held, now)
        by_phone.check_here(hall, fix)
        return event

    row = await _decide(ticket_id, mine, who, come_in, halls=(hall,))
    return await _tell(row, feed)


async def _check_kept(
    tx: Transaction, who: Principal, held: Held, came: Happened, now: datetime
) -> None:
    """Raise MissedNumberKept where she was missed in that line a moment ago: its penalty stays."""
    assert came.line_id is not None, "she has a number of that line"
    kept = await missed_of(
        tx, held.citizen_id, held.person_key, item_ids=[], line_ids=[came.line_id], now=now
    )
    if kept is not None:
        raise MissedNumberKept.told_to(who.id, kept)


async def _check_level(tx: Transaction, who: Principal, hall: HallEntry) -> None:
    """Raise LevelTooLow unless she is known as surely as the hall asks of phones."""
    if hall.rules.remote_level:
        level = await counting(tx, who.id, who.sign_in_id)
        by_phone.check_level(level, hall)


async def _decide(
    ticket_id: UUID,
    seen: Own,
    who: Principal,
    choose: Callable[[Transaction, Held], Awaitable[Happened]],
    *,
    halls: tuple[HallEntry, ...],
) -> asyncpg.Record:
    """Do with her ticket what `choose` says, under the locks of the halls concerned."""
    actor = Actor("citizen", who.id)
    async with decisions.deciding_in(*(hall.id for hall in halls)) as tx:
        held = await standing.hold(tx, ticket_id)
        mine = await own_ticket(ticket_id, who, tx)
        if held is None or mine.hall_id != seen.hall_id:
            raise WrongState("it has moved to another hall", mine.state, told=MOVED_ON)
        event = await choose(tx, held)
        row = await standing.make(
            tx,
            held,
            event,
            version=microseconds(),
            actor=actor,
            on_behalf_of=mine.on_behalf_of,
        )
        if mine.on_behalf_of is not None:
            action, behalf = _RECORDED_AS[event.move], mine.on_behalf_of
            await record(tx, Entry(actor, action, "ticket", ticket_id, on_behalf_of=behalf))
    return row


async def _tell(row: asyncpg.Record, feed: Feed, *, left: HallEntry | None = None) -> TicketView:
    view = ticket_view(row, hall=row["hall"], ahead=row["ahead"])
    also = [Change(left.code)] if left else []
    await feed.changed(Change(view.hall, view.id, view.version), *also)
    return view
