"""Giving out a number: what is the same on a phone, at the help desk and at a kiosk."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from models import decisions, issuing
from models.database import Transaction, transaction
from models.decisions import LineFacts
from models.halls import LineState
from models.issuing import Issued, NewTicket, Papers
from models.promises import Basis, as_told
from models.tickets import Actor, TicketState
from scheduler.calendar import business_day
from scheduler.discipline import CREDIT_OF_WALK_IN
from server.clock import microseconds
from server.errors import LevelTooLow
from server.halls.directory import HallEntry, ItemEntry, LineEntry
from server.live.memory import Memory
from server.live.reading import shown
from server.live.state import TakenFor, TicketView, Wait
from server.numbers.arriving import check_left, check_open, wait_of_who_joins
from server.numbers.refusals import (
    NO_MORE_TODAY,
    AlreadyInLine,
    LineClosed,
    LineFull,
    MissedNumberKept,
    NotOffered,
    PlannedInVisit,
)

# Raises what stands against a number, where nothing moves.
Check = Callable[[Transaction, LineFacts], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Giving:
    """A number about to be given: in which line of which hall, for what, and when."""

    hall: HallEntry
    item: ItemEntry
    line: LineEntry
    now: datetime
    memory: Memory


def line_for(hall: HallEntry, item: ItemEntry) -> LineEntry:
    """The line of a hall that serves an item. Raises NotOffered."""
    code = hall.offers.get(item.code)
    if code is None:
        raise NotOffered
    return hall.lines[code]


async def check_hall(giving: Giving, *, tx: Transaction | None = None) -> None:
    """What mostly needs no database: the hall is open, its day not full.

    Raises HallClosed or LineFull.
    """
    check_open(giving.hall, giving.now)
    await check_left(giving.hall, giving.line.code, giving.memory, giving.now, tx=tx)


def new_ticket(
    giving: Giving,
    actor: Actor,
    *,
    citizen_id: UUID | None,
    person_key: UUID | None,
    level_required: int,
    here: bool | None,
) -> NewTicket:
    """The ticket to be issued."""
    return NewTicket(
        hall_id=giving.hall.id,
        line_id=giving.line.id,
        item_id=giving.item.id,
        citizen_id=citizen_id,
        day=business_day(giving.now),
        asked_at=giving.now,
        credit=CREDIT_OF_WALK_IN,
        version=microseconds(),
        level_required=level_required,
        actor=actor,
        person_key=person_key,
        here=here,
    )


@dataclass(frozen=True, slots=True)
class Given:
    """A ticket just issued, and the verified number of whom it is for, if it was asked for."""

    view: TicketView
    papers: Papers | None


async def give(
    giving: Giving,
    new: NewTicket,
    check: Check,
    *,
    tx: Transaction | None = None,
    taker_id: UUID | None = None,
    taken_for: TakenFor | None = None,
) -> Given:
    """Issue a ticket in one statement, which refuses by writing nothing; `check` then says why.

    `taker_id` is the citizen who takes it. The wait is the one last foreseen for whoever joins, and
    kept with the number as what she was told. Raises AlreadyInLine, and whatever `check` raises.
    """
    wait = _wait(giving, new)
    if wait is not None:
        told = as_told(wait.p10_s, wait.p50_s, wait.p90_s, Basis(wait.basis))
        new = replace(new, told=told)
    issued = await issuing.issue(new, tx=tx)
    if issued is None and tx is not None:
        issued = await _issue_under_lock(tx, new, check, taker_id)
    elif issued is None:
        async with transaction() as own:
            issued = await _issue_under_lock(own, new, check, taker_id)
    view = _view(giving, new, issued, taken_for, wait)
    return Given(view, issued.papers)


def _wait(giving: Giving, new: NewTicket) -> Wait | None:
    # Who must check in first is passed over until then: when that will be nobody knows.
    if new.here is False or new.rank_time is not None:
        return None
    # Who begins a visit is answered with the visit, which tells no wait.
    if new.visit_id is not None:
        return None
    return wait_of_who_joins(giving.hall, giving.line.code, giving.memory, giving.now)


async def _issue_under_lock(
    tx: Transaction, new: NewTicket, check: Check, taker_id: UUID | None
) -> Issued:
    """Find what stands against the ticket, where nothing moves; a limited line is counted here."""
    await decisions.lock(tx, new.hall_id)
    facts = await decisions.line_facts(
        tx,
        line_id=new.line_id,
        item_id=new.item_id,
        taker_id=taker_id,
        citizen_id=new.citizen_id,
        person_key=new.person_key,
        sign_in_id=new.sign_in_id,
        visit_id=new.visit_id,
        now=new.asked_at,
    )
    await check(tx, facts)
    issued = await issuing.issue(replace(new, version=microseconds(), within_limit=True), tx=tx)
    if issued is None:
        # Only what happens in other halls can have moved.
        raise AlreadyInLine
    return issued


def decide(facts: LineFacts, level_required: int, taker_id: UUID | None = None) -> None:
    """Raise why nobody may join the line, or why she may not; nothing where she may.

    `taker_id` is the citizen who takes the number, and may be told of those that are hers.
    """
    if facts.level < level_required:
        raise LevelTooLow
    if facts.has_open_ticket:
        raise AlreadyInLine(facts.open_ticket_id)
    if facts.missed is not None:
        raise MissedNumberKept.told_to(taker_id, facts.missed)
    if facts.is_planned:
        raise PlannedInVisit
    if facts.state is not LineState.OPEN:
        raise LineClosed.because(*facts.reason)
    if facts.stopped:
        raise LineClosed(NO_MORE_TODAY)
    if facts.waiting_limit is not None and facts.waiting >= facts.waiting_limit:
        raise LineFull


def _view(
    giving: Giving,
    new: NewTicket,
    issued: Issued,
    taken_for: TakenFor | None,
    wait: Wait | None,
) -> TicketView:
    return TicketView(
        id=issued.id,
        number=issued.number,
        state=TicketState.WAITING,
        hall=giving.hall.code,
        line=giving.line.code,
        item=giving.item.code,
        issued_at=shown(issued.issued_at),
        called_at=None,
        ahead=issued.ahead,
        wait=wait,
        counter=None,
        version=issued.version,
        taken_for=taken_for,
        visit=new.visit_id,
        checked_in_at=shown(issued.issued_at) if new.here else None,
        check_in_required=new.here is False,
        pay_first=giving.item.pay_first,
    )
