"""Calling the next person, and what the counter then does with her."""

from datetime import datetime

import asyncpg

from models import tickets
from models.database import Transaction
from models.halls import CounterState
from models.tickets import Actor, CounterFacts, Move, Step, TicketState, WrongState
from scheduler.discipline import next_up
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound, Refusal
from server.halls.directory import HallEntry
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView


class NobodyWaiting(Refusal):
    """Nobody waits in any line that this counter serves."""

    status, code = 409, "nobody_waiting"
    sentence = ("没有人在等候。", "Nobody is waiting.")


async def call_next(
    hall: HallEntry, counter: str, who: Principal, *, now: datetime, feed: Feed
) -> TicketView:
    """Call the first person, by rank time, of all lines this counter serves.

    Raises NotFound, NobodyWaiting, or WrongState when the counter is not open or not free.
    """

    async def call(tx: Transaction) -> asyncpg.Record | None:
        facts = await _counter(tx, hall, counter)
        if facts.state is not CounterState.OPEN or facts.ticket_id is not None:
            raise WrongState("the counter is not open and free")
        head = next_up(facts.heads)
        if head is None:
            raise NobodyWaiting
        step = Step(
            hall_id=hall.id,
            ticket_id=head.id,
            move=Move.CALL,
            before=TicketState.WAITING,
            at=now,
            version=microseconds(),
            actor=Actor("staff", who.id),
            counter_id=facts.id,
        )
        return await tickets.make(tx, step)

    return await _tell(await tickets.decide(hall.id, call), hall, feed)


async def move_current(
    hall: HallEntry,
    counter: str,
    move: Move,
    who: Principal,
    *,
    now: datetime,
    feed: Feed,
    outcome: str | None = None,
) -> TicketView:
    """Make a transition of the ticket at this counter: start, finish or miss.

    Raises NotFound, or WrongState when nobody is at the counter or she is not at that point.
    """

    async def act(tx: Transaction) -> asyncpg.Record | None:
        facts = await _counter(tx, hall, counter)
        if facts.ticket_id is None or facts.ticket_state is None:
            raise WrongState("nobody is at the counter")
        step = Step(
            hall_id=hall.id,
            ticket_id=facts.ticket_id,
            move=move,
            before=facts.ticket_state,
            at=now,
            version=microseconds(),
            actor=Actor("staff", who.id),
            counter_id=facts.id,
            detail=outcome,
        )
        return await tickets.make(tx, step)

    return await _tell(await tickets.decide(hall.id, act), hall, feed)


async def _tell(row: asyncpg.Record, hall: HallEntry, feed: Feed) -> TicketView:
    view = ticket_view(row, hall=hall.code, ahead=None)
    await feed.changed(Change(hall.code, view.id, view.version))
    return view


async def _counter(tx: Transaction, hall: HallEntry, code: str) -> CounterFacts:
    facts = await tickets.counter_facts(tx, hall.id, code)
    if facts is None:
        raise NotFound(("没有这个窗口。", "There is no such counter."))
    return facts
