"""Departures over HTTP."""

import msgspec
from sanic import Blueprint, Request

from scheduler.travel import Travel
from server.auth import CITIZEN, Principal, own_id
from server.departures import keeping
from server.departures.refusals import HallWithoutPlace, TooFarAway
from server.errors import NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.live.state import TicketView
from server.numbers.place_given import PlaceGiven
from server.numbers.refusals import AlreadyCheckedIn
from server.services import services

bp = Blueprint("departures", url_prefix="/api/v1")
_LEAVE = {
    "at": "2026-11-23T09:36:30+08:00",
    "certainty": 0.9,
    "travel": "drive",
    "travel_s": 420,
    "travel_basis": "estimate",
    "told_at": None,
}


class ComeFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where I am, and how I come."""

    place: PlaceGiven
    travel: Travel = "drive"


@endpoint(
    bp,
    "PUT",
    "/tickets/<ticket:str>/place",
    summary=("告诉我何时出发", "Tell me when to leave"),
    tag="tickets",
    guard=CITIZEN,
    body=ComeFrom,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, AlreadyCheckedIn, HallWithoutPlace, TooFarAway],
    example={"leave": _LEAVE},
)
async def say_place(request: Request, who: Principal, ticket: str, body: ComeFrom) -> TicketView:
    """From now on my ticket says when to `leave`, and which other hall would be clearly better.

    Nine times out of ten whoever leaves then is there before her turn. The moment is null while the
    wait is not known. My place is kept sealed, to a hundred metres, until I am at the hall or the
    ticket is over; who follows my ticket is shown none of it. I may say it again as I move.
    """
    return await keeping.keep(
        own_id(ticket), body.place.fix().place, body.travel, who, services(request)
    )


@endpoint(
    bp,
    "DELETE",
    "/tickets/<ticket:str>/place",
    summary=("不再提醒出发", "Forget where I am"),
    tag="tickets",
    guard=CITIZEN,
    status=204,
    refuses=[NotFound],
)
async def forget_place(request: Request, who: Principal, ticket: str) -> None:
    """Forget where I am; from now on my ticket says nothing of leaving."""
    await keeping.forget(own_id(ticket), who, services(request))
