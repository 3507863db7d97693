"""When to set off to an appointment: its slot is known, so it is known from the first."""

import math
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from models import slot_departures
from models.tickets import WrongState
from scheduler.leaving import CERTAINTY, leave_in, travel_range
from scheduler.places import Place
from scheduler.travel import Travel
from server.appointments.views import AppointmentView, own_appointment
from server.auth import Principal
from server.departures.keeping import way_to
from server.errors import NotFound
from server.live.reading import shown
from server.services import Services

# A slot so far ahead that nobody is late for it.
_FAR_S: Final = 48 * 3600.0


async def keep(
    appointment_id: UUID, place: Place, travel: Travel, who: Principal, room: Services
) -> AppointmentView:
    """Keep where she is and how she comes, instead of what she said before, until she checks in.

    `place` is in WGS-84. Raises NotFound, HallWithoutPlace, TooFarAway, or WrongState when it is
    not to come.
    """
    mine = await own_appointment(appointment_id, who.id, room.directory)
    if mine is None:
        raise NotFound
    way = await way_to(room.directory.hall(mine.hall), place, travel, room)
    kept = await slot_departures.keep(
        room.sealer,
        appointment_id,
        way,
        lat=place.lat,
        lng=place.lng,
        lead_s=lead_s(way.travel_s, way.basis.value),
        citizen_id=who.id,
    )
    if not kept:
        raise WrongState("it is not to come", mine.state)
    now_mine = await own_appointment(appointment_id, who.id, room.directory)
    if now_mine is None:
        raise NotFound
    return as_of(now_mine, room.clock.now())


async def forget(appointment_id: UUID, who: Principal) -> None:
    """Forget where she is, and tell her nothing any more. Raises NotFound."""
    if not await slot_departures.withdraw(appointment_id, who.id):
        raise NotFound


def lead_s(travel_s: int, basis: Literal["estimate", "map"]) -> int:
    """How long before her slot she sets off who is to be there in time with 90 % certainty."""
    left = leave_in((_FAR_S,) * 3, travel_range(travel_s, basis))
    return math.ceil(_FAR_S - left.in_s)


def as_of(view: AppointmentView, now: datetime) -> AppointmentView:
    """The same with how sure she is who leaves now, where it is late for what was said."""
    leave = view.leave
    if leave is None or leave.at is None or leave.at > now:
        return view
    left_s = max((view.slot_start - now) / timedelta(seconds=1), 0.0)
    sure = leave_in((left_s,) * 3, travel_range(leave.travel_s, leave.travel_basis)).certainty
    certainty = round(min(sure, CERTAINTY), 2)
    # What lies behind her is no help: she leaves now.
    at = shown(min(now, view.slot_end))
    leave = msgspec.structs.replace(leave, at=at, certainty=certainty)
    return msgspec.structs.replace(view, leave=leave)
