"""Calling the next person, and what the counter then does with her."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg

from models import decisions, steps
from models.database import Transaction
from models.decisions import CounterFacts
from models.halls import CounterState
from models.steps import Step
from models.tickets import Actor, Move, TicketState, WrongState
from scheduler.discipline import next_up
from server.auth import Principal
from server.clock import microseconds
from server.counters.refusals import NOBODY_HERE, NobodyWaiting
from server.halls.directory import Directory, HallEntry
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.own_counter import check_staffed_by, no_counter, nobody_at
from server.visits.finishing import finish


class _OfVisit(Exception):
    """The finish is that of a visit's stop, which goes on with the next."""


async def call_next(
    hall: HallEntry, counter: str, who: Principal, *, now: datetime, feed: Feed
) -> TicketView:
    """Call the first person of the lines this counter serves, as the published rule has it.

    Raises NotFound, NobodyWaiting, StaffedByAnother, or WrongState when the counter is not open or
    not free.
    """

    step = _step(hall, Move.CALL, TicketState.WAITING, who=who, now=now)

    async def call(tx: Transaction | None) -> asyncpg.Record | None:
        if row := await steps.call_first(counter, step, tx=tx):
            return row
        facts = await _own_counter(hall, counter, who, tx, now)
        if facts.ticket_state is not None:
            raise WrongState("somebody is at the counter", facts.ticket_state)
        if facts.state is not CounterState.OPEN:
            raise WrongState("the counter is not open", facts.state)
        if next_up(facts.heads, now) is None:
            raise NobodyWaiting(NOBODY_HERE if hall.rules.check_in_required else None)
        return None

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
    directory: Directory,
) -> TicketView:
    """Make a transition of the ticket at this counter: start, finish, miss or park.

    Raises NotFound, StaffedByAnother, or WrongState when nobody is at the counter or she is not at
    that point.
    """

    step = _step(hall, move, _STATE_BEFORE[move], who=who, now=now, outcome=outcome)

    async def act(tx: Transaction | None) -> asyncpg.Record | None:
        if row := await steps.move_at(counter, step, tx=tx):
            return row
        facts = await _own_counter(hall, counter, who, tx, now)
        if facts.ticket_state is not step.before:
            raise await _not_at_that_point(facts, tx, now)
        if move is Move.FINISH and facts.visit_id is not None:
            raise _OfVisit
        return None

    try:
        row = await _decided(hall, counter, act)
    except _OfVisit:
        return await finish(
            hall,
            counter,
            who,
            outcome=outcome,
            next_item=None,
            now=now,
            directory=directory,
            feed=feed,
        )
    return await _tell(row, hall, feed)


async def _not_at_that_point(
    facts: CounterFacts, tx: Transaction | None, now: datetime
) -> WrongState:
    if facts.ticket_state is None:
        return await nobody_at(facts.id, facts.state, tx=tx, now=now)
    return WrongState("nobody at the counter is at that point", facts.ticket_state)


# Each of these follows on one state only.
_STATE_BEFORE = {
    Move.START: TicketState.CALLED,
    Move.FINISH: TicketState.SERVING,
    Move.MISS: TicketState.CALLED,
    Move.PARK: TicketState.SERVING,
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
    hall: HallEntry,
    counter: str,
    work: Callable[[Transaction | None], Awaitable[asyncpg.Record | None]],
) -> asyncpg.Record:
    try:
        return await decisions.decide(hall.id, work)
    except asyncpg.UniqueViolationError as taken:
        if taken.constraint_name == "ticket_at_counter_once":
            raise WrongState(f"somebody is at counter {counter}", TicketState.CALLED) from None
        raise


async def _tell(row: asyncpg.Record, hall: HallEntry, feed: Feed) -> TicketView:
    view = ticket_view(row, hall=hall.code, ahead=None)
    await feed.changed(Change(hall.code, view.id, view.version))
    return view


async def _own_counter(
    hall: HallEntry, code: str, who: Principal, tx: Transaction | None, now: datetime
) -> CounterFacts:
    """The counter at which she works, or nobody. Raises NotFound or StaffedByAnother."""
    facts = await decisions.counter_facts(hall.id, code, now=now, tx=tx)
    if facts is None:
        raise no_counter()
    check_staffed_by(who, facts.staffed_by, facts.staff_name)
    return facts
