"""The hall's numbers over HTTP: given out at the help desk and at kiosks, and listed for staff."""

from typing import Annotated

import msgspec
from sanic import Blueprint, Request

from models.tickets import Priority
from scheduler.calendar import business_day
from server.auth import AT_THE_HALL, CLERK, Principal
from server.errors import IdempotencyKeyReused, NotFound
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.identity.comers import SaysWho, read_comer
from server.lines.looking import line_of
from server.live.state import TicketView
from server.numbers.at_hall import give_number
from server.numbers.refusals import (
    AlreadyInLine,
    ClaimNotTrue,
    HallClosed,
    IdNumberRequired,
    LineClosed,
    LineFull,
    MissedNumberKept,
    NotOffered,
    PlannedInVisit,
)
from server.services import services
from server.tickets.listing import HallTicketPage, HallTicketsQuery, tickets_of

bp = Blueprint("at-hall", url_prefix="/api/v1")


class GiveNumber(SaysWho, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A number for whoever stands there. All but the item may be left out.

    `id_type` is `resident_id` where it is not said.
    """

    item: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    priority: Priority | None = None


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/tickets",
    summary=("现场取号", "Give out a number"),
    tag="tickets",
    guard=AT_THE_HALL,
    body=GiveNumber,
    returns=TicketView,
    status=201,
    idempotent=True,
    example={"name": "林**"},
    refuses=[
        NotFound,
        HallClosed,
        LineClosed,
        LineFull,
        AlreadyInLine,
        MissedNumberKept,
        PlannedInVisit,
        IdNumberRequired,
        NotOffered,
        ClaimNotTrue,
        IdempotencyKeyReused,
    ],
)
async def give_ticket(request: Request, who: Principal, hall: str, body: GiveNumber) -> TicketView:
    """Give somebody who is in the hall the next number, at the help desk or at a kiosk.

    With her id number the ticket is hers: it is on her phone if she has an account, and she holds
    one for the item, however she takes it; from 70 on she has priority at once. Without it the
    ticket is anonymous, which an item that asks for a real name does not allow. A `priority` that
    staff give is confirmed thereby; a kiosk's is a claim. `already_in_line`, and
    `missed_number_kept`, tell staff which ticket it is, where it is in this hall: one that was
    missed is let back in line.
    """
    room = services(request)
    now = room.clock.now()
    return await give_number(
        room.directory.hall(hall),
        body.item,
        read_comer(body, priority=body.priority, today=business_day(now)),
        who,
        once(request, who.id),
        sealer=room.sealer,
        now=now,
        directory=room.directory,
        feed=room.feed,
    )


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/tickets",
    summary=("大厅号票", "The hall's tickets"),
    tag="tickets",
    guard=CLERK,
    query=HallTicketsQuery,
    returns=HallTicketPage,
    refuses=[NotFound],
)
async def list_hall_tickets(
    request: Request, who: Principal, hall: str, query: HallTicketsQuery
) -> HallTicketPage:
    """Who waits here, in the order of rank time; who is parked, was missed, claims priority."""
    room = services(request)
    entry = room.directory.hall(hall)
    line = line_of(entry, query.line).id if query.line is not None else None
    return await tickets_of(entry, query, line, sealer=room.sealer, now=room.clock.now())
