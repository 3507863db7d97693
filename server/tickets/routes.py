"""Tickets over HTTP."""

from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, HTTPResponse, Request

from models.database import rows
from models.decisions import VIEW_OF_CITIZEN
from models.tickets import Priority
from scheduler.calendar import business_day
from scheduler.travel import Travel
from server.auth import CITIZEN, Principal, own_id
from server.departures import keeping
from server.errors import (
    FieldFault,
    IdempotencyKeyReused,
    InvalidRequest,
    LevelTooLow,
    NotFound,
    WrongStateRefusal,
    wants_english,
)
from server.http.answers import JSON, Answer
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.http.paging import PageQuery
from server.live.current import current, current_ticket
from server.live.state import TicketView
from server.numbers import joining
from server.numbers.place_given import PlaceGiven
from server.numbers.refusals import (
    AlreadyInLine,
    ClaimNotTrue,
    DailyCapReached,
    HallClosed,
    LineClosed,
    LineFull,
    MissedNumberKept,
    NotOffered,
    NotResident,
    PlaceRequired,
    PlannedInVisit,
    ProxyNotActive,
    ResidenceNeeded,
    TooFar,
)
from server.services import services
from server.tickets import leaving
from server.tickets.ordering import Order, order_of

bp = Blueprint("tickets", url_prefix="/api/v1")
_NEEDS_PLACE = ("需要同时给出 place。", "needs place")


class TakeNumber(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take a number for an item at a hall; `for` a person or company that I may act for.

    `for` is the `id` of one of `GET /me/family`. `priority_claim` says why I would be served before
    others who came a little earlier; it counts once a clerk has confirmed it, or papers prove it.
    With `travel`, how I come, my place is kept until I am there, and the ticket says when to leave:
    see `PUT /tickets/{id}/place`.
    """

    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16, examples=["dg-24"])]
    item: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    place: PlaceGiven | None = None
    proxy: UUID | None = msgspec.field(name="for", default=None)
    priority_claim: Priority | None = None
    travel: Travel | None = None


class TicketPage(msgspec.Struct, frozen=True):
    """Tickets, newest first, a page at a time."""

    data: list[TicketView]
    next_cursor: str | None


@endpoint(
    bp,
    "POST",
    "/tickets",
    summary=("取号", "Take a number"),
    tag="tickets",
    guard=CITIZEN,
    body=TakeNumber,
    returns=TicketView,
    status=201,
    idempotent=True,
    refuses=[
        NotFound,
        HallClosed,
        LineClosed,
        LineFull,
        TooFar,
        PlaceRequired,
        DailyCapReached,
        AlreadyInLine,
        MissedNumberKept,
        PlannedInVisit,
        LevelTooLow,
        NotOffered,
        ResidenceNeeded,
        NotResident,
        ProxyNotActive,
        ClaimNotTrue,
        IdempotencyKeyReused,
    ],
)
async def take_ticket(request: Request, who: Principal, body: TakeNumber) -> TicketView:
    """Join the line that serves the item. Numbers are dense per line and day: A001, A002, …

    With `for` the number is that person's: she holds one for the item, whoever takes it, and both
    see, follow and cancel it. What the item asks of identity is asked of me. Whoever is 70 by the
    verified number of her account has that priority at once, without claiming it.
    """
    room = services(request)
    fix = body.place.fix() if body.place else None
    if body.travel and fix is None:
        raise InvalidRequest(errors=[FieldFault("/travel", _NEEDS_PLACE)])
    with_it = None
    if fix is not None and body.travel is not None:
        with_it = await keeping.with_departure(body.hall, fix.place, body.travel, who, room)
    return await joining.take_number(
        joining.Wish(body.hall, body.item, fix, body.proxy, body.priority_claim, with_it),
        who,
        once(request, who.id),
        sealer=room.sealer,
        now=room.clock.now(),
        directory=room.directory,
        feed=room.feed,
    )


@endpoint(
    bp,
    "GET",
    "/tickets",
    summary=("我的号票", "My tickets"),
    tag="tickets",
    guard=CITIZEN,
    query=PageQuery,
    returns=TicketPage,
)
async def list_tickets(request: Request, who: Principal, query: PageQuery) -> TicketPage:
    """My tickets, and those I took for others, newest first."""
    found = await rows(VIEW_OF_CITIZEN, who.id, query.cursor, query.limit + 1)
    memory = services(request).feed.memory
    page = [current(row, memory).view for row in found[: query.limit]]
    more = len(found) > query.limit
    return TicketPage(page, str(page[-1].id) if more else None)


@endpoint(
    bp,
    "GET",
    "/tickets/<ticket:str>",
    summary=("号票状态", "One ticket"),
    tag="tickets",
    guard=CITIZEN,
    returns=TicketView,
    refuses=[NotFound],
)
async def show_ticket(request: Request, who: Principal, ticket: str) -> HTTPResponse:
    """A ticket of mine: its state, how many are ahead, which counter calls me.

    One that I follow, too, without what would say who holds it.
    """
    room, ticket_id = services(request), own_id(ticket)
    found = await current_ticket(room.feed, ticket_id)
    if found is None:
        raise NotFound
    if found.is_of(who.id):
        return Answer(found.encoded, content_type=JSON)
    today = business_day(room.clock.now())
    if await room.grants.by_citizen(who.id, ticket_id, today=today) is None:
        raise NotFound
    return Answer(found.encoded_for_followers, content_type=JSON)


@endpoint(
    bp,
    "GET",
    "/tickets/<ticket:str>/order",
    summary=("排队次序与原因", "Who is ahead, and why"),
    tag="tickets",
    guard=CITIZEN,
    returns=Order,
    refuses=[NotFound, WrongStateRefusal],
)
async def show_order(request: Request, who: Principal, ticket: str) -> Order:
    """Who is called before me in my line and why, and the hall's rule in words."""
    return await order_of(
        own_id(ticket),
        who,
        directory=services(request).directory,
        english=wants_english(request.headers.get("accept-language")),
    )


@endpoint(
    bp,
    "POST",
    "/tickets/<ticket:str>/cancel",
    summary=("取消号票", "Give a number up"),
    tag="tickets",
    guard=CITIZEN,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal],
    example={"state": "cancelled", "ahead": None},
)
async def cancel_ticket(request: Request, who: Principal, ticket: str) -> TicketView:
    """Give my number up, while I wait or am called. A visit goes on with its next stop."""
    room = services(request)
    return await leaving.cancel(
        own_id(ticket), who, now=room.clock.now(), directory=room.directory, feed=room.feed
    )
