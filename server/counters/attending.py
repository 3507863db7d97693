"""What a counter does with a ticket beyond the plain visit: call again, resume, send on.

Each is decided under the hall's lock; a clerk does so too seldom for one statement to be worth it.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final
from uuid import UUID

import asyncpg

from models import decisions, standing
from models.database import Transaction
from models.halls import CounterState
from models.history import Happened
from models.standing import Held, LineAt
from models.tickets import OPEN_ONCE, Actor, Move, TicketState, WrongState, after
from scheduler.discipline import may_recall
from server.clock import microseconds
from server.counters.at import At
from server.counters.refusals import (
    NobodyParked,
    RecallLimit,
)
from server.errors import NotFound
from server.halls.directory import HallEntry
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.numbers.arriving import arrive, check_day, with_number
from server.numbers.refusals import AlreadyInLine
from server.own_counter import CounterNow, counter_at, nobody_at, own_counter

_IN_THAT_LINE: Final = ("她已在该队列", "she is of that line already")
_AT_THAT_HALL: Final = ("她已在该大厅", "she is at that hall already")
_NOT_THERE: Final = ("不能转到该窗口", "nobody can be sent to that counter")


async def recall(at: At, *, feed: Feed) -> TicketView:
    """Call the person again who was called and has not come.

    Raises NotFound, RecallLimit, or WrongState unless somebody is called.
    """

    async def choose(tx: Transaction, here: CounterNow) -> tuple[Held, Happened]:
        held = await _present(tx, at, here)
        state = after(held.now.state, Move.RECALL)
        if not may_recall(held.now.recalls, at.hall.rules):
            raise RecallLimit
        return held, Happened(Move.RECALL, state, at.now, at.hall.id, here.id)

    return await _decide(at, choose, feed=feed)


async def resume(at: At, number: str | None, *, feed: Feed) -> TicketView:
    """Go on with a parked person: the one of this number, or the first that this counter parked.

    Raises NotFound, NobodyParked, or WrongState unless the counter is open and free.
    """

    async def choose(tx: Transaction, here: CounterNow) -> tuple[Held, Happened]:
        if there := await standing.hold_at(tx, here.id):
            raise WrongState("somebody is at the counter", there.now.state)
        if here.state is not CounterState.OPEN:
            raise WrongState("the counter is not open", here.state)
        held = await standing.hold_parked(tx, at.hall.id, here.id, number)
        if held is None:
            raise NobodyParked
        state = after(held.now.state, Move.RESUME)
        return held, Happened(Move.RESUME, state, at.now, at.hall.id, here.id)

    return await _decide(at, choose, feed=feed)


async def to_line(at: At, line: str, *, feed: Feed) -> TicketView:
    """Send the person at the counter to another line of the hall, in which she gets a number.

    Raises NotFound, LineClosed, or WrongState: nobody is here, or she came from that line.
    """
    entry = at.hall.lines.get(line)
    if entry is None:
        raise NotFound(("该大厅没有这个队列。", "There is no such line in this hall."))

    async def choose(tx: Transaction, here: CounterNow) -> tuple[Held, Happened]:
        held, sent = await _sent(tx, at, here)
        if held.now.line_id == entry.id:
            raise WrongState("she is of that line", held.now.state, told=_IN_THAT_LINE)
        return held, await with_number(tx, held, sent, LineAt(entry.id, full=False))

    return await _decide(at, choose, feed=feed)


async def to_counter(at: At, counter: str, *, feed: Feed) -> TicketView:
    """Send the person at the counter to another one, which alone may call her while it is open.

    She keeps her number where that counter serves her line; else she gets one of its own line.
    Raises NotFound, LineClosed, or WrongState: nobody is here, or that counter is not open.
    """

    async def choose(tx: Transaction, here: CounterNow) -> tuple[Held, Happened]:
        there = await counter_at(tx, at.hall, counter)
        held, sent = await _sent(tx, at, here, held_for=there.id)
        if there.id == here.id or there.state is not CounterState.OPEN or not there.serving:
            raise WrongState("the other counter is not open", there.state, told=_NOT_THERE)
        lines = {entry.id: code for code, entry in at.hall.lines.items()}
        if lines[held.now.line_id] in there.serving:
            return held, sent
        own = at.hall.lines[there.serving[0]]
        return held, await with_number(tx, held, sent, LineAt(own.id, full=False))

    return await _decide(at, choose, feed=feed)


async def to_hall(at: At, hall: HallEntry, *, feed: Feed) -> TicketView:
    """Send the person at the counter to another hall, where she gets a number and keeps her place.

    The clerk has seen her papers: whether that hall takes her for what is for residents only is for
    the clerk to say, of this item and of what is left of her visit.
    Raises NotFound, WrongState, and why she cannot come there.
    """

    async def choose(tx: Transaction, here: CounterNow) -> tuple[Held, Happened]:
        held = await _present(tx, at, here)
        if hall.id == at.hall.id:
            raise WrongState("she is at that hall", held.now.state, told=_AT_THAT_HALL)
        came = await arrive(
            tx, held, Move.TRANSFER, hall, left=at.hall, memory=feed.memory, now=at.now
        )
        return held, replace(came, counter_id=here.id)

    return await _decide(at, choose, feed=feed, also=hall)


@contextmanager
def conflicts() -> Iterator[None]:
    """Turn a unique key that does not allow it into the refusal that says why."""
    try:
        yield
    except asyncpg.UniqueViolationError as taken:
        if taken.constraint_name == "ticket_at_counter_once":
            raise WrongState("somebody is at the counter", TicketState.CALLED) from None
        if taken.constraint_name in OPEN_ONCE:
            raise AlreadyInLine from None
        raise


async def _decide(
    at: At,
    choose: Callable[[Transaction, CounterNow], Awaitable[tuple[Held, Happened]]],
    *,
    feed: Feed,
    also: HallEntry | None = None,
) -> TicketView:
    halls = [at.hall.id, also.id] if also else [at.hall.id]
    with conflicts():
        async with decisions.deciding_in(*halls) as tx:
            here = await own_counter(tx, at.hall, at.counter, at.who)
            held, event = await choose(tx, here)
            row = await standing.make(
                tx,
                held,
                event,
                version=microseconds(),
                actor=Actor("staff", at.who.id),
                on_behalf_of=held.on_behalf_of,
            )
    return await _tell(row, feed, left=at.hall if also else None)


async def _sent(
    tx: Transaction, at: At, here: CounterNow, *, held_for: UUID | None = None
) -> tuple[Held, Happened]:
    """The person at a counter, and that she is sent on within the hall, her place kept."""
    held = await _present(tx, at, here)
    state = after(held.now.state, Move.TRANSFER)
    check_day(held, at.now)
    seen = held.now.state is TicketState.SERVING and held.now.checked_in_at is None
    sent = Happened(
        Move.TRANSFER,
        state,
        at.now,
        at.hall.id,
        here.id,
        detail=held.now.number,
        rank_time=held.now.rank_time,
        held_for=held_for,
        here=True if seen else None,
    )
    return held, sent


async def _present(tx: Transaction, at: At, here: CounterNow) -> Held:
    held = await standing.hold_at(tx, here.id)
    if held is None:
        raise await nobody_at(here.id, here.state, tx=tx, now=at.now)
    return held


async def _tell(row: asyncpg.Record, feed: Feed, *, left: HallEntry | None = None) -> TicketView:
    view = ticket_view(row, hall=row["hall"], ahead=row["ahead"])
    also = [Change(left.code)] if left else []
    await feed.changed(Change(view.hall, view.id, view.version), *also)
    return view
