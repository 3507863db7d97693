"""Checking in: an appointment becomes a ticket, with its place in the line's order.

Its rank time is the start of its slot, or, when she comes late, that moment. So whoever waits
without an appointment since before the slot is called before her, and who came after it is not.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models import booking, booking_lookup, booking_steps, decisions, holders, issuing, visit_steps
from models.appointments import AppointmentState, Step, after
from models.audit import Entry, record
from models.booking import Whose
from models.database import Transaction, rows
from models.decisions import VIEW_ONE
from models.identifiers import IdDocument
from models.issuing import NewTicket
from models.joined import HER_ID
from models.knowing import held_with_index
from models.proxies import person_key
from models.sealing import Sealer
from models.tickets import OPEN_ONCE, Actor
from models.visiting import NewVisit
from scheduler.booking import BookingRules, arrival, missed_at, rank_time
from scheduler.calendar import SHANGHAI, business_day
from server.again import until_done
from server.appointments.refusals import NoAppointment, OtherHall, TooEarly, TooLate
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound, Sentence
from server.halls.directory import Directory, HallEntry, ItemEntry
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.numbers import by_phone
from server.numbers.by_phone import Fix
from server.numbers.giving import decide
from server.numbers.refusals import AlreadyInLine, PlaceRequired

NO_SUCH_CODE: Final[Sentence] = (
    "没有这个签到码的预约，请核对，或用身份证签到。",
    "No appointment has this code: check it, or check in by id card.",
)
NONE_TODAY: Final[Sentence] = (
    "此人今天在本大厅没有预约，可现场取号。",
    "This person has no appointment today at this hall: take a number instead.",
)


@dataclass(frozen=True, slots=True)
class Coming:
    """Somebody who comes to a hall; `here`: it is known that she is (False: it must be, later)."""

    hall: HallEntry
    actor: Actor
    here: bool | None
    now: datetime
    directory: Directory


@dataclass(frozen=True, slots=True)
class _TakenBy:
    """Who booked it for somebody else, as a ticket keeps it."""

    citizen_id: UUID | None
    proxy_id: UUID | None
    on_behalf_of: UUID | None


async def check_in_by_phone(
    appointment_id: UUID,
    fix: Fix | None,
    who: Principal,
    *,
    now: datetime,
    directory: Directory,
    feed: Feed,
) -> TicketView:
    """Check in where her phone says that she is.

    Raises NotFound, WrongState, TooEarly, TooLate, NotAtHall, PlaceUnsure, PlaceRequired, or why
    the line takes nobody.
    """
    hall = directory.hall_by_id(await _hall_of(appointment_id, who))
    if fix is not None:
        by_phone.check_here(hall, fix)
    elif hall.rules.place_required and hall.place is not None:
        raise PlaceRequired
    here = True if fix is not None else by_phone.is_here(hall, None)
    coming = Coming(hall, Actor("citizen", who.id), here, now, directory)

    async def hers(tx: Transaction) -> Any:
        return await booking_steps.hold_own(tx, appointment_id, who.id)

    return await _check_in(coming, hers, feed)


async def check_in_at_hall(
    hall: HallEntry,
    code: str | None,
    document: IdDocument | None,
    who: Principal,
    *,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    feed: Feed,
) -> TicketView:
    """Check in whoever shows her code or her card at the help desk or a kiosk: she is here.

    Raises what checking in by phone does, but for the place; NoAppointment where there is none, and
    OtherHall for a code of another hall.
    """
    coming = Coming(hall, Actor(who.kind.value, who.id), here=True, now=now, directory=directory)

    async def shown(tx: Transaction) -> Any:
        if code is not None:
            return await booking_steps.hold(tx, await _with_code(tx, hall, code, directory))
        assert document is not None
        index = sealer.blind_index(document.id_type, document.number)
        whose = Whose(await held_with_index(tx, index), person_key=person_key(index))
        found = await booking_lookup.find_by_person(tx, hall.id, whose, business_day(now), now)
        if found is None:
            raise NoAppointment(NONE_TODAY)
        return await booking_steps.hold(tx, found)

    return await _check_in(coming, shown, feed, by_card=document is not None)


async def _with_code(tx: Transaction, hall: HallEntry, code: str, directory: Directory) -> UUID:
    found = await booking_lookup.find_by_code(tx, code)
    if found is None:
        raise NoAppointment(NO_SUCH_CODE)
    appointment_id, hall_id = found
    if hall_id != hall.id:
        there = directory.hall_by_id(hall_id)
        raise OtherHall(
            (
                f"该预约在{there.name}，请到该大厅签到。",
                f"This appointment is at {there.name_en}: check in there.",
            )
        )
    return appointment_id


async def _hall_of(appointment_id: UUID, who: Principal) -> UUID:
    found = await rows(
        f"SELECT hall_id FROM appointment, (SELECT {HER_ID} AS id) her"  # noqa: S608 a text of ours
        " WHERE appointment.id = $2 AND her.id IN (citizen_id, acting_id)",
        who.id,
        appointment_id,
    )
    if not found:
        raise NotFound
    hall_id: UUID = found[0]["hall_id"]
    return hall_id


async def _check_in(
    coming: Coming,
    hold: Callable[[Transaction], Awaitable[Any]],
    feed: Feed,
    *,
    by_card: bool = False,
) -> TicketView:
    async def work(tx: Transaction) -> asyncpg.Record:
        await decisions.lock(tx, coming.hall.id)  # before people, as everywhere
        row = await hold(tx)
        if row is None or row["hall_id"] != coming.hall.id:
            raise NotFound
        state = after(AppointmentState(row["state"]), Step.CHECK_IN)
        check_time(row["slot_start"], coming.now, coming.hall.booking)
        ticket_id = await _give_number(tx, row, coming)
        await booking_steps.take_step(
            tx,
            row,
            Step.CHECK_IN,
            state,
            now=coming.now,
            actor=coming.actor,
            version=microseconds(),
        )
        await booking_steps.checked_in(tx, row["id"], ticket_id)
        if by_card or row["acting_id"] == coming.actor.id:
            whose = booking.whose(row)
            behalf = whose.citizen_id if by_card else whose.on_behalf_of
            entry = Entry(
                coming.actor,
                "appointment.checked_in",
                "appointment",
                row["id"],
                on_behalf_of=behalf,
                detail={"fields": ["id_number"]} if by_card else {},
            )
            await record(tx, entry)
        [view] = await tx.rows(VIEW_ONE, ticket_id)
        return view

    row = await until_done(work)
    view = ticket_view(row, hall=row["hall"], ahead=row["ahead"])
    await feed.changed(Change(view.hall, view.id, view.version))
    return view


def check_time(slot_start: datetime, now: datetime, rules: BookingRules) -> None:
    """Raise TooEarly or TooLate, saying from when or until when it was, where it is."""
    how = arrival(slot_start, now, rules)
    if how == "too_early":
        first = slot_start.astimezone(SHANGHAI) - timedelta(minutes=rules.early_min)
        raise TooEarly(
            (
                f"{first:%m月%d日 %H:%M} 起可以签到。",
                f"You may check in from {first:%Y-%m-%d %H:%M} on.",
            )
        )
    if how == "too_late":
        last = missed_at(slot_start, rules).astimezone(SHANGHAI)
        raise TooLate(
            (
                f"最晚签到时间是 {last:%H:%M}，请现场取号。",
                f"You could check in until {last:%H:%M}: take a number at the hall.",
            )
        )


async def _give_number(tx: Transaction, row: Any, coming: Coming) -> UUID:
    """The ticket that she gets; with several items it is that of a visit's first."""
    whose = booking.whose(row)
    rank = rank_time(row["slot_start"], coming.now, coming.hall.booking)
    visit_id = await _visit(tx, row, coming, rank) if len(row["items"]) > 1 else None
    new = NewTicket(
        hall_id=coming.hall.id,
        line_id=row["line_id"],
        item_id=row["item_id"],
        citizen_id=whose.citizen_id,
        day=business_day(coming.now),
        asked_at=coming.now,
        credit=timedelta(0),
        version=microseconds(),
        level_required=0,  # it was asked for when she booked
        actor=coming.actor,
        within_limit=True,  # her place is hers, however many wait
        acting=_TakenBy(whose.acting_id, whose.proxy_id, whose.on_behalf_of)
        if whose.acting_id
        else None,
        person_key=whose.person_key,
        visit_id=visit_id,
        rank_time=rank,
        here=coming.here,
        booked=True,
    )
    try:
        issued = await issuing.issue(new, tx=tx)
    except asyncpg.UniqueViolationError as taken:
        # At another hall at this very moment: the look found nothing, the key sees both.
        if taken.constraint_name in OPEN_ONCE:
            raise AlreadyInLine from None
        raise
    if issued is None:
        await _refuse(tx, row, coming, visit_id)
    assert issued is not None, "it is refused otherwise"
    if visit_id is not None:
        await _first_stop(tx, visit_id, issued.id)
    if row["shown_as"] is not None:
        await holders.show(tx, issued.id, row["shown_as"])
    return issued.id


async def _refuse(tx: Transaction, row: Any, coming: Coming, visit_id: UUID | None) -> None:
    """Raise what stands against her number; how full the line is, or its day, does not."""
    whose = booking.whose(row)
    taker = whose.acting_id or whose.citizen_id
    facts = await decisions.line_facts(
        tx,
        line_id=row["line_id"],
        item_id=row["item_id"],
        taker_id=taker,
        citizen_id=whose.citizen_id,
        person_key=whose.person_key,
        visit_id=visit_id,
        now=coming.now,
    )
    decide(replace(facts, stopped=False, waiting_limit=None), 0, taker)
    raise AlreadyInLine  # only what happens in other halls can have moved


async def _visit(tx: Transaction, row: Any, coming: Coming, rank: datetime) -> UUID:
    """The visit of several items; each of its numbers counts from its own slot's start."""
    whose, visit_id = booking.whose(row), uuid7()
    new = NewVisit(
        id=visit_id,
        hall_id=coming.hall.id,
        citizen_id=whose.citizen_id,
        acting_id=whose.acting_id,
        proxy_id=whose.proxy_id,
        person_key=whose.person_key,
        day=business_day(coming.now),
        begun_at=coming.now,
        rank_time=rank,
    )
    await visit_steps.begin(tx, new)
    items = [coming.directory.item_by_id(item) for item in row["items"]]
    starts = await _starts(tx, row, items, coming.hall)
    for place, item in enumerate(items, start=1):
        after = [other.id for other in items if other.code in item.requires]
        await visit_steps.add_stop(
            tx, visit_id, item.id, place, after=after, slot_start=starts[item.id]
        )
    return UUID(str(visit_id))


async def _starts(
    tx: Transaction, row: Any, items: Sequence[ItemEntry], hall: HallEntry
) -> dict[UUID, datetime]:
    """When the first slot of each item's line begins, or of its own where it has slots apart."""
    found = await booking_lookup.starts_of(tx, row["id"])
    lines = {line.code: line.id for line in hall.lines.values()}

    def of(item: ItemEntry) -> datetime:
        line = lines.get(hall.offers.get(item.code, ""))
        return found.get((line, item.id)) or found.get((line, None)) or row["slot_start"]

    return {item.id: of(item) for item in items}


async def _first_stop(tx: Transaction, visit_id: UUID, ticket_id: UUID) -> None:
    row = await tx.row(
        "SELECT id FROM visit_stop WHERE visit_id = $1 ORDER BY place LIMIT 1", visit_id
    )
    assert row is not None, "it has just begun"
    await visit_steps.take_turn(tx, visit_id, row["id"], ticket_id)
