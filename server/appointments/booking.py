"""Booking a place in a slot: held for some minutes, or at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models import booking
from models.appointments import ONCE, AppointmentState
from models.audit import Entry, record
from models.booking import BookingFacts, NewAppointment, SlotAt, Whose
from models.database import Transaction, transaction
from models.identifiers import age_on, read_id
from models.joined import current_id
from models.knowing import known
from models.proxies import Acting, ProxyKind
from models.sealing import Sealer
from models.slots import SLOT_CLOSED, SLOT_FULL, Part
from models.tickets import Actor
from scheduler.booking import closes_at, slots_needed
from scheduler.calendar import SHANGHAI, business_day
from scheduler.discipline import ELDERLY_FROM_AGE
from server.again import TRIES
from server.appointments.codes import new_code
from server.appointments.planning import last_day
from server.appointments.refusals import (
    AlreadyBooked,
    BookingBlocked,
    ItemsApart,
    NotBookable,
    SlotClosed,
    SlotFull,
    TooManyBookings,
)
from server.appointments.slot_book import SlotBook
from server.appointments.views import AppointmentView, appointment
from server.auth import Principal
from server.clock import microseconds
from server.errors import LevelTooLow, NotSignedIn, Unavailable
from server.halls.directory import Directory, HallEntry, ItemEntry, LineEntry
from server.http.idempotency import Once
from server.numbers.acting import acting_for
from server.numbers.giving import line_for
from server.numbers.residents import check_residence


@dataclass(frozen=True, slots=True)
class Wish:
    """What a citizen asks for: `items`, the first of them first, in a slot of a hall.

    `hold`: keep it for some minutes until she confirms. `proxy` is through which she books for
    somebody else.
    """

    hall: str
    items: Sequence[str]
    slot_start: datetime
    hold: bool = False
    proxy: UUID | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """A wish, read: what is to be booked, for whom and when."""

    hall: HallEntry
    line: LineEntry
    items: tuple[ItemEntry, ...]
    who: Principal
    now: datetime
    directory: Directory
    acting: Acting | None = None

    @property
    def whose(self) -> Whose:
        """Whose appointment it will be."""
        if self.acting is None:
            return Whose(self.who.id)
        return Whose(
            self.acting.principal_id, self.who.id, self.acting.proxy_id, self.acting.person_key
        )

    @property
    def is_company(self) -> bool:
        """Whether it is for a company."""
        return self.acting is not None and self.acting.kind is ProxyKind.COMPANY

    @property
    def level_required(self) -> int:
        """The highest level that any of the items asks for."""
        return max(item.level_required for item in self.items)

    @property
    def minutes(self) -> int:
        """How long all of them take at the counter."""
        return sum(item.minutes for item in self.items)


@dataclass(frozen=True, slots=True)
class Places:
    """Slots in a row that may be booked, and the part of them that is hers to book."""

    run: tuple[SlotAt, ...]
    part: Part = field(default=Part.EVERYBODY)

    @property
    def ids(self) -> tuple[UUID, ...]:
        """The slots' ids."""
        return tuple(slot.id for slot in self.run)


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


def read_wish(wish: Wish, who: Principal, now: datetime, directory: Directory) -> Booking:
    """What is to be booked. Raises NotFound, NotOffered, NotBookable, ItemsApart or SlotClosed."""
    hall, line, items = read_items(wish.hall, wish.items, directory)
    check_time(hall, wish.slot_start, now)
    return Booking(hall, line, items, who, now, directory)


def read_items(
    code: str, codes: Sequence[str], directory: Directory
) -> tuple[HallEntry, LineEntry, tuple[ItemEntry, ...]]:
    """A hall, items, and the one line that serves them there.

    Raises NotFound, NotOffered, NotBookable or ItemsApart.
    """
    hall = directory.hall(code)
    items = tuple(directory.item(each) for each in codes)
    lines = {line_for(hall, item).code for item in items}
    if not all(item.bookable for item in items):
        raise NotBookable
    if len(lines) > 1:
        raise ItemsApart
    return hall, hall.lines[lines.pop()], items


def check_time(hall: HallEntry, slot_start: datetime, now: datetime) -> None:
    """Raise SlotClosed, saying why, for a moment that is not to be booked now."""
    if slot_start <= now:
        raise SlotClosed(("该时段已过。", "This slot is past."))
    if now > closes_at(slot_start, hall.booking):
        minutes = hall.booking.book_before_min
        raise SlotClosed(
            (
                f"该时段开始前 {minutes} 分钟停止预约。",
                f"A slot can be booked until {minutes} minutes before it begins.",
            )
        )
    last = last_day(hall, business_day(now))
    if business_day(slot_start) > last:
        raise SlotClosed(
            (f"目前最远可约 {last:%m月%d日}。", f"Bookings are open up to {last:%Y-%m-%d}.")
        )


async def _booked(
    wanted: Booking, wish: Wish, once: Once, sealer: Sealer
) -> tuple[AppointmentView, Places]:
    # Without a key her lock travels with BEGIN: a round trip less.
    hers = None if wish.proxy or once.has_key else booking.locking(wanted.who.id)
    async with transaction(hers) as tx:
        await once.claim(tx)
        if wish.proxy is not None:
            wanted = await for_another(tx, wanted, wish.proxy, sealer)
        elif hers is None:
            await tx.run(booking.locking(wanted.who.id))
        found = await facts_of(tx, wanted, wish.slot_start)
        check_facts(found, wanted)
        await check_lives_here(tx, wanted, sealer)
        places = await places_in(tx, wanted, found, wish.slot_start, sealer)
        new = _new(wanted, places, hold=wish.hold)
        await booking.make(tx, new)
        view = await appointment(new.id, wanted.directory, tx)
        assert view is not None, "it was made in this transaction"
        await once.keep(tx, view, status=201)
        if (acting := wanted.acting) is not None:
            entry = Entry(
                Actor("citizen", wanted.who.id),
                "appointment.booked",
                "appointment",
                new.id,
                on_behalf_of=acting.on_behalf_of,
                detail={"proxy": str(acting.proxy_id)},
            )
            await record(tx, entry)
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
        asked_by=wanted.who.id,
        sign_in_id=wanted.who.sign_in_id,
        whose=wanted.whose,
        line_id=wanted.line.id,
        items=[item.id for item in wanted.items],
        slot_start=slot_start,
        day=business_day(slot_start),
        now=wanted.now,
        besides=besides,
    )
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
    """Raise ResidenceNeeded or NotResident unless the hall takes her for the items."""
    for item in wanted.items:
        await check_residence(
            tx,
            sealer,
            wanted.whose.citizen_id,
            hall=wanted.hall,
            item=item,
            directory=wanted.directory,
        )


async def places_in(
    tx: Transaction, wanted: Booking, found: BookingFacts, slot_start: datetime, sealer: Sealer
) -> Places:
    """The slots in a row to be booked, and which part of them. Raises SlotClosed."""
    if not found.slots or found.slots[0].starts_at != slot_start:
        raise SlotClosed(("没有这个时段。", "There is no such slot."))
    first = found.slots[0]
    length = round((first.ends_at - first.starts_at).total_seconds() / 60)
    many = slots_needed(wanted.minutes, length)
    run = found.slots[:many]
    follow = pairwise(run)
    if not all(slot.open for slot in run):
        raise SlotClosed
    if len(run) < many or any(a.ends_at != b.starts_at for a, b in follow):
        raise SlotClosed(
            (
                f"该事项需要连续 {many} 个时段，请选更早的时段。",
                f"This takes {many} slots in a row: choose an earlier one.",
            )
        )
    return Places(run, await _part(tx, wanted, run, sealer))


async def _part(tx: Transaction, wanted: Booking, run: Sequence[SlotAt], sealer: Sealer) -> Part:
    """The part kept for her kind while it lasts, else everybody's."""
    if wanted.is_company:
        kept = all(slot.for_companies > 0 for slot in run)
        return Part.COMPANIES if kept else Part.EVERYBODY
    if all(slot.for_elders > 0 for slot in run):
        her = wanted.whose.citizen_id
        return Part.ELDERS if await is_elderly(tx, sealer, her, wanted.now) else Part.EVERYBODY
    return Part.EVERYBODY


async def is_elderly(
    tx: Transaction, sealer: Sealer, citizen_id: UUID | None, now: datetime
) -> bool:
    """Whether the verified number of whom it is for says that she is over 70."""
    if citizen_id is None:
        return False
    her = await known(tx, sealer, citizen_id)
    if her.id_type is None or her.id_number is None:
        return False
    born = read_id(her.id_type, her.id_number).born
    return born is not None and age_on(business_day(now), born) >= ELDERLY_FROM_AGE


def _new(wanted: Booking, places: Places, *, hold: bool) -> NewAppointment:
    held_for = timedelta(minutes=wanted.hall.booking.hold_min)
    return NewAppointment(
        id=uuid7(),
        hall_id=wanted.hall.id,
        line_id=wanted.line.id,
        items=tuple(item.id for item in wanted.items),
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
        actor=Actor("citizen", wanted.who.id),
        version=microseconds(),
    )


def as_refusal(refused: asyncpg.IntegrityConstraintViolationError) -> Exception:
    """What the database refused, in words; itself where it is no refusal of ours."""
    name: str | None = refused.constraint_name
    if name in SLOT_FULL:
        return SlotFull()
    if name == SLOT_CLOSED:
        return SlotClosed()
    return AlreadyBooked() if name == ONCE else refused
