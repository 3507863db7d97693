"""Places in the line over HTTP: what her holder does with hers, and what staff do."""

from typing import Annotated

import msgspec
from sanic import Blueprint, Request

from server.auth import CITIZEN, CLERK, Principal, own_id
from server.errors import LevelTooLow, NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.live.state import TicketView
from server.numbers.place_given import PlaceGiven
from server.numbers.refusals import (
    AlreadyCheckedIn,
    AlreadyInLine,
    AlreadyThere,
    GraceOver,
    HallClosed,
    LineClosed,
    LineFull,
    MissedNumberKept,
    NobodyBehind,
    NoPriorityClaim,
    NotAtHall,
    NotOffered,
    NotResident,
    PlaceRequired,
    PlaceUnsure,
    ResidenceNeeded,
    TooFar,
)
from server.services import services
from server.tickets import desk, moving

bp = Blueprint("places", url_prefix="/api/v1")
TICKET_OF_HALL = "/halls/<hall:str>/tickets/<ticket:str>"
CHECKED_IN = {"checked_in_at": "2026-11-23T09:42:10+08:00", "check_in_required": False}


class MoveTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To which hall; where I am, as when taking a number there."""

    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16, examples=["dg-23"])]
    place: PlaceGiven | None = None


class CheckIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where I am."""

    place: PlaceGiven


class LetPass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many people behind me go first."""

    people: Annotated[int, msgspec.Meta(ge=1, le=100, examples=[2])]


@endpoint(
    bp,
    "POST",
    "/tickets/<ticket:str>/move",
    summary=("换厅排队", "Move to another hall"),
    tag="tickets",
    guard=CITIZEN,
    body=MoveTo,
    returns=TicketView,
    refuses=[
        NotFound,
        WrongStateRefusal,
        AlreadyThere,
        HallClosed,
        LineClosed,
        LineFull,
        MissedNumberKept,
        NotOffered,
        TooFar,
        PlaceRequired,
        LevelTooLow,
        ResidenceNeeded,
        NotResident,
    ],
    example={"hall": "dg-23", "number": "A007", "ahead": 2},
)
async def move_ticket(request: Request, who: Principal, ticket: str, body: MoveTo) -> TicketView:
    """Wait at another hall instead: a new number there, and the time I have waited counts."""
    room = services(request)
    return await moving.move(
        own_id(ticket),
        body.hall,
        who,
        fix=body.place.fix() if body.place else None,
        sealer=room.sealer,
        now=room.clock.now(),
        directory=room.directory,
        feed=room.feed,
    )


@endpoint(
    bp,
    "POST",
    "/tickets/<ticket:str>/let-pass",
    summary=("让后面的人先办", "Let people pass"),
    tag="tickets",
    guard=CITIZEN,
    body=LetPass,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, NobodyBehind],
    example={"ahead": 6},
)
async def let_pass(request: Request, who: Principal, ticket: str, body: LetPass) -> TicketView:
    """Keep my place just behind so many people more, or behind the last there is."""
    room = services(request)
    return await moving.let_pass(
        own_id(ticket),
        body.people,
        who,
        now=room.clock.now(),
        directory=room.directory,
        feed=room.feed,
    )


@endpoint(
    bp,
    "POST",
    "/tickets/<ticket:str>/check-in",
    summary=("到厅签到", "I am at the hall"),
    tag="tickets",
    guard=CITIZEN,
    body=CheckIn,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, NotAtHall, PlaceUnsure, AlreadyCheckedIn],
    example=CHECKED_IN,
)
async def check_in(request: Request, who: Principal, ticket: str, body: CheckIn) -> TicketView:
    """Tell the hall that I have come, once, by where my phone says that it is.

    The place must lie within the hall's fence with the whole circle of its accuracy. Where the hall
    calls only people who have checked in, I am called from then on, in my old place.
    """
    room = services(request)
    return await moving.check_in(
        own_id(ticket),
        body.place.fix(),
        who,
        now=room.clock.now(),
        directory=room.directory,
        feed=room.feed,
    )


@endpoint(
    bp,
    "POST",
    TICKET_OF_HALL + "/check-in",
    summary=("代为签到", "Check somebody in"),
    tag="tickets",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, AlreadyCheckedIn],
    example=CHECKED_IN,
)
async def check_somebody_in(request: Request, who: Principal, hall: str, ticket: str) -> TicketView:
    """She stands before me: that is surer than what any phone says.

    `ticket` is its id, or today's number.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    return await desk.check_in(entry, ticket, who, now=room.clock.now(), feed=room.feed)


@endpoint(
    bp,
    "POST",
    TICKET_OF_HALL + "/return",
    summary=("过号恢复", "Back into the line"),
    tag="tickets",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, GraceOver, AlreadyInLine],
)
async def let_return(request: Request, who: Principal, hall: str, ticket: str) -> TicketView:
    """Somebody who was missed has come: she waits again, from now and the hall's penalty later.

    `ticket` is its id, or today's number.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    return await desk.let_return(entry, ticket, who, now=room.clock.now(), feed=room.feed)


@endpoint(
    bp,
    "POST",
    TICKET_OF_HALL + "/confirm-priority",
    summary=("确认优先", "Confirm a priority"),
    tag="tickets",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, NoPriorityClaim],
    example={"ahead": 0, "priority": {"kind": "pregnant", "confirmed": True}},
)
async def confirm_priority(request: Request, who: Principal, hall: str, ticket: str) -> TicketView:
    """Her claim is true: from now on she counts as if she had come earlier, by the hall's credit.

    `ticket` is its id, or today's number.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    return await desk.confirm_priority(entry, ticket, who, now=room.clock.now(), feed=room.feed)


@endpoint(
    bp,
    "POST",
    TICKET_OF_HALL + "/refuse-priority",
    summary=("不予优先", "Refuse a priority"),
    tag="tickets",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, NoPriorityClaim],
    example={"priority": None},
)
async def refuse_priority(request: Request, who: Principal, hall: str, ticket: str) -> TicketView:
    """Her papers do not bear her claim out: she keeps her place, without priority.

    `ticket` is its id, or today's number.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    return await desk.refuse_priority(entry, ticket, who, now=room.clock.now(), feed=room.feed)
