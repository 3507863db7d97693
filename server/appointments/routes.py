"""Appointments over HTTP, as citizens make, change and read them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, HTTPResponse, Request

from scheduler.calendar import SHANGHAI
from server.appointments import booking, calendar_files, changing, checking_in
from server.appointments.calendar_files import CalendarEntry
from server.appointments.leaving import as_of
from server.appointments.papers import Paper
from server.appointments.refusals import (
    AlreadyBooked,
    BookingBlocked,
    HoldExpired,
    NotBookable,
    SameSlot,
    SlotClosed,
    SlotFull,
    TooEarly,
    TooLate,
    TooLateToCancel,
    TooManyBookings,
)
from server.appointments.slot_routes import doing, slot_book
from server.appointments.slot_views import BestSlots, best_slots, closest_slots
from server.appointments.ticking_off import tick_off
from server.appointments.views import (
    AppointmentPage,
    AppointmentView,
    appointments_of,
    own_appointment,
)
from server.appointments.wishes import Wish
from server.auth import CITIZEN, Principal, own_id
from server.errors import (
    FieldFault,
    IdempotencyKeyReused,
    InvalidRequest,
    LevelTooLow,
    NotFound,
    WrongStateRefusal,
    wants_english,
)
from server.http.answers import Answer
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.http.paging import PageQuery
from server.live.state import TicketView
from server.numbers.place_given import PlaceGiven
from server.numbers.refusals import (
    AlreadyInLine,
    LineClosed,
    MissedNumberKept,
    NotAtHall,
    NotOffered,
    NotResident,
    PlaceRequired,
    PlaceUnsure,
    PlannedInVisit,
    ProxyNotActive,
    ResidenceNeeded,
)
from server.services import services

bp = Blueprint("appointments", url_prefix="/api/v1")
ItemCode = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_OFFSET = ("应带时区，例如 2026-11-24T09:30:00+08:00。", "needs an offset, such as +08:00")
_TWICE = ("不能重复。", "must not stand twice")
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


class Ticked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the appointment's `materials` I have; what is not in here I do not have yet."""

    have: Annotated[list[Paper], msgspec.Meta(max_length=60)]


class CheckInHere(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where I am."""

    place: PlaceGiven | None = None


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
    found = await _own(request, who, appointment)
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


@endpoint(
    bp,
    "PUT",
    "/appointments/<appointment:str>/materials",
    summary=("勾选已备材料", "Tick off what I have"),
    tag="appointments",
    guard=CITIZEN,
    body=Ticked,
    returns=AppointmentView,
    refuses=[NotFound, WrongStateRefusal],
)
async def set_materials(
    request: Request, who: Principal, appointment: str, body: Ticked
) -> AppointmentView:
    """Say what I have of what to bring; the counter sees it. It decides nothing."""
    return await tick_off(own_id(appointment), body.have, doing(request, who))


@endpoint(
    bp,
    "POST",
    "/appointments/<appointment:str>/check-in",
    summary=("预约签到", "Check in"),
    tag="appointments",
    guard=CITIZEN,
    body=CheckInHere,
    returns=TicketView,
    status=201,
    refuses=[
        NotFound,
        WrongStateRefusal,
        TooEarly,
        TooLate,
        NotAtHall,
        PlaceUnsure,
        PlaceRequired,
        AlreadyInLine,
        LineClosed,
        MissedNumberKept,
        PlannedInVisit,
    ],
)
async def check_in_booked(
    request: Request, who: Principal, appointment: str, body: CheckInHere
) -> TicketView:
    """Get my number at the hall, by where my phone says that it is.

    I stand in line by my slot's start, or, where I am late, by this moment. Where the hall does not
    ask for a place none is needed, but it may call me only once I have checked my number in.
    """
    room = services(request)
    return await checking_in.check_in_by_phone(
        own_id(appointment),
        body.place.fix() if body.place else None,
        who,
        now=room.clock.now(),
        directory=room.directory,
        feed=room.feed,
    )


@endpoint(
    bp,
    "GET",
    "/appointments/<appointment:str>/proposals",
    summary=("改期建议", "Where to move it"),
    tag="appointments",
    guard=CITIZEN,
    returns=BestSlots,
    refuses=[NotFound],
)
async def propose(request: Request, who: Principal, appointment: str) -> BestSlots:
    """Other slots for it at the same hall: the soonest, and a clearly emptier one where one is."""
    room = services(request)
    found = await _own(request, who, appointment)
    hall, items = room.directory.hall(found.hall), [room.directory.item(i) for i in found.items]
    return best_slots(
        slot_book(request),
        items,
        halls=[hall],
        where=None,
        now=room.clock.now(),
        without=found.slot_start,
        english=wants_english(request.headers.get("accept-language")),
    )


@endpoint(
    bp,
    "GET",
    "/appointments/<appointment:str>/calendar",
    summary=("加入手机日历", "For my phone's calendar"),
    tag="appointments",
    guard=CITIZEN,
    returns=CalendarEntry,
    refuses=[NotFound],
)
async def show_calendar(request: Request, who: Principal, appointment: str) -> CalendarEntry:
    """What a mini-program hands to its platform, to put it into the phone's calendar."""
    english = wants_english(request.headers.get("accept-language"))
    view = await _own(request, who, appointment)
    return calendar_files.entry(view, services(request).directory, english=english)


@endpoint(
    bp,
    "GET",
    "/appointments/<appointment:str>/calendar.ics",
    summary=("日历文件", "As an iCalendar file"),
    tag="appointments",
    guard=CITIZEN,
    content_type="text/calendar",
    refuses=[NotFound],
)
async def show_ics(request: Request, who: Principal, appointment: str) -> HTTPResponse:
    """The appointment as a file that any calendar takes; given up, it takes itself out again."""
    room, english = services(request), wants_english(request.headers.get("accept-language"))
    view = await _own(request, who, appointment)
    file = calendar_files.ics(view, room.directory, now=room.clock.now(), english=english)
    return Answer(file, content_type="text/calendar; charset=utf-8")


@endpoint(
    bp,
    "GET",
    "/appointments/<appointment:str>/qr.svg",
    summary=("签到二维码", "The QR code"),
    tag="appointments",
    guard=CITIZEN,
    content_type="image/svg+xml",
    refuses=[NotFound],
)
async def show_qr(request: Request, who: Principal, appointment: str) -> HTTPResponse:
    """The check-in code as a QR code, for who shows a screen or a print."""
    view = await _own(request, who, appointment)
    return Answer(calendar_files.qr_svg(view.check_in_code), content_type="image/svg+xml")


async def _own(request: Request, who: Principal, appointment: str) -> AppointmentView:
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
        raise InvalidRequest(errors=[FieldFault(at, _OFFSET)])
    try:
        return moment.astimezone(SHANGHAI)
    except OverflowError:
        raise SlotClosed from None  # before the first year, or after the last
