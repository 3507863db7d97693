"""The hall's own bookings over HTTP: made, found, moved and given up for others."""

from datetime import datetime
from typing import Annotated

import msgspec
from sanic import Blueprint, Request

from models.identifiers import IdDocument, IdType
from scheduler.calendar import business_day
from server.appointments import at_desk, changing
from server.appointments.asked import distinct, with_moves, with_offset
from server.appointments.changing import Doing
from server.appointments.refusals import (
    AlreadyBooked,
    BookingBlocked,
    NotBookable,
    SameSlot,
    SlotClosed,
    SlotFull,
    TooLateToCancel,
    TooManyBookings,
)
from server.appointments.routes import Reschedule
from server.appointments.slot_routes import slot_book
from server.appointments.views import AppointmentPage, AppointmentView
from server.auth import AT_THE_HALL, CLERK, Principal, own_id
from server.errors import (
    FieldFault,
    IdempotencyKeyReused,
    InvalidRequest,
    NotFound,
    WrongStateRefusal,
)
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.identity.comers import SaysWho, read_comer
from server.numbers.refusals import NotOffered
from server.services import services

bp = Blueprint("desk-appointments", url_prefix="/api/v1")
ItemCode = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_NEEDED = ("请填写证件号码。", "is needed: an appointment is always somebody's")


class BookForHer(SaysWho, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Book for whoever stands there or telephones; `id_number` is that of her card.

    `name` and `phone` are kept of who has no account, sealed, for a week after it is over.
    """

    id_number: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    item: ItemCode
    slot_start: datetime
    also: Annotated[list[ItemCode], msgspec.Meta(max_length=7)] = msgspec.field(
        default_factory=list
    )


class OfWhom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The number of her card; `id_type` is `resident_id` where it is not said."""

    id_number: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    id_type: IdType | None = None


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/appointments",
    summary=("代为预约", "Book for somebody"),
    tag="appointments",
    guard=AT_THE_HALL,
    body=BookForHer,
    returns=AppointmentView,
    status=201,
    idempotent=True,
    refuses=[
        NotFound,
        SlotFull,
        SlotClosed,
        AlreadyBooked,
        TooManyBookings,
        BookingBlocked,
        NotOffered,
        NotBookable,
        IdempotencyKeyReused,
    ],
)
async def book_for_her(
    request: Request, who: Principal, hall: str, body: BookForHer
) -> AppointmentView:
    """Book at the help desk, at a kiosk, or for who telephones, by the number of her card.

    It is hers as if she had booked it: on her phone if she has an account, and by the same rules.
    She checks in by her card. Places kept for the desk are taken first.
    """
    room = services(request)
    now = room.clock.now()
    comer = read_comer(body, today=business_day(now))
    wish = at_desk.CallersWish(comer, distinct(body.item, body.also), with_offset(body.slot_start))
    return await at_desk.book_for(
        room.directory.hall(hall),
        wish,
        who,
        once(request, who.id),
        sealer=room.sealer,
        now=now,
        directory=room.directory,
        slots=slot_book(request),
    )


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/appointments/find",
    summary=("按证件查预约", "Find somebody's appointments"),
    tag="appointments",
    guard=CLERK,
    body=OfWhom,
    returns=AppointmentPage,
    refuses=[NotFound],
)
async def find_hers(request: Request, who: Principal, hall: str, body: OfWhom) -> AppointmentPage:
    """What somebody has booked here from today on, by the number of her card; it is recorded."""
    room = services(request)
    now = room.clock.now()
    found = await at_desk.open_of(
        room.directory.hall(hall),
        _document(body, now),
        who,
        sealer=room.sealer,
        now=now,
        directory=room.directory,
    )
    return AppointmentPage([with_moves(request, one) for one in found], None)


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/appointments/<appointment:str>/reschedule",
    summary=("代为改期", "Move somebody's appointment"),
    tag="appointments",
    guard=CLERK,
    body=Reschedule,
    returns=AppointmentView,
    refuses=[
        NotFound,
        WrongStateRefusal,
        SameSlot,
        TooLateToCancel,
        SlotFull,
        SlotClosed,
        AlreadyBooked,
        TooManyBookings,
        NotOffered,
    ],
)
async def reschedule_hers(
    request: Request, who: Principal, hall: str, appointment: str, body: Reschedule
) -> AppointmentView:
    """Move an appointment of this hall, as its own could; whatever is refused, it stays."""
    return await changing.reschedule(
        own_id(appointment),
        with_offset(body.slot_start),
        _doing(request, who, hall),
        slot_book(request),
        sealer=services(request).sealer,
    )


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/appointments/<appointment:str>/cancel",
    summary=("代为取消", "Cancel somebody's appointment"),
    tag="appointments",
    guard=CLERK,
    returns=AppointmentView,
    refuses=[NotFound, WrongStateRefusal, TooLateToCancel],
    example={"state": "cancelled"},
)
async def cancel_hers(
    request: Request, who: Principal, hall: str, appointment: str
) -> AppointmentView:
    """Give up an appointment of this hall for her, in time; who waits is offered it at once."""
    return await changing.cancel(
        own_id(appointment), _doing(request, who, hall), slot_book(request)
    )


def _doing(request: Request, who: Principal, hall: str) -> Doing:
    room = services(request)
    return Doing(who, room.clock.now(), room.directory, room.directory.hall(hall))


def _document(body: OfWhom, now: datetime) -> IdDocument:
    said = SaysWho(id_number=body.id_number, id_type=body.id_type)
    document = read_comer(said, today=business_day(now)).document
    if document is None:
        raise InvalidRequest(errors=[FieldFault("/id_number", _NEEDED)])
    return document
