"""Taking a number."""

from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from models import decisions, issuing
from models.database import Transaction, transaction
from models.decisions import LineFacts
from models.halls import LineState
from models.issuing import Issued, NewTicket
from models.joined import current_id
from models.tickets import Actor, TicketState
from scheduler.calendar import SHANGHAI, business_day, is_open, next_open
from scheduler.discipline import CREDIT_OF_WALK_IN
from scheduler.places import Place, geodesic_m
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotSignedIn
from server.halls.directory import Directory, HallEntry, ItemEntry, LineEntry
from server.idempotency import Once
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import shown
from server.live.state import TicketView
from server.tickets.refusals import (
    AlreadyInLine,
    HallClosed,
    LevelTooLow,
    LineClosed,
    LineFull,
    NotOffered,
    TooFar,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a citizen asks for. `place` is in WGS-84, or None when her phone does not say."""

    hall: str
    item: str
    place: Place | None


async def take_number(
    wish: Wish, who: Principal, once: Once, *, now: datetime, directory: Directory, feed: Feed
) -> TicketView:
    """Give the citizen the next number of the line that serves her item.

    Raises NotFound and every refusal of this room; after one, nothing has changed.
    """
    hall, item = directory.hall(wish.hall), directory.item(wish.item)
    visit = _Visit(hall, item, _line_for(hall, item), wish.place, who, now)
    try:
        view = await _taken(visit, once)
    except asyncpg.ForeignKeyViolationError:
        # Her account was joined into another a moment ago, and her token does not know yet.
        now_id = await current_id(who.id)
        if now_id is None:
            raise NotSignedIn from None
        view = await _taken(replace(visit, who=replace(who, id=now_id)), once)
    await feed.changed(Change(hall.code, view.id, view.version))
    return view


@dataclass(frozen=True, slots=True)
class _Visit:
    hall: HallEntry
    item: ItemEntry
    line: LineEntry
    place: Place | None
    who: Principal
    now: datetime


async def _taken(visit: _Visit, once: Once) -> TicketView:
    try:
        return await (_issue_once(visit, once) if once.has_key else _issue(visit))
    except asyncpg.UniqueViolationError as taken:
        # She asked twice at once: each look found nothing, the key sees both.
        if taken.constraint_name == "ticket_open_once":
            raise AlreadyInLine from None
        raise


async def _issue(visit: _Visit) -> TicketView:
    """Issue the ticket in one statement, which refuses by writing nothing."""
    _check(visit)
    issued = await issuing.issue(_new_ticket(visit))
    if issued is None:
        async with transaction() as tx:
            issued = await _issue_under_lock(tx, visit)
    return _view(visit, issued)


async def _issue_once(visit: _Visit, once: Once) -> TicketView:
    """Issue the ticket for a request with a key: whatever is asked again is answered first."""
    async with transaction() as tx:
        await once.claim(tx)
        _check(visit)
        issued = await issuing.issue(_new_ticket(visit), tx=tx)
        if issued is None:
            issued = await _issue_under_lock(tx, visit)
        view = _view(visit, issued)
        await once.keep(tx, view, status=201)
    return view


async def _issue_under_lock(tx: Transaction, visit: _Visit) -> Issued:
    """Find what stands against the ticket, where nothing moves; a limited line is counted here."""
    await decisions.lock(tx, visit.hall.id)
    facts = await decisions.line_facts(
        tx, line_id=visit.line.id, citizen_id=visit.who.id, item_id=visit.item.id
    )
    _decide(facts, visit.item)
    issued = await issuing.issue(replace(_new_ticket(visit), within_limit=True), tx=tx)
    if issued is None:
        # Only what happens in other halls can have moved.
        raise AlreadyInLine
    return issued


def _new_ticket(visit: _Visit) -> NewTicket:
    return NewTicket(
        hall_id=visit.hall.id,
        line_id=visit.line.id,
        item_id=visit.item.id,
        citizen_id=visit.who.id,
        day=business_day(visit.now),
        asked_at=visit.now,
        credit=CREDIT_OF_WALK_IN,
        version=microseconds(),
        level_required=visit.item.level_required,
        actor=Actor("citizen", visit.who.id),
    )


def _view(visit: _Visit, issued: Issued) -> TicketView:
    return TicketView(
        id=issued.id,
        number=issued.number,
        state=TicketState.WAITING,
        hall=visit.hall.code,
        line=visit.line.code,
        item=visit.item.code,
        issued_at=shown(issued.issued_at),
        called_at=None,
        ahead=issued.ahead,
        wait=None,
        counter=None,
        version=issued.version,
    )


def _line_for(hall: HallEntry, item: ItemEntry) -> LineEntry:
    code = hall.offers.get(item.code)
    if code is None:
        raise NotOffered
    return hall.lines[code]


def _check(visit: _Visit) -> None:
    """What needs no database: the hall is open, and she is near enough."""
    _check_open(visit.hall, visit.now)
    _check_distance(visit.hall, visit.place)


def _check_open(hall: HallEntry, now: datetime) -> None:
    if is_open(hall.timetable, now):
        return
    opens = next_open(hall.timetable, now)
    if opens is None:
        raise HallClosed
    when = opens.astimezone(SHANGHAI)
    raise HallClosed(
        (
            f"大厅现在不开放，{when:%m月%d日 %H:%M} 开门。",
            f"The hall opens at {when:%Y-%m-%d %H:%M}.",
        )
    )


def _check_distance(hall: HallEntry, place: Place | None) -> None:
    if place is None or hall.place is None:
        return
    if geodesic_m(place, hall.place) > hall.remote_radius_m:
        km = hall.remote_radius_m / 1000
        raise TooFar(
            (f"请在离大厅 {km:g} 公里以内取号。", f"Take a number within {km:g} km of the hall.")
        )


def _decide(facts: LineFacts, item: ItemEntry) -> None:
    if facts.level < item.level_required:
        raise LevelTooLow
    if facts.has_open_ticket:
        raise AlreadyInLine
    if facts.state is not LineState.OPEN:
        raise LineClosed
    if facts.waiting_limit is not None and facts.waiting >= facts.waiting_limit:
        raise LineFull
