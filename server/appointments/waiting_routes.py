"""Waiting for a place over HTTP, and what one is offered."""

from datetime import date, time
from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from server.appointments import changing, waitlist
from server.appointments.refusals import (
    AlreadyBooked,
    AlreadyWaiting,
    BookingBlocked,
    HoldExpired,
    NotBookable,
    SlotClosed,
    TooManyBookings,
)
from server.appointments.slot_routes import doing, slot_book
from server.appointments.views import AppointmentView
from server.appointments.waitlist import WaitPage, WaitView
from server.auth import CITIZEN, Principal, own_id
from server.errors import (
    FieldFault,
    IdempotencyKeyReused,
    InvalidRequest,
    LevelTooLow,
    NotFound,
    WrongStateRefusal,
)
from server.http.endpoint import endpoint
from server.http.formats import ClockTime
from server.http.idempotency import once
from server.http.paging import PageQuery
from server.numbers.refusals import NotOffered, NotResident, ProxyNotActive, ResidenceNeeded
from server.services import services

bp = Blueprint("waitlist", url_prefix="/api/v1")
_BACKWARDS = ("应晚于 from。", "must be later than `from`")


class JoinWaitlist(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Wait for a place at a hall on a day, in slots between two local times; `for` as in booking.

    `to` 00:00 is the day's end.
    """

    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16, examples=["dg-24"])]
    item: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    date: date
    start: Annotated[ClockTime, msgspec.Meta(examples=["09:00"])] = msgspec.field(name="from")
    to: Annotated[ClockTime, msgspec.Meta(examples=["12:00"])]
    proxy: UUID | None = msgspec.field(name="for", default=None)


@endpoint(
    bp,
    "POST",
    "/waitlist",
    summary=("候补", "Wait for a place"),
    tag="appointments",
    guard=CITIZEN,
    body=JoinWaitlist,
    returns=WaitView,
    status=201,
    idempotent=True,
    refuses=[
        NotFound,
        SlotClosed,
        AlreadyWaiting,
        AlreadyBooked,
        TooManyBookings,
        BookingBlocked,
        LevelTooLow,
        NotOffered,
        NotBookable,
        ResidenceNeeded,
        NotResident,
        ProxyNotActive,
        IdempotencyKeyReused,
    ],
)
async def join_waitlist(request: Request, who: Principal, body: JoinWaitlist) -> WaitView:
    """Be offered the next place that becomes free, in the order in which people began to wait."""
    start, end = time.fromisoformat(body.start), time.fromisoformat(body.to)
    if end != time(0) and end <= start:
        raise InvalidRequest(errors=[FieldFault("/to", _BACKWARDS)])
    room = services(request)
    return await waitlist.join(
        waitlist.Wish(body.hall, body.item, body.date, start, end, body.proxy),
        who,
        once(request, who.id),
        sealer=room.sealer,
        now=room.clock.now(),
        directory=room.directory,
        slots=slot_book(request),
    )


@endpoint(
    bp,
    "GET",
    "/waitlist",
    summary=("我的候补", "What I wait for"),
    tag="appointments",
    guard=CITIZEN,
    query=PageQuery,
    returns=WaitPage,
)
async def list_waits(request: Request, who: Principal, query: PageQuery) -> WaitPage:
    """Where I wait for a place, newest first, with what I am offered."""
    return await waitlist.waits_of(who.id, query.cursor, query.limit)


@endpoint(
    bp,
    "DELETE",
    "/waitlist/<entry:str>",
    summary=("退出候补", "Wait no more"),
    tag="appointments",
    guard=CITIZEN,
    returns=WaitView,
    refuses=[NotFound],
    example={"state": "left", "ahead": None},
)
async def leave_waitlist(request: Request, who: Principal, entry: str) -> WaitView:
    """Wait for no place any more; one that is offered to me is declined by itself."""
    return await waitlist.leave(own_id(entry), who)


@endpoint(
    bp,
    "POST",
    "/offers/<offer:str>/accept",
    summary=("接受候补名额", "Accept the offer"),
    tag="appointments",
    guard=CITIZEN,
    returns=AppointmentView,
    refuses=[NotFound, WrongStateRefusal, HoldExpired],
)
async def accept(request: Request, who: Principal, offer: str) -> AppointmentView:
    """Book the place that I am offered, in time; it is an appointment of mine like any other."""
    return await changing.confirm(own_id(offer), doing(request, who), slot_book(request))


@endpoint(
    bp,
    "POST",
    "/offers/<offer:str>/decline",
    summary=("放弃候补名额", "Decline the offer"),
    tag="appointments",
    guard=CITIZEN,
    returns=AppointmentView,
    refuses=[NotFound, WrongStateRefusal],
    example={"state": "cancelled"},
)
async def decline(request: Request, who: Principal, offer: str) -> AppointmentView:
    """Let the place go to the next who waits."""
    return await changing.decline(own_id(offer), doing(request, who), slot_book(request))
