"""What becomes of an appointment: confirmed, moved to another slot, given up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from models import booking, booking_steps, proxies, waiting
from models.appointments import AppointmentState, Step, after
from models.audit import Entry, record
from models.booking import Whose
from models.database import Transaction
from models.joined import held
from models.proxies import ProxyKind, SpokenFor
from models.sealing import Sealer
from models.sessions import PersonKind
from models.slots import Part, WaitlistState
from models.tickets import SYSTEM, Actor, WrongState
from scheduler.booking import may_cancel
from scheduler.calendar import SHANGHAI, business_day
from server.again import until_done
from server.appointments.booking import as_refusal, check_facts, facts_of
from server.appointments.offering import pass_on
from server.appointments.placing import places_in
from server.appointments.refusals import HoldExpired, SameSlot, TooLateToCancel
from server.appointments.slot_book import SlotBook
from server.appointments.views import AppointmentView, appointment
from server.appointments.wishes import Booking, check_time
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound
from server.halls.directory import Directory, HallEntry
from server.numbers.giving import line_for

_KEPT = frozenset({AppointmentState.HELD, AppointmentState.OFFERED})


@dataclass(frozen=True, slots=True)
class Doing:
    """Who changes an appointment, and when."""

    who: Principal
    now: datetime
    directory: Directory
    # Where it is the hall that does: what is another hall's is not found.
    hall: HallEntry | None = None

    @property
    def actor(self) -> Actor:
        """Who it was, as events tell it."""
        return Actor(self.who.kind.value, self.who.id)

    @property
    def by_hall(self) -> bool:
        """Whether the hall itself changes it."""
        return self.who.kind is not PersonKind.CITIZEN


# What changes an appointment whose row is locked: the slots that it changed, None where it was so
# already, and nothing is to be written.
Work = Callable[[Transaction, Any, Doing], Awaitable[set[UUID] | None]]


async def confirm(appointment_id: UUID, doing: Doing, slots: SlotBook) -> AppointmentView:
    """Book what was held or offered; what is booked already stays as it is, for phones ask twice.

    Raises NotFound, WrongState or HoldExpired.
    """
    return await _change(appointment_id, doing, slots, _confirm, "appointment.confirmed")


async def cancel(appointment_id: UUID, doing: Doing, slots: SlotBook) -> AppointmentView:
    """Give a place up: who waits for one is offered it at once.

    Raises NotFound, WrongState or TooLateToCancel.
    """
    return await _change(appointment_id, doing, slots, _cancel, "appointment.cancelled")


async def decline(appointment_id: UUID, doing: Doing, slots: SlotBook) -> AppointmentView:
    """Let a place that was offered go to the next. Raises NotFound, or WrongState for another."""
    return await _change(appointment_id, doing, slots, _decline, "appointment.cancelled")


async def reschedule(
    appointment_id: UUID,
    slot_start: datetime,
    doing: Doing,
    slots: SlotBook,
    *,
    sealer: Sealer,
) -> AppointmentView:
    """Move to another slot; whatever stands against it, the old place is still hers.

    Raises NotFound, WrongState, TooLateToCancel, SameSlot and the refusals of booking.
    """

    async def move(tx: Transaction, row: Any, doing: Doing) -> set[UUID]:
        return await _move(tx, row, slot_start, doing, sealer)

    return await _change(appointment_id, doing, slots, move, "appointment.moved")


async def _change(
    appointment_id: UUID, doing: Doing, slots: SlotBook, work: Work, action: str
) -> AppointmentView:
    async def change(tx: Transaction) -> tuple[AppointmentView, set[UUID]]:
        row, mine = await _held(tx, appointment_id, doing)
        if row is None:
            raise NotFound
        changed = await work(tx, row, mine)
        view = await appointment(appointment_id, doing.directory, tx)
        assert view is not None, "its row is locked"
        whose = booking.whose(row)
        for_another = row["acting_id"] == mine.who.id and whose.on_behalf_of
        behalf = whose.citizen_id or whose.proxy_id if doing.by_hall else for_another
        if changed is not None and (doing.by_hall or behalf):
            detail = {"hall": doing.hall.code} if doing.hall else {}
            entry = Entry(
                mine.actor,
                action,
                "appointment",
                appointment_id,
                on_behalf_of=behalf or None,
                detail=detail,
            )
            await record(tx, entry)
        return view, changed or set()

    try:
        view, changed = await until_done(change)
    except asyncpg.CheckViolationError as refused:
        raise as_refusal(refused) from None
    await slots.changed(changed)
    return view


async def _held(tx: Transaction, appointment_id: UUID, doing: Doing) -> tuple[Any, Doing]:
    """Its row, locked, after whose it is; and who does it, whom an account was joined into."""
    if doing.hall is None:
        me = await held(tx, doing.who.id)
        mine = replace(doing, who=replace(doing.who, id=me))
        return await booking_steps.hold_own(tx, appointment_id, me), mine
    await booking_steps.hold_person_of(tx, appointment_id)
    row = await booking_steps.hold(tx, appointment_id)
    return (row if row and row["hall_id"] == doing.hall.id else None), doing


async def _confirm(tx: Transaction, row: Any, doing: Doing) -> set[UUID] | None:
    if row["state"] == AppointmentState.BOOKED:
        return None
    if row["state"] == AppointmentState.EXPIRED:
        raise HoldExpired
    state = after(AppointmentState(row["state"]), Step.CONFIRM)
    if doing.now >= row["held_until"]:
        raise HoldExpired
    await _step(tx, row, Step.CONFIRM, state, doing)
    if row["waitlist_id"] is not None:
        await waiting.settle(tx, row["waitlist_id"], WaitlistState.BOOKED)
    return set()


async def _cancel(tx: Transaction, row: Any, doing: Doing) -> set[UUID]:
    state = after(was := AppointmentState(row["state"]), Step.CANCEL)
    if was not in _KEPT:
        check_deadline(row, doing)
    await _step(tx, row, Step.CANCEL, state, doing)
    return await let_go(tx, row, now=doing.now, directory=doing.directory)


async def _decline(tx: Transaction, row: Any, doing: Doing) -> set[UUID]:
    if (was := AppointmentState(row["state"])) is not AppointmentState.OFFERED:
        raise WrongState("it is no offer", was)
    return await _cancel(tx, row, doing)


async def let_go(tx: Transaction, row: Any, *, now: datetime, directory: Directory) -> set[UUID]:
    """Free the places of an appointment, and offer them on; the slots that changed."""
    freed = await booking_steps.release(tx, row["id"])
    if row["state"] == AppointmentState.OFFERED and row["waitlist_id"] is not None:
        await waiting.settle(tx, row["waitlist_id"], WaitlistState.PASSED)
    return {*freed, *await pass_on(tx, freed, now=now, directory=directory)}


async def _move(
    tx: Transaction, row: Any, slot_start: datetime, doing: Doing, sealer: Sealer
) -> set[UUID]:
    state = after(AppointmentState(row["state"]), Step.RESCHEDULE)
    check_deadline(row, doing)
    if slot_start == row["slot_start"]:
        raise SameSlot
    hall = doing.directory.hall_by_id(row["hall_id"])
    check_time(hall, slot_start, doing.now)
    items = tuple(doing.directory.item_by_id(item) for item in row["items"])
    lines = tuple(line_for(hall, item) for item in items)
    wanted = _Moving(
        hall,
        items,
        lines,
        doing.who,
        doing.now,
        doing.directory,
        _row=row,
        _for=await _spoken_for(tx, row, sealer),
    )
    found = await facts_of(tx, wanted, slot_start, besides=row["id"])
    same_day = business_day(slot_start) == row["day"]
    # Hers is the one on that day, and she may have been blocked since: this is no new booking. Nor
    # does it count anew that the hall itself makes her move to another week.
    found = replace(found, has_one=found.has_one and not same_day, blocked_until=None)
    if row["must_move"]:
        found = replace(found, in_week=0, in_month=0)
    check_facts(found, wanted)
    places = await places_in(tx, wanted, found, slot_start, sealer)
    await _step(tx, row, Step.RESCHEDULE, state, doing, slot_start=slot_start)
    freed = await booking_steps.move_places(
        tx,
        row,
        places.part,
        places.ids,
        line_id=places.line.id,
        day=business_day(slot_start),
        slot_start=slot_start,
        slot_end=places.run[-1].ends_at,
    )
    passed = await pass_on(tx, freed, now=doing.now, directory=doing.directory)
    return {*freed, *places.ids, *passed}


@dataclass(frozen=True, slots=True)
class _Moving(Booking):
    """A booking like the one that stands in a row."""

    _row: Any = None
    # Who it is for, where a relative or somebody of a company booked for who has no account.
    _for: SpokenFor | None = None

    @property
    def whose(self) -> Whose:
        return booking.whose(self._row)

    @property
    def is_company(self) -> bool:
        return self._for is not None and self._for.kind is ProxyKind.COMPANY

    @property
    def born(self) -> date | None:
        return self._for.born if self._for else None

    @property
    def had_elders_place(self) -> bool:
        return bool(self._row["part"] == Part.ELDERS)


async def _spoken_for(tx: Transaction, row: Any, sealer: Sealer) -> SpokenFor | None:
    if row["citizen_id"] is not None or row["proxy_id"] is None:
        return None
    return await proxies.spoken_for(tx, sealer, row["proxy_id"])


def check_deadline(row: Any, doing: Doing) -> None:
    """Raise TooLateToCancel, saying until when it was, unless the hall itself changed its hours."""
    if row["must_move"]:
        return
    rules = doing.directory.hall_by_id(row["hall_id"]).booking
    if not may_cancel(row["slot_start"], row["booked_at"], doing.now, rules):
        start, minutes = row["slot_start"].astimezone(SHANGHAI), rules.cancel_before_min
        raise TooLateToCancel(
            (
                f"{start:%H:%M} 的预约应在开始前 {minutes} 分钟取消或改期。",
                f"The appointment at {start:%H:%M} could be cancelled or moved until {minutes}"
                " minutes before.",
            )
        )


async def _step(
    tx: Transaction,
    row: Any,
    step: Step,
    state: AppointmentState,
    doing: Doing,
    *,
    slot_start: datetime | None = None,
) -> None:
    await booking_steps.take_step(
        tx,
        row,
        step,
        state,
        now=doing.now,
        actor=doing.actor,
        version=microseconds(),
        slot_start=slot_start,
    )


async def expire(appointment_id: UUID, now: datetime, directory: Directory) -> set[UUID]:
    """End what was held or offered and not confirmed in time; the slots that changed."""

    async def work(tx: Transaction) -> set[UUID]:
        row = await booking_steps.hold(tx, appointment_id, or_skip=True)
        if row is None or row["state"] not in _KEPT or row["held_until"] > now:
            return set()
        state = after(AppointmentState(row["state"]), Step.EXPIRE)
        await booking_steps.take_step(
            tx, row, Step.EXPIRE, state, now=now, actor=SYSTEM, version=microseconds()
        )
        return await let_go(tx, row, now=now, directory=directory)

    return await until_done(work)
