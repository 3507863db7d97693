"""Opening, pausing and closing a counter, and who works at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from models import decisions, standing
from models.audit import Entry, record
from models.database import Transaction
from models.halls import CounterState
from models.history import Happened
from models.tickets import Actor, Move, TicketState, WrongState
from scheduler.calendar import business_day, end_of_day
from server.clock import microseconds
from server.counters.at import At
from server.counters.looking import one_counter
from server.counters.refusals import LineNotServed
from server.counters.views import CounterView, PauseCounter
from server.errors import FieldFault, InvalidRequest
from server.lines.changing import check_later_today
from server.live.feed import Feed
from server.live.memory import Change
from server.own_counter import check_in_charge, check_staffed_by, no_counter

_EITHER: Final = ("minutes 和 until 只能给一个。", "give either minutes or until")
# The states from which each state can be reached.
_FROM = {
    CounterState.OPEN: (CounterState.CLOSED, CounterState.PAUSED, CounterState.OPEN),
    CounterState.PAUSED: (CounterState.OPEN,),
    CounterState.CLOSED: (CounterState.OPEN, CounterState.PAUSED),
}


@dataclass(frozen=True, slots=True)
class HeldCounter:
    """A counter whose hall this transaction holds."""

    id: UUID
    state: CounterState
    skills: list[str]
    staffed_by: UUID | None
    staff_name: str | None


async def open_counter(
    at: At, *, lines: Sequence[str] | None, take_over: bool, feed: Feed
) -> CounterView:
    """Open for all its lines or those named, and staff it; whoever is at it stays there.

    Raises NotFound, LineNotServed, or StaffedByAnother unless it is taken over.
    """
    async with decisions.deciding_in(at.hall.id) as tx:
        counter = await hold(tx, at, CounterState.OPEN)
        taken = counter.staffed_by not in (None, at.who.id)
        if not take_over:
            check_staffed_by(at.who, counter.staffed_by, counter.staff_name)
        await tx.run(
            """
            UPDATE counter SET state = 'open', serving = $2, pause_reason = NULL,
                paused_until = NULL, opened_on = $3, staffed_by = $4,
                staffed_since = CASE WHEN staffed_by = $4 THEN staffed_since ELSE $5 END
            WHERE id = $1
            """,
            counter.id,
            _chosen(counter.skills, lines),
            business_day(at.now),
            at.who.id,
            at.now,
        )
        view = await one_counter(tx, at.hall.id, at.counter, now=at.now)
        if taken:
            await record_at(tx, at, "counter.taken_over", counter.id)
    await feed.changed(Change(at.hall.code))
    return view


async def pause_counter(at: At, why: PauseCounter, *, feed: Feed) -> CounterView:
    """Pause, say why, and perhaps until when. Whoever is at it is still served.

    She who staffs it does so, or who manages the hall. Raises NotFound, InvalidRequest,
    StaffedByAnother or WrongState.
    """
    until = _until(why, at.now)
    async with decisions.deciding_in(at.hall.id) as tx:
        counter = await _hold_in_charge(tx, at, CounterState.PAUSED)
        await pause(tx, counter.id, why.reason, until)
        view = await one_counter(tx, at.hall.id, at.counter, now=at.now)
    await feed.changed(Change(at.hall.code))
    return view


async def close_counter(at: At, *, feed: Feed) -> CounterView:
    """Close it to everybody new: she who staffs it, or who manages the hall.

    Raises NotFound, StaffedByAnother, or WrongState when it is closed.
    Who was called and has not come waits again, in her place; who is being served is served to the
    end: start, finish, park and sending on do not ask whether the counter is open.
    """
    async with decisions.deciding_in(at.hall.id) as tx:
        counter = await _hold_in_charge(tx, at, CounterState.CLOSED)
        returned = await _back_to_line(tx, at, counter.id)
        await tx.run(
            """
            UPDATE counter SET state = 'closed', pause_reason = NULL, paused_until = NULL,
                staffed_by = NULL, staffed_since = NULL
            WHERE id = $1
            """,
            counter.id,
        )
        view = await one_counter(tx, at.hall.id, at.counter, now=at.now)
    moved = [Change(at.hall.code, returned["id"], returned["version"])] if returned else []
    await feed.changed(Change(at.hall.code), *moved)
    return view


async def _back_to_line(tx: Transaction, at: At, counter_id: UUID) -> asyncpg.Record | None:
    """Let whoever is called to the counter wait again as she did; None when nobody is called."""
    held = await standing.hold_at(tx, counter_id)
    if held is None or held.now.state is not TicketState.CALLED:
        return None
    return await standing.make(
        tx,
        held,
        Happened(
            Move.RETURN_TO_LINE,
            TicketState.WAITING,
            at.now,
            at.hall.id,
            counter_id,
            detail="counter_closed",
        ),
        version=microseconds(),
        actor=Actor("staff", at.who.id),
        on_behalf_of=held.on_behalf_of,
    )


async def _hold_in_charge(tx: Transaction, at: At, wanted: CounterState) -> HeldCounter:
    """The same as `hold`, for her who staffs it or manages the hall. Raises StaffedByAnother."""
    counter = await hold(tx, at)
    check_in_charge(at.who, counter.staffed_by, counter.staff_name)
    _check_follows(counter.state, wanted)
    return counter


async def hold(tx: Transaction, at: At, wanted: CounterState | None = None) -> HeldCounter:
    """The counter as it is now. Raises NotFound, or WrongState where `wanted` cannot follow."""
    row = await tx.row(
        """
        SELECT c.id, c.state, c.skills, c.staffed_by, staff.name AS staff_name
        FROM counter c LEFT JOIN staff ON staff.id = c.staffed_by
        WHERE c.hall_id = $1 AND c.code = $2
        """,
        at.hall.id,
        at.counter,
    )
    if row is None:
        raise no_counter()
    state = CounterState(row["state"])
    if wanted is not None:
        _check_follows(state, wanted)
    return HeldCounter(row["id"], state, list(row["skills"]), row["staffed_by"], row["staff_name"])


def _check_follows(state: CounterState, wanted: CounterState) -> None:
    if state not in _FROM[wanted]:
        raise WrongState(f"{wanted} from {state}", state)


def _until(why: PauseCounter, now: datetime) -> datetime | None:
    """When it means to go on: today, where that is said. Raises InvalidRequest."""
    if why.until is not None and why.minutes is not None:
        raise InvalidRequest(errors=[FieldFault("/minutes", _EITHER)])
    until = why.until
    if why.minutes is not None:
        until = min(now + timedelta(minutes=why.minutes), end_of_day(now))
    if until is not None:
        check_later_today(until, now)
    return until


async def pause(
    tx: Transaction, counter_id: UUID, reason: str, until: datetime | None = None
) -> None:
    """Let an open counter take nobody new; `until`: it means to go on then."""
    await tx.run(
        "UPDATE counter SET state = 'paused', pause_reason = $2, paused_until = $3 WHERE id = $1",
        counter_id,
        reason,
        until,
    )


async def record_at(
    tx: Transaction, at: At, action: str, counter_id: UUID, **detail: str | int | Sequence[str]
) -> None:
    """An entry in the audit log about a counter. Last before the commit."""
    told = {"hall": at.hall.code, "counter": at.counter, **detail}
    await record(tx, Entry(Actor("staff", at.who.id), action, "counter", counter_id, detail=told))


def _chosen(skills: list[str], lines: Sequence[str] | None) -> list[str]:
    """The lines to serve, in the counter's order of preference. Raises LineNotServed."""
    if lines is None:
        return skills
    foreign = sorted(set(lines) - set(skills))
    if foreign:
        named = "、".join(foreign)
        raise LineNotServed(
            (f"该窗口不能办理队列 {named}。", f"This counter cannot serve {named}.")
        )
    return [code for code in skills if code in lines]
