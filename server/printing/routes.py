"""Slips over HTTP, for the hall's staff and its kiosks."""

import asyncio
from typing import Literal

import msgspec
from sanic import Blueprint, HTTPResponse, Request

from models import standing
from models.database import transaction
from models.sessions import PersonKind
from scheduler.calendar import business_day
from server.auth import AT_THE_HALL, Principal
from server.errors import NotFound, WrongStateRefusal
from server.following.address import follow_page
from server.following.codes import code_for
from server.following.views import Viewer
from server.http.answers import Answer
from server.http.endpoint import Also, endpoint
from server.live.current import current_ticket
from server.printing.slip import Slip
from server.printing.text import as_text
from server.printing.thermal import as_escpos
from server.services import services

bp = Blueprint("printing", url_prefix="/api/v1")
TEXT, BYTES = "text/plain", "application/octet-stream"
# $3: the kiosk that has to have given it out, if a kiosk asks.
_LOCKED = """
    SELECT id, day, state, ended_at FROM ticket WHERE id = $1 AND hall_id = $2
      AND ($3::uuid IS NULL OR EXISTS (
          SELECT 1 FROM ticket_event e
          WHERE e.ticket_id = ticket.id AND e.move = 'issue' AND e.actor_id = $3))
    FOR NO KEY UPDATE
"""


class PrintQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For which printer: text or ESC/POS, on paper of 32 columns (58 mm) or 48 (80 mm)."""

    format: Literal["text", "escpos"] = "text"
    width: Literal[32, 48] = 32


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/tickets/<ticket:str>/print",
    summary=("打印号票", "A ticket for the printer"),
    tag="tickets",
    guard=AT_THE_HALL,
    query=PrintQuery,
    returns=str,
    content_type=TEXT,
    also=[Also(200, "Bytes for a thermal printer, with `format=escpos`.", str, BYTES)],
    refuses=[NotFound, WrongStateRefusal],
)
async def print_ticket(
    request: Request, who: Principal, hall: str, ticket: str, query: PrintQuery
) -> HTTPResponse:
    """The slip that she takes along: her number, what for, how many are ahead, and a QR code.

    The code opens the ticket live on any phone until the day ends; each printing makes a new one.
    `ticket` is its id, or today's number; a kiosk prints what it gave out itself. ESC/POS is for
    printers that take Chinese in GB18030.
    """
    slip = await _slip(request, who, hall, ticket)
    headers = {"Cache-Control": "no-store"}
    if query.format == "text":
        return Answer(
            as_text(slip, query.width), content_type=f"{TEXT}; charset=utf-8", headers=headers
        )
    printed = await asyncio.to_thread(as_escpos, slip, query.width)
    return Answer(printed, content_type=BYTES, headers=headers)


async def _slip(request: Request, who: Principal, hall: str, ticket: str) -> Slip:
    """What is to be printed, with a new code. Raises NotFound, or WrongState once it is over."""
    room = services(request)
    # Numbers are easily guessed, and nobody watches a machine: it opens nobody else's ticket.
    giver = who.id if who.kind is PersonKind.KIOSK else None
    entry, now = room.directory.hall(hall), room.clock.now()
    async with transaction() as tx:
        ticket_id = await standing.find(tx, entry.id, business_day(now), ticket)
        row = await tx.row(_LOCKED, ticket_id, entry.id, giver) if ticket_id else None
        if row is None:
            raise NotFound(("该大厅没有这个号。", "There is no such number in this hall."))
        made, surplus = await code_for(tx, row, now=now)
    await room.feed.sign_ins_ended(*surplus)
    found = await current_ticket(room.feed, row["id"])
    if found is None:
        raise NotFound
    seen = Viewer(room.feed, room.directory).view(found)
    return Slip(
        number=seen.ticket.number,
        hall=(seen.hall_name, seen.hall_name_en),
        item=(seen.item_name, seen.item_name_en),
        line=(f"{seen.ticket.line} {seen.line_name}", seen.line_name_en),
        ahead=seen.ticket.ahead,
        wait=seen.ticket.wait,
        issued_at=seen.ticket.issued_at,
        name=found.view.name,
        page=follow_page(request, made.code),
    )
