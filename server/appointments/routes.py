"""Appointments over HTTP, as citizens make, change and read them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from server.appointments import booking, changing
from server.appointments.asked import distinct, own, with_moves, with_offset
from server.appointments.leaving import as_of
from server.appointments.refusals import (
    AlreadyBooked,
    BookingBlocked,
    HoldExpired,
    NotBookable,
    SameSlot,
    SlotClosed,
    SlotFull,
    TooLateToCancel,
    TooManyBookings,
)
from server.appointments.slot_routes import doing, slot_book
from server.appointments.views import AppointmentPage, AppointmentView, appointments_of
from server.appointments.wishes import Wish
from server.auth import CITIZEN, Principal, own_id
from server.errors import IdempotencyKeyReused, LevelTooLow, NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.http.paging import PageQuery
from server.numbers.refusals import NotOffered, NotResident, ProxyNotActive, ResidenceNeeded
from server.services import services

bp = Blueprint("appointments", url_prefix="/api/v1")
ItemCode = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_CANNOT = [SlotFull, SlotClosed, AlreadyBooked, TooManyBookings, LevelTooLow, ResidenceNeeded]


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Book an item in a slot of a hall; `also` names more items, all done in one visit.

    `hold`: keep the place for some minutes, until `confirm`. `for` is the `id` of one of
    `GET /me/family`: a person or company that I may act for.
    """

    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16, examples=["dg-24"])]
    item: ItemCode
    slot_start: datetime
    hold: bool = False
    also: Annotated[list[ItemCode], msgspec.Meta(max_length=7)] = []
    proxy: UUID | None = msgspec.field(name="for", default=None)


class Reschedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To which slot of the same hall."""

    slot_start: datetime


@endpoint(
    bp,
    "POST",
    "/appointments",
    summary=("预约", "Book"),
    tag="appointments",
    guard=CITIZEN,
    body=Book,
    returns=AppointmentView,
    status=201,
    idempotent=True,
    refuses=[
        NotFound,
        *_CANNOT,
        NotResident,
        BookingBlocked,
        NotOffered,
        NotBookable,
        ProxyNotActive,
        IdempotencyKeyReused,
    ],
)
async def book(request: Request, who: Principal, body: Book) -> AppointmentView:
    """Book a place in a slot, at once or first held. The answer says all that is to be brought.

    One appointment a person, item and day, and so many a week and a month as the hall allows. What
    takes longer than a slot takes several in a row, from `slot_start` on. Items of other lines take
    places there as soon after as there are any, at most an hour later: all are booked, or none.
    """
    room, items = services(request), distinct(body.item, body.also)
    return await booking.book(
        Wish(body.hall, items, with_offset(body.slot_start), body.hold, body.proxy),
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
    "/appointments",
    summary=("我的预约", "My appointments"),
    tag="appointments",
    guard=CITIZEN,
    query=PageQuery,
    returns=AppointmentPage,
)
async def list_appointments(request: Request, who: Principal, query: PageQuery) -> AppointmentPage:
    """My appointments, and those I made for others, newest first."""
    room = services(request)
    page = await appointments_of(who.id, query.cursor, query.limit, room.directory)
    seen = (as_of(one, room.clock.now()) for one in page.data)
    return AppointmentPage([with_moves(request, one) for one in seen], page.next_cursor)


@endpoint(
    bp,
    "GET",
    "/appointments/<appointment:str>",
    summary=("预约详情", "One appointment"),
    tag="appointments",
    guard=CITIZEN,
    returns=AppointmentView,
    refuses=[NotFound],
)
async def show_appointment(request: Request, who: Principal, appointment: str) -> AppointmentView:
    """An appointment of mine, or one that I made for somebody."""
    found = await own(request, who, appointment)
    return with_moves(request, as_of(found, services(request).clock.now()))


@endpoint(
    bp,
    "POST",
    "/appointments/<appointment:str>/confirm",
    summary=("确认预约", "Confirm"),
    tag="appointments",
    guard=CITIZEN,
    returns=AppointmentView,
    refuses=[NotFound, WrongStateRefusal, HoldExpired],
)
async def confirm(request: Request, who: Principal, appointment: str) -> AppointmentView:
    """Book the place that is held for me, while it is. Asked again it answers the same."""
    return await changing.confirm(own_id(appointment), doing(request, who), slot_book(request))


@endpoint(
    bp,
    "POST",
    "/appointments/<appointment:str>/reschedule",
    summary=("改期", "Move to another slot"),
    tag="appointments",
    guard=CITIZEN,
    body=Reschedule,
    returns=AppointmentView,
    refuses=[
        NotFound,
        WrongStateRefusal,
        SameSlot,
        TooLateToCancel,
        *_CANNOT,
        NotResident,
    ],
)
async def reschedule(
    request: Request, who: Principal, appointment: str, body: Reschedule
) -> AppointmentView:
    """Take another slot instead. Whatever is refused, the old place stays mine."""
    return await changing.reschedule(
        own_id(appointment),
        with_offset(body.slot_start),
        doing(request, who),
        slot_book(request),
        sealer=services(request).sealer,
    )


@endpoint(
    bp,
    "POST",
    "/appointments/<appointment:str>/cancel",
    summary=("取消预约", "Cancel"),
    tag="appointments",
    guard=CITIZEN,
    returns=AppointmentView,
    refuses=[NotFound, WrongStateRefusal, TooLateToCancel],
    example={"state": "cancelled"},
)
async def cancel(request: Request, who: Principal, appointment: str) -> AppointmentView:
    """Give my place up, in time; whoever waits for one is offered it at once."""
    return await changing.cancel(own_id(appointment), doing(request, who), slot_book(request))
