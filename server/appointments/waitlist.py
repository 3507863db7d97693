"""Waiting for a place: joined, left, looked at; `offering` hands on what becomes free."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils.compat import uuid7

from models import booking_steps, waiting
from models.audit import Entry, record
from models.booking import SlotAt
from models.database import Transaction, rows, transaction
from models.joined import HER_ID, held
from models.proxies import TAKEN_FOR
from models.sealing import Sealer
from models.slots import Part, WaitlistState
from models.tickets import Actor
from models.waiting import NewWait
from scheduler.calendar import MIDNIGHT, SHANGHAI, business_day, end_of_day
from scheduler.legs import Leg, run_at
from server.again import until_done
from server.appointments.booking import (
    check_facts,
    check_lives_here,
    facts_of,
    for_another,
)
from server.appointments.offering import pass_on
from server.appointments.placing import is_elderly
from server.appointments.planning import last_day
from server.appointments.refusals import AlreadyWaiting, SlotClosed
from server.appointments.slot_book import SlotBook
from server.appointments.wishes import Booking, read_items
from server.auth import Principal
from server.errors import NotFound, Sentence
from server.halls.directory import Directory
from server.http.idempotency import Once
from server.live.state import TakenFor

_decode_taken_for = msgspec.json.Decoder(TakenFor).decode
NONE_THEN: Final[Sentence] = (
    "这段时间内没有可约的时段：大厅或该队列此时不办理，或时间太短。",
    "There is no slot in this time: the hall or the line is closed then, or it is too short.",
)
WAITING_ONCE = frozenset({"waitlist_once", "waitlist_once_for"})


class WaitView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's waiting for a place. `ahead`: how many wait before me for any of these slots.

    `offer` is the place offered to me, an appointment of mine: accept it until `offer_until`, or it
    goes to the next. `passed`: I let one go by; `over`: the time has passed without any.
    """

    id: UUID
    state: WaitlistState
    hall: str
    item: str
    starts_from: datetime
    until: datetime
    joined_at: datetime
    ahead: int | None
    offer: UUID | None
    offer_start: datetime | None
    offer_until: datetime | None
    taken_for: TakenFor | None = msgspec.field(name="for")


class WaitPage(msgspec.Struct, frozen=True):
    """Waits, newest first, a page at a time."""

    data: list[WaitView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Wish:
    """For which item at which hall a place is wanted, on which day from when to when."""

    hall: str
    item: str
    day: date
    start: time
    end: time
    proxy: UUID | None = None


_VIEW = """
    SELECT t.*, hall.code AS hall, item.code AS item, o.id AS offer, o.slot_start AS offer_start,
           o.held_until AS offer_until, {taken_for},
           CASE WHEN t.state = 'waiting' THEN (
               SELECT count(*) FROM waitlist w WHERE w.line_id = t.line_id AND w.day = t.day
               AND w.state = 'waiting' AND w.id < t.id AND w.starts_from < t.until
               AND t.starts_from < w.until) END AS ahead
    FROM {which} t JOIN hall ON hall.id = t.hall_id JOIN item ON item.id = t.item_id
    LEFT JOIN appointment o ON o.id = t.appointment_id AND t.state = 'offered'
"""
_ONE = _VIEW.format(which="waitlist", taken_for=TAKEN_FOR) + " WHERE t.id = $1"
_OF_CITIZEN = """(
        (SELECT * FROM (SELECT * FROM waitlist WHERE citizen_id = $1 OFFSET 0) hers
         WHERE $2::uuid IS NULL OR id < $2 ORDER BY id DESC LIMIT $3)
        UNION ALL
        (SELECT * FROM waitlist WHERE acting_id = $1 AND citizen_id IS DISTINCT FROM $1
         AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3)
    )"""
_MINE = _VIEW.format(which=_OF_CITIZEN, taken_for=TAKEN_FOR) + " ORDER BY t.id DESC LIMIT $3"


async def join(
    wish: Wish,
    who: Principal,
    once: Once,
    *,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    slots: SlotBook,
) -> WaitView:
    """Wait for a place; one that is free just now is offered at once.

    Raises NotFound, SlotClosed, AlreadyWaiting and what stands against booking.
    """
    hall = directory.hall(wish.hall)
    items, lines = read_items(hall, [wish.item], directory)
    wanted = Booking(hall, items, lines, who, now, directory)
    starts_from, until = _window(wish, wanted)
    try:
        async with transaction() as tx:
            await once.claim(tx)
            if wish.proxy is not None:
                wanted = await for_another(tx, wanted, wish.proxy, sealer)
            else:
                await held(tx, who.id)
            found = await facts_of(tx, wanted, starts_from)
            check_facts(found, wanted)
            await check_lives_here(tx, wanted, sealer)
            [slots_of_day] = found.slots
            leg = Leg(slots_of_day, items[0].minutes)
            if not _within(leg, until):
                raise SlotClosed(NONE_THEN)
            part = Part.COMPANIES if wanted.is_company else Part.EVERYBODY
            if not wanted.is_company and await is_elderly(tx, wanted, sealer):
                part = Part.ELDERS
            new = NewWait(
                id=uuid7(),
                hall_id=hall.id,
                line_id=lines[0].id,
                item_id=items[0].id,
                whose=wanted.whose,
                part=part,
                day=wish.day,
                many=leg.many,
                starts_from=starts_from,
                until=until,
                now=now,
            )
            await waiting.join(tx, new)
            inside = [slot.id for slot in slots_of_day if slot.ends_at <= until]
            await booking_steps.lock_slots(tx, inside)
            changed = await pass_on(tx, inside, now=now, directory=directory)
            [row] = await tx.rows(_ONE, new.id)
            view = _view(row)
            await once.keep(tx, view, status=201)
            if wanted.acting is not None:
                entry = Entry(
                    Actor("citizen", wanted.who.id),
                    "waitlist.joined",
                    "waitlist",
                    new.id,
                    on_behalf_of=wanted.acting.on_behalf_of,
                )
                await record(tx, entry)
    except asyncpg.UniqueViolationError as refused:
        if refused.constraint_name in WAITING_ONCE:
            raise AlreadyWaiting from None
        raise
    await slots.changed(changed)
    return view


def _within(leg: Leg[SlotAt], until: datetime) -> bool:
    """Whether what she wants could be done until then at all, were nothing booked."""
    runs = (run_at(leg, nth) for nth in range(len(leg.slots)))
    return any(run is not None and run[-1].ends_at <= until for run in runs)


def _window(wish: Wish, wanted: Booking) -> tuple[datetime, datetime]:
    """From when to when; not before now. Raises SlotClosed for a time that is past, or too far."""
    start = datetime.combine(wish.day, wish.start, SHANGHAI)
    end = datetime.combine(wish.day, wish.end, SHANGHAI)
    if wish.end == MIDNIGHT:
        end = end_of_day(start)
    start = max(start, wanted.now.astimezone(SHANGHAI))
    if start >= end:
        raise SlotClosed(("该时间已过。", "This time is past."))
    if wish.day > (last := last_day(wanted.hall, business_day(wanted.now))):
        raise SlotClosed(
            (f"目前最远可约 {last:%m月%d日}。", f"Bookings are open up to {last:%Y-%m-%d}.")
        )
    return start, end


async def waits_of(citizen_id: UUID, cursor: UUID | None, limit: int) -> WaitPage:
    """Hers, and those she joined for others, newest first."""
    found = await rows(_MINE, citizen_id, cursor, limit + 1)
    page = [_view(row) for row in found[:limit]]
    return WaitPage(page, str(page[-1].id) if len(found) > limit else None)


async def leave(wait_id: UUID, who: Principal) -> WaitView:
    """Wait no more. Raises NotFound; an offer is declined by cancelling it."""

    async def work(tx: Transaction) -> WaitView:
        row = await tx.row(
            f"SELECT w.id FROM waitlist w, (SELECT {HER_ID} AS id) her"  # noqa: S608 a text of ours
            " WHERE w.id = $2 AND her.id IN (citizen_id, acting_id) FOR UPDATE OF w",
            who.id,
            wait_id,
        )
        if row is None:
            raise NotFound
        await waiting.leave(tx, wait_id)
        [left] = await tx.rows(_ONE, wait_id)
        return _view(left)

    return await until_done(work)


def _view(row: Any) -> WaitView:
    def local(name: str) -> datetime | None:
        at: datetime | None = row[name]
        return None if at is None else at.astimezone(SHANGHAI)

    return WaitView(
        id=row["id"],
        state=WaitlistState(row["state"]),
        hall=row["hall"],
        item=row["item"],
        starts_from=row["starts_from"].astimezone(SHANGHAI),
        until=row["until"].astimezone(SHANGHAI),
        joined_at=row["joined_at"].astimezone(SHANGHAI),
        ahead=row["ahead"],
        offer=row["offer"],
        offer_start=local("offer_start"),
        offer_until=local("offer_until"),
        taken_for=_decode_taken_for(row["taken_for"]) if row["taken_for"] else None,
    )
