"""The way of a visit from one stop to the next: whose turn it is, and the number she gets there.

All of it happens under the lock of the hall where she is, in the transaction in which the stop
before ended; so a visit is nowhere only while nobody takes her (`tending`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from models import holders, issuing, visit_steps, visiting
from models.database import Transaction
from models.issuing import NewTicket
from models.tickets import Actor, TicketState
from models.visiting import HeldStop, HeldVisit, StopFacts
from models.visits import Left, VisitState
from scheduler.calendar import business_day
from scheduler.discipline import CREDIT_OF_WALK_IN
from scheduler.visits import LineNow, Stop, in_order, releases
from server.again import Overtaken
from server.clock import microseconds
from server.halls.directory import Directory, HallEntry
from server.live.memory import Change
from server.numbers import priorities
from server.numbers.refusals import AlreadyInLine, LineClosed, NotOffered, PlannedInVisit

_NOT_ALL_OFFERED = (
    "该大厅不能办理本次联办的全部事项，可先跳过不能办理的事项。",
    "This hall does not handle all that is left of the visit; skip what it does not first.",
)


@dataclass(frozen=True, slots=True)
class Doing:
    """Who does something to a visit, when (business time), and at which hall she is."""

    actor: Actor
    now: datetime
    hall: HallEntry
    directory: Directory


@dataclass(frozen=True, slots=True)
class _By:
    """Who signed somebody else in, through which proxy, and whom it is for as events name her."""

    citizen_id: UUID
    proxy_id: UUID | None
    on_behalf_of: UUID | None


async def go_on(
    tx: Transaction,
    visit: HeldVisit,
    doing: Doing,
    *,
    ended: UUID | None = None,
    first: UUID | None = None,
) -> list[Change]:
    """Give her the number of the stop that is best done next; end the visit where none is left.

    Nothing happens while another of its numbers is open, or while all its lines are paused: then it
    goes on when one is opened (`tending`). Nor does it once the visit's day is over, which ends it
    (`tending`). A stop that this hall does not offer, or for which she
    has another number, is left out. `ended` is the ticket whose end this is, if not the last.
    `first` is the item that a clerk wants next: raises NotOffered, AlreadyInLine, PlannedInVisit or
    LineClosed when that cannot be, and Overtaken when she took a number of her own just now.
    Answers the tickets that changed.
    """
    if visit.state is not VisitState.OPEN or visit.is_under_way:
        return []
    if visit.day < business_day(doing.now):
        if first is not None:
            raise LineClosed
        return []
    lines = await visiting.lines_now(
        tx, doing.hall.id, [stop.item_id for stop in visit.pending], visit, now=doing.now
    )
    if first is not None:
        _require(lines.get(first))
    pending = await _without_impossible(tx, visit, lines)
    if not pending:
        await visit_steps.end(tx, visit.id, _ended_as(visit), doing.now)
        return []
    order = ordered(pending, lines, doing.hall, doing.directory)
    order.sort(key=lambda stop: stop.item_id != first)
    if order != list(visit.pending):
        await visit_steps.put_in_order(tx, visit.id, [stop.id for stop in order])
    for stop in ready(order) if first is None else order[:1]:
        if lines[stop.item_id].is_open:
            return await _give_number(tx, visit, stop, lines[stop.item_id], doing, ended=ended)
    return []


async def offered_rest(tx: Transaction, visit_id: UUID, hall: HallEntry) -> list[UUID]:
    """The items that are left of a visit. Raises NotOffered where a hall does not do them all."""
    left = await tx.rows(
        """
        SELECT i.id, i.code FROM visit_stop s JOIN item i ON i.id = s.item_id
        WHERE s.visit_id = $1 AND s.ticket_id IS NULL AND s.left_out IS NULL
        """,
        visit_id,
    )
    if any(row["code"] not in hall.offers for row in left):
        raise NotOffered(_NOT_ALL_OFFERED)
    return [row["id"] for row in left]


class ToDo(Protocol):
    """An item to be done, and those of the visit that come before it."""

    @property
    def item_id(self) -> UUID:
        """The item."""

    @property
    def after(self) -> Sequence[UUID]:
        """Items that come before it, where they are still to be done."""


Some = TypeVar("Some", bound=ToDo)


def ordered(
    stops: Sequence[Some],
    lines: Mapping[UUID, StopFacts],
    hall: HallEntry,
    directory: Directory,
) -> list[Some]:
    """The stops in the order that makes the visit shortest, by what is known of their lines now."""
    about = {
        stop.item_id: LineNow(
            lines[stop.item_id].ahead,
            _mean_minutes(hall, lines[stop.item_id].line_id, directory),
            lines[stop.item_id].counters,
        )
        for stop in stops
    }
    when = releases(about)
    by_item = {stop.item_id: stop for stop in stops}
    wanted = [
        Stop(
            stop.item_id,
            when[stop.item_id],
            directory.item_by_id(stop.item_id).minutes,
            frozenset(stop.after),
        )
        for stop in stops
    ]
    return [by_item[each.key] for each in in_order(wanted)]


def ready(order: Sequence[Some]) -> list[Some]:
    """Those that nothing else of these must come before."""
    open_items = {stop.item_id for stop in order}
    return [stop for stop in order if open_items.isdisjoint(stop.after)]


def _mean_minutes(hall: HallEntry, line_id: UUID, directory: Directory) -> float:
    """The mean of the usual times of what the line handles."""
    code = next(line.code for line in hall.lines.values() if line.id == line_id)
    times = [directory.item(item).minutes for item, line in hall.offers.items() if line == code]
    return sum(times) / len(times) if times else 1.0


def _require(facts: StopFacts | None) -> None:
    if facts is None:
        raise NotOffered
    if facts.ticket_id is not None:
        raise AlreadyInLine
    if facts.is_pending_elsewhere:
        raise PlannedInVisit
    if not facts.is_open:
        raise LineClosed


async def _without_impossible(
    tx: Transaction, visit: HeldVisit, lines: dict[UUID, StopFacts]
) -> tuple[HeldStop, ...]:
    absent = [stop for stop in visit.pending if stop.item_id not in lines]
    doubled = [
        stop for stop in visit.pending if stop not in absent and lines[stop.item_id].ticket_id
    ]
    for stops, why in ((absent, Left.NOT_OFFERED), (doubled, Left.ALREADY_IN_LINE)):
        if stops:
            await visit_steps.leave_out(tx, [stop.id for stop in stops], why)
    return tuple(stop for stop in visit.pending if stop not in (*absent, *doubled))


def _ended_as(visit: HeldVisit) -> VisitState:
    done = any(stop.state is TicketState.FINISHED for stop in visit.stops)
    return VisitState.FINISHED if done else VisitState.CANCELLED


async def _give_number(
    tx: Transaction,
    visit: HeldVisit,
    stop: HeldStop,
    line: StopFacts,
    doing: Doing,
    *,
    ended: UUID | None,
) -> list[Change]:
    """A number of the line, whatever its limit: she has waited in it since she signed in."""
    here = _is_here(doing.hall, visit, just_served=ended is not None)
    issued = await issuing.issue(_new_ticket(visit, stop, line, doing, here), tx=tx)
    if issued is None:
        # Only this hall is held: she has taken a number for the item at another one just now.
        raise Overtaken
    hall, last, version, touched = doing.hall, visit.last, issued.version, []
    if last is not None and last.ticket_id is not None:
        ended = ended or last.ticket_id
        touched.append(await visit_steps.touch(tx, ended, microseconds()))
        if visit.citizen_id is None:
            await holders.carry(tx, ended, issued.id)
    await visit_steps.take_turn(tx, visit.id, stop.id, issued.id, given_after=ended)
    if hall.id != visit.hall_id:
        await visit_steps.be_in(tx, visit.id, hall.id)
    if last is not None and last.priority is not None:
        row = await priorities.make_claim(
            tx,
            issued.id,
            last.priority,
            hall,
            is_proven=last.priority_at is not None,
            proof="visit",
            actor=doing.actor,
        )
        version = row["version"]
    changed = [Change(doing.directory.hall_by_id(at).code, ended, to) for at, to in touched]
    return [Change(hall.code, issued.id, version), *changed]


def _is_here(hall: HallEntry, visit: HeldVisit, *, just_served: bool) -> bool | None:
    """Whether she is at the hall: so she is once she was served there."""
    was_served = _ended_as(visit) is VisitState.FINISHED and hall.id == visit.hall_id
    if just_served or was_served:
        return True
    return False if hall.rules.check_in_required else None


def _new_ticket(
    visit: HeldVisit, stop: HeldStop, line: StopFacts, doing: Doing, here: bool | None
) -> NewTicket:
    by = _By(visit.acting_id, visit.proxy_id, visit.on_behalf_of) if visit.acting_id else None
    return NewTicket(
        hall_id=doing.hall.id,
        line_id=line.line_id,
        item_id=stop.item_id,
        citizen_id=visit.citizen_id,
        day=visit.day,
        asked_at=doing.now,
        credit=CREDIT_OF_WALK_IN,
        version=microseconds(),
        level_required=0,  # asked of her for all items when she signed in
        actor=doing.actor,
        within_limit=True,
        acting=by,
        person_key=visit.person_key,
        visit_id=visit.id,
        # She was asked to be there for its slot, not for the first one's; late, she is for all.
        rank_time=max(stop.slot_start or visit.rank_time, visit.rank_time),
        here=here,
    )
