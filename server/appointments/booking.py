"""Booking a place in a slot: held for some minutes, or at once."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models import booking
from models.appointments import ONCE, AppointmentState
from models.audit import Entry, record
from models.booking import BookingFacts, NewAppointment
from models.database import Transaction, transaction
from models.joined import current_id
from models.sealing import Sealer
from models.slots import SLOT_CLOSED, SLOT_FULL
from models.tickets import Actor
from scheduler.calendar import SHANGHAI, business_day
from server.again import TRIES
from server.appointments.codes import new_code
from server.appointments.placing import places_in
from server.appointments.plainly import booked_plainly
from server.appointments.refusals import (
    AlreadyBooked,
    BookingBlocked,
    SlotClosed,
    SlotFull,
    TooManyBookings,
)
from server.appointments.slot_book import SlotBook
from server.appointments.views import AppointmentView, appointment
from server.appointments.wishes import Booking, Places, Wish, read_wish
from server.auth import Principal
from server.clock import microseconds
from server.errors import LevelTooLow, NotSignedIn, Unavailable
from server.halls.directory import Directory
from server.http.idempotency import Once
from server.numbers.acting import acting_for
from server.numbers.at_hall import FACE_TO_FACE
from server.numbers.residents import check_residence


async def book(
    wish: Wish,
    who: Principal,
    once: Once,
    *,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    slots: SlotBook,
) -> AppointmentView:
    """Book a place, or hold it. Raises NotFound and every refusal of this room.

    After a refusal nothing has changed.
    """
    wanted = read_wish(wish, who, now, directory)
    if plain := await booked_plainly(wanted, wish, once, slots):
        return plain
    for _ in range(TRIES):
        try:
            view, places = await _booked(wanted, wish, once, sealer)
        except asyncpg.DeadlockDetectedError:
            continue
        except (asyncpg.ForeignKeyViolationError, NotSignedIn):
            # Her account may have been joined into another a moment ago, and her token not know.
            now_id = await current_id(wanted.who.id)
            if now_id is None or now_id == wanted.who.id:
                raise NotSignedIn from None
            wanted = replace(wanted, who=replace(who, id=now_id))
            continue
        except (asyncpg.CheckViolationError, asyncpg.UniqueViolationError) as refused:
            raise as_refusal(refused) from None
        await slots.changed(places.ids)
        return view
    raise Unavailable(1)


async def _booked(
    wanted: Booking, wish: Wish, once: Once, sealer: Sealer
) -> tuple[AppointmentView, Places]:
    # Her lock travels with BEGIN: a round trip less. It is taken before her key, as by those who
    # decide many together.
    hers = None if wish.proxy else booking.locking(wanted.who.id)
    async with transaction(hers) as tx:
        await once.claim(tx)
        if wish.proxy is not None:
            wanted = await for_another(tx, wanted, wish.proxy, sealer)
        view, places = await place(tx, wanted, wish.slot_start, sealer, hold=wish.hold)
        await once.keep(tx, view, status=201)
        if (acting := wanted.acting) is not None:
            entry = Entry(
                Actor("citizen", wanted.who.id),
                "appointment.booked",
                "appointment",
                view.id,
                on_behalf_of=acting.on_behalf_of,
                detail={"proxy": str(acting.proxy_id)},
            )
            await record(tx, entry)
    return view, places


async def place(
    tx: Transaction, wanted: Booking, slot_start: datetime, sealer: Sealer, *, hold: bool
) -> tuple[AppointmentView, Places]:
    """Book for whom it is, who is locked. Raises the refusals of booking, or as `booking.make`."""
    found = await facts_of(tx, wanted, slot_start)
    check_facts(found, wanted)
    await check_lives_here(tx, wanted, sealer)
    places = await places_in(tx, wanted, found, slot_start, sealer)
    new = _new(wanted, places, hold=hold)
    await booking.make(tx, new)
    view = await appointment(new.id, wanted.directory, tx)
    assert view is not None, "it was made in this transaction"
    return view, places


async def for_another(tx: Transaction, wanted: Booking, proxy: UUID, sealer: Sealer) -> Booking:
    """The same for whom she acts for, who is locked: nobody else books for him meanwhile.

    Raises NotFound or ProxyNotActive.
    """
    acting = await acting_for(tx, sealer, proxy, wanted.who, wanted.now)
    wanted = replace(wanted, acting=acting, who=replace(wanted.who, id=acting.citizen_id))
    if acting.principal_id is not None:
        await tx.run("SELECT 1 FROM citizen WHERE id = $1 FOR NO KEY UPDATE", acting.principal_id)
    else:
        person = str(wanted.whose.person)
        await tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", person)
    return wanted


async def facts_of(
    tx: Transaction, wanted: Booking, slot_start: datetime, *, besides: UUID | None = None
) -> BookingFacts:
    """What decides whether she may book. Raises NotSignedIn for who is no citizen any more."""
    found = await booking.facts(
        tx,
        asked_by=None if wanted.by_hall else wanted.who.id,
        sign_in_id=wanted.who.sign_in_id,
        whose=wanted.whose,
        items=[item.id for item in wanted.items],
        lines=[line.id for line in wanted.lines],
        slot_start=slot_start,
        day=business_day(slot_start),
        now=wanted.now,
        besides=besides,
    )
    if wanted.by_hall:
        return replace(found, level=FACE_TO_FACE)  # she shows her card when she comes
    if found.level is None:
        raise NotSignedIn
    return found


def check_facts(found: BookingFacts, wanted: Booking) -> None:
    """Raise LevelTooLow, BookingBlocked, AlreadyBooked or TooManyBookings where one holds."""
    rules = wanted.hall.booking
    assert found.level is not None
    if found.level < wanted.level_required:
        raise LevelTooLow
    if found.blocked_until is not None:
        until = found.blocked_until.astimezone(SHANGHAI)
        raise BookingBlocked(
            (
                f"因多次爽约，{until:%Y-%m-%d %H:%M} 前不能预约，可申诉。",
                f"After missed appointments you may book again from {until:%Y-%m-%d %H:%M} on;"
                " you may appeal.",
            )
        )
    if found.has_one:
        raise AlreadyBooked
    if rules.book_per_week and found.in_week >= rules.book_per_week:
        raise _too_many("每周", "a week", rules.book_per_week)
    if rules.book_per_month and found.in_month >= rules.book_per_month:
        raise _too_many("每月", "a month", rules.book_per_month)


def _too_many(how: str, how_en: str, most: int) -> TooManyBookings:
    return TooManyBookings(
        (f"每人{how}最多预约 {most} 次。", f"A person may book {most} times {how_en}.")
    )


async def check_lives_here(tx: Transaction, wanted: Booking, sealer: Sealer) -> None:
    """Raise ResidenceNeeded or NotResident unless the hall takes her for the items.

    Whom the hall itself books it takes: whoever books sees, or hears, where she lives.
    """
    for item in () if wanted.by_hall else wanted.items:
        await check_residence(
            tx,
            sealer,
            wanted.whose.citizen_id,
            hall=wanted.hall,
            item=item,
            directory=wanted.directory,
        )


def _new(wanted: Booking, places: Places, *, hold: bool) -> NewAppointment:
    held_for = timedelta(minutes=wanted.hall.booking.hold_min)
    caller = wanted.caller
    return NewAppointment(
        id=(caller and caller.appointment_id) or uuid7(),
        hall_id=wanted.hall.id,
        line_id=places.line.id,
        items=tuple(item.id for item in places.items),
        whose=wanted.whose,
        part=places.part,
        slots=places.ids,
        day=business_day(places.run[0].starts_at),
        slot_start=places.run[0].starts_at,
        slot_end=places.run[-1].ends_at,
        state=AppointmentState.HELD if hold else AppointmentState.BOOKED,
        now=wanted.now,
        held_until=wanted.now + held_for if hold else None,
        code=new_code(),
        actor=wanted.actor,
        version=microseconds(),
        shown_as=caller.shown_as if caller else None,
        name=caller.name if caller else None,
        phone=caller.phone if caller else None,
    )


def as_refusal(refused: asyncpg.IntegrityConstraintViolationError) -> Exception:
    """What the database refused, in words; itself where it is no refusal of ours."""
    name: str | None = refused.constraint_name
    if name in SLOT_FULL:
        return SlotFull()
    if name == SLOT_CLOSED:
        return SlotClosed()
    return AlreadyBooked() if name == ONCE else refused
