"""When to leave for an appointment, over HTTP."""

from sanic import Blueprint, Request

from server.appointments import leaving
from server.appointments.views import AppointmentView
from server.auth import CITIZEN, Principal, own_id
from server.departures.refusals import HallWithoutPlace, TooFarAway
from server.departures.routes import ComeFrom
from server.errors import NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.services import services

bp = Blueprint("leaving_for_slots", url_prefix="/api/v1")
_PLACE = "/appointments/<appointment:str>/place"
_LEAVE = {
    "at": "2026-11-23T10:08:00+08:00",
    "certainty": 0.9,
    "travel": "drive",
    "travel_s": 420,
    "travel_basis": "estimate",
    "told_at": None,
}


@endpoint(
    bp,
    "PUT",
    _PLACE,
    summary=("告诉我何时出发赴约", "Tell me when to leave for my appointment"),
    tag="appointments",
    guard=CITIZEN,
    body=ComeFrom,
    returns=AppointmentView,
    refuses=[NotFound, WrongStateRefusal, HallWithoutPlace, TooFarAway],
    example={"leave": _LEAVE},
)
async def say_place_for_slot(
    request: Request, who: Principal, appointment: str, body: ComeFrom
) -> AppointmentView:
    """From now on my appointment says when to `leave`.

    Nine times out of ten whoever leaves then is there before the slot. When the moment comes it is
    noted once (`told_at`), and anew where the appointment is moved. My place is kept sealed, to a
    hundred metres, until I check in or the appointment is over. I may say it again as I move.
    """
    place, room = body.place.fix().place, services(request)
    return await leaving.keep(own_id(appointment), place, body.travel, who, room)


@endpoint(
    bp,
    "DELETE",
    _PLACE,
    summary=("不再提醒出发赴约", "Forget where I am"),
    tag="appointments",
    guard=CITIZEN,
    status=204,
    refuses=[NotFound],
)
async def forget_place_for_slot(request: Request, who: Principal, appointment: str) -> None:
    """Forget where I am at once; my appointment says nothing of leaving any more."""
    await leaving.forget(own_id(appointment), who)
