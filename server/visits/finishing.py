"""Finishing a stop of a visit: its next number is issued in the same transaction."""

from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from models import decisions, standing, visit_steps, visiting
from models.database import Transaction
from models.decisions import VIEW_ONE
from models.history import Happened
from models.standing import Held
from models.tickets import Actor, Move, TicketState, WrongState, after
from models.visiting import NewVisit
from models.visits import VisitState
from server.again import until_done
from server.auth import Principal
from server.clock import microseconds
from server.halls.directory import Directory, HallEntry, ItemEntry
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.numbers.arriving import check_day
from server.numbers.refusals import NotOffered
from server.own_counter import CounterNow, nobody_at, own_counter
from server.visits.going_on import Doing, go_on

_GONE_ON: Final = ("她的下一个号已有变动", "her next number has gone on")


async def finish(
    hall: HallEntry,
    counter: str,
    who: Principal,
    *,
    outcome: str | None,
    next_item: str | None,
    now: datetime,
    directory: Directory,
    feed: Feed,
) -> TicketView:
    """Finish whoever is served at a counter, and give her the number of her next stop.

    With `next_item` that is the next; a ticket that was of no visit then begins one. Raises
    NotFound, NotOffered, AlreadyInLine, LineClosed, StaffedByAnother, or WrongState when nobody is
    being served.
    """
    item = directory.item(next_item) if next_item is not None else None
    if item is not None and item.code not in hall.offers:
        raise NotOffered
    doing = Doing(Actor("staff", who.id), now, hall, directory)

    async def work(tx: Transaction) -> tuple[TicketView, list[Change]]:
        await decisions.lock(tx, hall.id)
        here = await own_counter(tx, hall, counter, who)
        return await _finish(tx, here, item, outcome, doing)

    view, given = await until_done(work)
    await feed.changed(Change(hall.code, view.id, view.version), *given)
    return view


async def _finish(
    tx: Transaction,
    here: CounterNow,
    item: ItemEntry | None,
    outcome: str | None,
    doing: Doing,
) -> tuple[TicketView, list[Change]]:
    hall = doing.hall
    await visiting.hold_people_at(tx, here.id)
    held = await standing.hold_at(tx, here.id)
    if held is None:
        raise await nobody_at(here.id, here.state, tx=tx, now=doing.now)
    if held.now.state is not TicketState.SERVING:
        raise WrongState("nobody is being served", held.now.state)
    visit_id, begun = held.now.visit_id, None
    if item is not None:
        check_day(held, doing.now)
        if visit_id is None:
            visit_id = begun = await _begin_with(tx, held, hall)
    event = Happened(
        Move.FINISH,
        after(held.now.state, Move.FINISH),
        doing.now,
        hall.id,
        here.id,
        detail=outcome,
        visit_id=begun,
    )
    await standing.make(
        tx,
        held,
        event,
        version=microseconds(),
        actor=doing.actor,
        on_behalf_of=held.on_behalf_of,
    )
    given: list[Change] = []
    if visit_id is not None:
        given = await _next_stop(tx, visit_id, held, item, doing)
    row = await tx.row(VIEW_ONE, held.id)
    return ticket_view(row, hall=hall.code, ahead=None), given


async def _next_stop(
    tx: Transaction,
    visit_id: UUID,
    held: Held,
    item: ItemEntry | None,
    doing: Doing,
) -> list[Change]:
    visit = await visiting.hold(tx, visit_id)
    assert visit is not None, "a ticket's visit is there as long as the ticket"
    if item is None:
        return await go_on(tx, visit, doing, ended=held.id)
    stop = visit.with_item(item.id)
    if stop is None or not stop.is_pending:
        await visit_steps.add_stop(tx, visit_id, item.id, len(visit.stops) + 1, added_with=held.id)
        visit = await visiting.hold(tx, visit_id)
        assert visit is not None, "it was there a moment ago"
    return await go_on(tx, visit, doing, ended=held.id, first=item.id)


async def _begin_with(tx: Transaction, held: Held, hall: HallEntry) -> UUID:
    """A visit whose first stop is the ticket that is being served; its place in the order is hers.

    A priority counts again for each of its tickets, so what it gave this one is not counted here.
    """
    rank_time = held.now.rank_time
    priority, since, returned = held.now.priority, held.now.priority_at, held.now.returned_at
    if priority is not None and since is not None and (returned is None or returned < since):
        rank_time += hall.rules.credit(priority.value)
    visit_id: UUID = uuid7()
    await visit_steps.begin(
        tx,
        NewVisit(
            id=visit_id,
            hall_id=hall.id,
            citizen_id=held.citizen_id,
            acting_id=held.acting_id,
            proxy_id=held.proxy_id,
            person_key=held.person_key,
            day=held.day,
            begun_at=held.issued_at,
            rank_time=rank_time,
        ),
    )
    stop_id = await visit_steps.add_stop(tx, visit_id, held.item_id, 1)
    await visit_steps.take_turn(tx, visit_id, stop_id, held.id)
    return visit_id


async def undo_finish(
    tx: Transaction, held: Held, event: Happened, *, now: datetime, actor: Actor
) -> Change | None:
    """Take back what a finish, about to be undone, did to the visit: the next number, if one.

    `held` is the finished ticket, `event` its finish. Raises WrongState when the next number does
    not just wait where it was issued, for then somebody has begun with her there, and when she has
    given her visit up: what a finish ends is finished.
    """
    visit_id = held.now.visit_id
    visit = await visiting.hold(tx, visit_id) if visit_id else None
    if visit is None or visit_id is None:
        return None
    if visit.state not in {VisitState.OPEN, VisitState.FINISHED}:
        raise WrongState("she has given her visit up since", visit.state)
    given = next((stop for stop in visit.stops if stop.given_after == held.id), None)
    change = None
    if given is not None:
        change = await _withdraw(tx, given.ticket_id, held, now=now, actor=actor)
    if event.visit_id is not None:
        await visit_steps.forget(tx, visit_id)
    else:
        await visit_steps.put_back(tx, visit_id, held.id)
    return change


async def _withdraw(
    tx: Transaction, ticket_id: UUID | None, before: Held, *, now: datetime, actor: Actor
) -> Change:
    given = await standing.hold(tx, ticket_id) if ticket_id else None
    waits = given is not None and given.now.state is TicketState.WAITING
    if given is None or not waits or given.now.hall_id != before.now.hall_id:
        raise WrongState("she has gone on since", given.now.state if given else None, told=_GONE_ON)
    event = Happened(Move.CANCEL, TicketState.CANCELLED, now, given.now.hall_id, detail="undone")
    row = await standing.make(
        tx,
        given,
        event,
        version=microseconds(),
        actor=actor,
        on_behalf_of=given.on_behalf_of,
    )
    return Change(row["hall"], given.id, row["version"])
