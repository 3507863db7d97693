"""What requests about appointments say, read; and hers, as she is shown it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sanic import Request

from scheduler.calendar import SHANGHAI
from server.appointments.refusals import SlotClosed
from server.appointments.slot_routes import NEEDS_OFFSET, slot_book
from server.appointments.slot_views import closest_slots
from server.appointments.views import AppointmentView, own_appointment
from server.auth import Principal, own_id
from server.errors import FieldFault, InvalidRequest, NotFound
from server.services import services

_TWICE = ("不能重复。", "must not stand twice")


async def own(request: Request, who: Principal, appointment: str) -> AppointmentView:
    """An appointment of hers, or one that she made for somebody. Raises NotFound."""
    found = await own_appointment(own_id(appointment), who.id, services(request).directory)
    if found is None:
        raise NotFound
    return found


def with_moves(request: Request, view: AppointmentView) -> AppointmentView:
    """The same with where it could be moved to, where it must be; from memory."""
    if not view.must_move:
        return view
    room = services(request)
    hall = room.directory.hall(view.hall)
    if not all(item in hall.offers for item in view.items):
        return view  # the hall does them no more
    items = [room.directory.item(item) for item in view.items]
    starts = closest_slots(slot_book(request), hall, items, view.slot_start, room.clock.now())
    return msgspec.structs.replace(view, move_to=starts)


def distinct(item: str, also: Sequence[str]) -> tuple[str, ...]:
    """All items, the first among them. Raises InvalidRequest where one stands twice."""
    items = (item, *also)
    if len(set(items)) < len(items):
        raise InvalidRequest(errors=[FieldFault("/also", _TWICE)])
    return items


def with_offset(moment: datetime, *, at: str = "/slot_start") -> datetime:
    """A moment that says its offset, here. Raises InvalidRequest, which points to where it is."""
    if moment.tzinfo is None:
        raise InvalidRequest(errors=[FieldFault(at, NEEDS_OFFSET)])
    try:
        return moment.astimezone(SHANGHAI)
    except OverflowError:
        raise SlotClosed from None  # before the first year, or after the last
