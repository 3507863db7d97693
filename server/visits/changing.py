"""What a citizen does with her visit: gives it up, or one of its stops."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models import standing, visit_steps, visiting
from models.audit import Entry, record
from models.database import Transaction
from models.history import Happened
from models.joined import current_id
from models.tickets import Actor, Move, TicketState, WrongState, after
from models.visiting import HeldStop, HeldVisit
from models.visits import Left, VisitState
from server.again import until_done
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound
from server.halls.directory import Directory
from server.live.feed import Feed
from server.live.memory import Change
from server.visits.going_on import Doing, go_on
from server.visits.refusals import NotInVisit

Work = Callable[[Transaction, HeldVisit, Doing], Awaitable[list[Change]]]


async def cancel(
    visit_id: UUID, who: Principal, *, now: datetime, directory: Directory, feed: Feed
) -> None:
    """Give a whole visit up: her number, and what she had not come to yet.

    Raises NotFound, or WrongState while she is being served and once the visit is over.
    """

    async def work(tx: Transaction, visit: HeldVisit, doing: Doing) -> list[Change]:
        under_way = [stop for stop in visit.stops if stop.is_under_way]
        changes = [await _give_up(tx, stop, doing) for stop in under_way]
        await visit_steps.end(tx, visit.id, VisitState.CANCELLED, now)
        return changes

    await _change(visit_id, who, work, _Asked("visit.cancelled", now, directory, feed))


async def skip(
    visit_id: UUID, item: str, who: Principal, *, now: datetime, directory: Directory, feed: Feed
) -> None:
    """Leave a stop out, and go on with the next where it was this one's turn.

    Raises NotFound, NotInVisit, or WrongState while she is served there and once it is over.
    """
    entry = directory.items.get(item)

    async def work(tx: Transaction, visit: HeldVisit, doing: Doing) -> list[Change]:
        stop = visit.with_item(entry.id) if entry else None
        if stop is None:
            raise NotInVisit
        return await leave_out(tx, visit, stop, doing)

    await _change(visit_id, who, work, _Asked("visit.skipped", now, directory, feed))


async def give_up_ticket(
    visit_id: UUID,
    ticket_id: UUID,
    who: Principal,
    *,
    now: datetime,
    directory: Directory,
    feed: Feed,
) -> None:
    """Give up one number of a visit, which is to leave its stop out.

    Raises NotFound, or WrongState once she is being served.
    """

    async def work(tx: Transaction, visit: HeldVisit, doing: Doing) -> list[Change]:
        stop = next((each for each in visit.stops if each.ticket_id == ticket_id), None)
        if stop is None or not stop.is_under_way:
            raise WrongState("it is over", stop.state if stop else None)
        return await leave_out(tx, visit, stop, doing)

    await _change(visit_id, who, work, _Asked("ticket.cancelled", now, directory, feed))


async def leave_out(
    tx: Transaction, visit: HeldVisit, stop: HeldStop, doing: Doing
) -> list[Change]:
    """Leave a stop out that is pending, under way, or was missed. Raises WrongState otherwise."""
    if stop.left_out is not None or stop.state in {TicketState.FINISHED, TicketState.CANCELLED}:
        raise WrongState("it is over", stop.state or visit.state)
    changes = [await _give_up(tx, stop, doing)] if stop.is_under_way else []
    await visit_steps.leave_out(tx, [stop.id], Left.SKIPPED)
    now = await visiting.hold(tx, visit.id)
    assert now is not None, "its row is held"
    last = now.last
    waits_for_her = last is not None and last.state is TicketState.MISSED and last.left_out is None
    if waits_for_her:
        return changes
    given = await go_on(tx, now, doing)
    return [*changes, *given]


async def _give_up(tx: Transaction, stop: HeldStop, doing: Doing) -> Change:
    held = await standing.hold(tx, stop.ticket_id) if stop.ticket_id else None
    assert held is not None, "a stop under way has a ticket"
    event = Happened(Move.CANCEL, after(held.now.state, Move.CANCEL), doing.now, held.now.hall_id)
    row = await standing.make(
        tx,
        held,
        event,
        version=microseconds(),
        actor=doing.actor,
        on_behalf_of=held.on_behalf_of,
    )
    return Change(row["hall"], held.id, row["version"])


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for, as the log calls it, and what is needed to do it."""

    recorded_as: str
    now: datetime
    directory: Directory
    feed: Feed


async def _change(visit_id: UUID, who: Principal, work: Work, asked: _Asked) -> None:
    async def locked(tx: Transaction) -> list[Change]:
        halls = await visiting.lock_halls(tx, visit_id, who.id)
        if not halls and (now_id := await current_id(who.id, tx=tx)) not in {None, who.id}:
            # Her account was joined into another a moment ago, and her token does not know yet.
            halls = await visiting.lock_halls(tx, visit_id, now_id)
        if not halls:
            raise NotFound
        await visiting.hold_people(tx, visit_id)
        visit = await visiting.hold(tx, visit_id)
        if visit is None:
            raise NotFound
        if visit.state is not VisitState.OPEN or not visit.is_within(halls):
            raise WrongState("it is over, or has moved to another hall", visit.state)
        actor, hall = Actor("citizen", who.id), asked.directory.hall_by_id(visit.is_at)
        changes = await work(tx, visit, Doing(actor, asked.now, hall, asked.directory))
        if visit.on_behalf_of is not None and visit.acting_id == who.id:
            entry = Entry(
                actor, asked.recorded_as, "visit", visit_id, on_behalf_of=visit.on_behalf_of
            )
            await record(tx, entry)
        return changes

    changes = await until_done(locked)
    if changes:
        await asked.feed.changed(*changes)
