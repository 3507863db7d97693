"""Calling the next person, and what the counter then does with her."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg

from models import decisions
from models.database import Transaction
from models.decisions import CounterFacts, Step
from models.halls import CounterState
from models.tickets import Actor, Move, TicketState, WrongState
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

    step = _step(hall, Move.CALL, TicketState.WAITING, who=who, now=now)

    async def call(tx: Transaction) -> asyncpg.Record | None:
        if row := await decisions.call_first(tx, counter, step):
            return row
        facts = await _counter(tx, hall, counter)
        if facts.state is not CounterState.OPEN or facts.ticket_id is not None:
            raise WrongState("the counter is not open and free")
        head = next_up(facts.heads)
        if head is None:
            raise NobodyWaiting
        return await decisions.make(tx, head.id, step, counter=counter)

    return await _tell(await _decided(hall, counter, call), hall, feed)


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

    step = _step(hall, move, _STATE_BEFORE[move], who=who, now=now, outcome=outcome)

    async def act(tx: Transaction) -> asyncpg.Record | None:
        if row := await decisions.move_at(tx, counter, step):
            return row
        facts = await _counter(tx, hall, counter)
        if facts.ticket_state is not step.before:
            raise WrongState("nobody at the counter is at that point")
        return None

    return await _tell(await _decided(hall, counter, act), hall, feed)


# Each of these follows on one state only.
_STATE_BEFORE = {
    Move.START: TicketState.CALLED,
    Move.FINISH: TicketState.SERVING,
    Move.MISS: TicketState.CALLED,
}


def _step(
    hall: HallEntry,
    move: Move,
    before: TicketState,
    *,
    who: Principal,
    now: datetime,
    outcome: str | None = None,
) -> Step:
    actor = Actor("staff", who.id)
    return Step(hall.id, move, before, now, microseconds(), actor, outcome)


async def _decided(
    hall: HallEntry, counter: str, work: Callable[[Transaction], Awaitable[asyncpg.Record | None]]
) -> asyncpg.Record:
    try:
        return await decisions.decide(hall.id, work)
    except asyncpg.UniqueViolationError as taken:
        if taken.constraint_name == "ticket_at_counter_once":
            raise WrongState(f"somebody is at counter {counter}") from None
        raise


async def _tell(row: asyncpg.Record, hall: HallEntry, feed: Feed) -> TicketView:
    view = ticket_view(row, hall=hall.code, ahead=None)
    await feed.changed(Change(hall.code, view.id, view.version))
    return view


async def _counter(tx: Transaction, hall: HallEntry, code: str) -> CounterFacts:
    facts = await decisions.counter_facts(tx, hall.id, code)
    if facts is None:
        raise NotFound(("没有这个窗口。", "There is no such counter."))
    return facts
