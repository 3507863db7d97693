"""Plain bookings, one item in one slot by whoever comes herself: decided with others at once.

Whatever is not plain, or may be refused, is booked as `server.appointments.booking` does, which
knows all rules. What stands here only tells the two apart, and what is answered.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from uuid_utils.compat import uuid7

from models.appointments import AppointmentState
from models.booking import NewAppointment
from models.booking_together import PlainBooking, book_plainly
from models.slots import Part
from scheduler.calendar import business_day
from scheduler.residence import ANYWHERE
from server.appointments.codes import new_code
from server.appointments.prerequisites import Unfinished, unfinished
from server.appointments.refusals import SlotFull
from server.appointments.slot_book import Seen, SlotBook
from server.appointments.views import AppointmentView, view
from server.appointments.wishes import Booking, Wish
from server.clock import microseconds
from server.http.idempotency import Once


async def booked_plainly(
    wanted: Booking, wish: Wish, once: Once, slots: SlotBook
) -> AppointmentView | None:
    """Her appointment; None where it is to be booked by itself, and nothing has changed.

    Raises SlotFull.
    """
    slot = _plain_slot(wanted, wish, slots)
    if slot is None:
        return None
    new = _new(wanted, slot, hold=wish.hold)
    # Looked at before: once she has booked nothing may fail any more.
    before = await unfinished(None, wanted.whose, wanted.items, wanted.directory)

    def seen(missed: Sequence[datetime]) -> AppointmentView:
        return _view(wanted, new, missed, before)

    rules = wanted.hall.booking
    plain = PlainBooking(
        new,
        wanted.who.sign_in_id,
        wanted.level_required,
        rules.book_per_week,
        rules.book_per_month,
        once.first_answer(seen, status=201),
    )
    try:
        decided = await book_plainly(plain)
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DeadlockDetectedError):
        return None  # somebody came between: who books her by herself sees what is there now
    if decided.full:
        raise SlotFull
    if not decided.made:
        return None
    slots.mention(new.slots)
    return seen(decided.missed)


def _plain_slot(wanted: Booking, wish: Wish, slots: SlotBook) -> Seen | None:
    """The slot, as it was read last, where one is all that is booked; None where it is not."""
    if wish.proxy is not None or len(wanted.items) > 1:
        return None
    [item] = wanted.items
    if item.residents_of != ANYWHERE:
        return None
    slot = slots.at(wanted.hall, item, wish.slot_start)
    if slot is None or not slot.open:
        return None
    fits = slot.ends_at - slot.starts_at >= timedelta(minutes=item.minutes)
    return slot if fits else None


def _new(wanted: Booking, slot: Seen, *, hold: bool) -> NewAppointment:
    held_for = timedelta(minutes=wanted.hall.booking.hold_min)
    return NewAppointment(
        id=uuid7(),
        hall_id=wanted.hall.id,
        line_id=wanted.lines[0].id,
        items=(wanted.items[0].id,),
        whose=wanted.whose,
        part=Part.EVERYBODY,
        slots=(slot.id,),
        day=business_day(slot.starts_at),
        slot_start=slot.starts_at,
        slot_end=slot.ends_at,
        state=AppointmentState.HELD if hold else AppointmentState.BOOKED,
        now=wanted.now,
        held_until=wanted.now + held_for if hold else None,
        code=new_code(),
        actor=wanted.actor,
        version=microseconds(),
    )


def _view(
    wanted: Booking,
    new: NewAppointment,
    missed: Sequence[datetime],
    before: list[Unfinished],
) -> AppointmentView:
    """What a look at her appointment would tell now, without one."""
    row: Mapping[str, Any] = {
        "id": new.id,
        "hall": wanted.hall.code,
        "line": wanted.lines[0].code,
        "items": new.items,
        "day": new.day,
        "slot_start": new.slot_start,
        "slot_end": new.slot_end,
        "state": new.state,
        "made_at": new.now,
        "held_until": new.held_until,
        "booked_at": None if new.held_until else new.now,
        "check_in_code": new.code,
        "version": new.version,
        "missed_before": missed,
        "must_move": False,
        "pardon": None,
        "ticket_id": None,
        "papers": (),
        "places": None,
        "taken_for": None,
        "revision": 0,
        "cancelled_for": None,
    }
    return msgspec.structs.replace(view(row, wanted.directory), unfinished=before)
