"""An appointment on the way to it: what to take along, where else it could be, checking in."""

from typing import Annotated

import msgspec
from sanic import Blueprint, HTTPResponse, Request

from server.appointments import calendar_files, checking_in
from server.appointments.asked import own
from server.appointments.calendar_files import CalendarEntry
from server.appointments.papers import Paper
from server.appointments.refusals import TooEarly, TooLate
from server.appointments.slot_routes import doing, slot_book
from server.appointments.slot_views import BestSlots, best_slots
from server.appointments.ticking_off import tick_off
from server.appointments.views import AppointmentView
from server.auth import CITIZEN, Principal, own_id
from server.errors import NotFound, WrongStateRefusal, wants_english
from server.http.answers import Answer
from server.http.endpoint import endpoint
from server.live.state import TicketView
from server.numbers.place_given import PlaceGiven
from server.numbers.refusals import (
    AlreadyInLine,
    LineClosed,
    MissedNumberKept,
    NotAtHall,
    PlaceRequired,
    PlaceUnsure,
    PlannedInVisit,
)
from server.services import services

bp = Blueprint("appointment_visits", url_prefix="/api/v1")


class Ticked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the appointment's `materials` I have; what is not in here I do not have yet."""

    have: Annotated[list[Paper], msgspec.Meta(max_length=60)]


class CheckInHere(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where I am."""

    place: PlaceGiven | None = None


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
    found = await own(request, who, appointment)
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
    view = await own(request, who, appointment)
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
    view = await own(request, who, appointment)
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
    view = await own(request, who, appointment)
    return Answer(calendar_files.qr_svg(view.check_in_code), content_type="image/svg+xml")
