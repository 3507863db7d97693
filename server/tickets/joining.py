"""Taking a number."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from models import tickets
from models.halls import LineState
from models.tickets import Actor, LineFacts, NewTicket, TicketState
from scheduler.calendar import SHANGHAI, business_day, is_open, next_open
from scheduler.discipline import rank_of_walk_in
from scheduler.places import Place, geodesic_m
from server.auth import Principal
from server.clock import microseconds
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
    line = _line_for(hall, item)
    _check_open(hall, now)
    _check_distance(hall, wish.place)
    try:
        view = await _issue(hall, item, line, who, once, now=now)
    except asyncpg.UniqueViolationError as taken:
        # She asked at two halls at once: each looked under its own lock, the key sees both.
        if taken.constraint_name == "ticket_open_once":
            raise AlreadyInLine from None
        raise
    await feed.changed(Change(hall.code, view.id, view.version))
    return view


async def _issue(
    hall: HallEntry,
    item: ItemEntry,
    line: LineEntry,
    who: Principal,
    once: Once,
    *,
    now: datetime,
) -> TicketView:
    async with tickets.deciding_in(hall.id) as tx:
        await once.claim(tx)
        day = business_day(now)
        facts = await tickets.line_facts(
            tx, line_id=line.id, day=day, citizen_id=who.id, item_id=item.id
        )
        _decide(facts, item)
        new = NewTicket(
            hall_id=hall.id,
            line_id=line.id,
            line_code=line.code,
            item_id=item.id,
            citizen_id=who.id,
            day=day,
            sequence=facts.last_sequence + 1,
            issued_at=now,
            rank_time=rank_of_walk_in(now),
            version=microseconds(),
        )
        ticket_id = await tickets.issue(tx, new, Actor("citizen", who.id))
        view = _view(ticket_id, new, hall=hall.code, item=item.code, ahead=facts.waiting)
        await once.keep(tx, view, status=201)
    return view


def _line_for(hall: HallEntry, item: ItemEntry) -> LineEntry:
    code = hall.offers.get(item.code)
    if code is None:
        raise NotOffered
    return hall.lines[code]


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


def _view(ticket_id: UUID, new: NewTicket, *, hall: str, item: str, ahead: int) -> TicketView:
    return TicketView(
        id=ticket_id,
        number=tickets.number_of(new.line_code, new.sequence),
        state=TicketState.WAITING,
        hall=hall,
        line=new.line_code,
        item=item,
        issued_at=shown(new.issued_at),
        called_at=None,
        ahead=ahead,
        wait=None,
        counter=None,
        version=new.version,
    )
