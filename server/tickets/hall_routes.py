"""The hall's numbers over HTTP: given out at the help desk and at kiosks, and listed for staff."""

from datetime import date
from typing import Annotated

import msgspec
from sanic import Blueprint, Request

from models.identifiers import IdType, NotAnIdentifier, read_id, read_mobile, read_name
from models.tickets import Priority
from scheduler.calendar import business_day
from server.auth import AT_THE_HALL, CLERK, Principal
from server.errors import FieldFault, IdempotencyKeyReused, InvalidRequest, NotFound
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.identity.refusals import EMPTY, NOT_A_NUMBER
from server.lines.looking import line_of
from server.live.state import TicketView
from server.numbers.at_hall import Comer, give_number
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
_TYPE_OF_NOTHING = ("没有证件号码时请不要填写。", "leave it out where there is no id number")


class GiveNumber(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number for whoever stands there. All but the item may be left out.

    `id_type` is `resident_id` where it is not said.
    """

    item: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    id_number: Annotated[str, msgspec.Meta(min_length=1, max_length=32)] | None = None
    id_type: IdType | None = None
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] | None = None
    phone: Annotated[str, msgspec.Meta(min_length=1, max_length=24)] | None = None
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
        read_comer(body, today=business_day(now)),
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


def read_comer(body: GiveNumber, *, today: date) -> Comer:
    """Whoever stands there, in the forms that we keep. Raises InvalidRequest with every fault."""
    faults: list[FieldFault] = []
    document, name, phone = None, None, None
    if body.id_number is not None:
        try:
            document = read_id(body.id_type or "resident_id", body.id_number, today=today)
        except NotAnIdentifier as wrong:
            faults.append(FieldFault("/id_number", NOT_A_NUMBER[wrong.fault]))
    elif body.id_type is not None:
        faults.append(FieldFault("/id_type", _TYPE_OF_NOTHING))
    if body.name is not None and not (name := read_name(body.name)):
        faults.append(FieldFault("/name", EMPTY))
    if body.phone is not None:
        try:
            phone = read_mobile(body.phone)
        except NotAnIdentifier as wrong:
            faults.append(FieldFault("/phone", NOT_A_NUMBER[wrong.fault]))
    if faults:
        raise InvalidRequest(errors=faults)
    return Comer(document, name, phone, body.priority)
