"""Appointments at the hall: checked in at the desk and at kiosks, listed, pardoned."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models.appointments import AppointmentState, Pardon
from models.database import rows
from models.identifiers import IdType, NotAnIdentifier, mask_name, read_id
from models.knowing import NAME
from models.sealing import NotOpened, Sealer
from scheduler.calendar import SHANGHAI, business_day
from server.appointments import checking_in, missing
from server.appointments.codes import read_code
from server.appointments.papers import Material, materials_of
from server.appointments.refusals import NoAppointment, OtherHall, TooEarly, TooLate
from server.appointments.views import CANCELLED_FOR, AppointmentView, Excuse, excuse_of
from server.auth import AT_THE_HALL, CLERK, HALL_ADMIN, Principal, own_id
from server.errors import FieldFault, InvalidRequest, NotFound, WrongStateRefusal
from server.halls.directory import Directory
from server.http.endpoint import endpoint
from server.identity.refusals import NOT_A_NUMBER
from server.live.state import TicketView
from server.numbers.refusals import AlreadyInLine, LineClosed, MissedNumberKept, PlannedInVisit
from server.services import services

bp = Blueprint("hall-appointments", url_prefix="/api/v1")
_NO_CODE = (
    "不是签到码：签到码是 YT 开头的 14 位字母和数字。",
    "is no check-in code: these are YT and twelve letters and digits",
)
_ONE_OF = ("请在 code 和 id_number 中只填一个。", "Give exactly one of code and id_number.")


class ComeIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code that her phone shows, or the number of her card."""

    code: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=40, examples=["YT7QK2M9X4TBWZ"])]
        | None
    ) = None
    id_number: Annotated[str, msgspec.Meta(min_length=1, max_length=32)] | None = None
    id_type: IdType | None = None


class HallDayQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which day's, today's where none is said; in which state; only those that must move."""

    day: date | None = msgspec.field(name="date", default=None)
    state: AppointmentState | None = None
    must_move: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    cursor: UUID | None = None


class HallAppointment(msgspec.Struct, frozen=True, kw_only=True):
    """An appointment as the hall sees it; `name` is masked, null where it is not known.

    `materials`: all to bring, and what of it she says that she has.
    """

    id: UUID
    state: AppointmentState
    item: str
    items: list[str]
    line: str
    slot_start: datetime
    slot_end: datetime
    must_move: bool
    pardon: Pardon | None
    ticket: UUID | None
    name: str | None
    materials: list[Material]
    cancelled_for: Excuse | None


class HallAppointmentPage(msgspec.Struct, frozen=True):
    """Appointments in the order in which they were made, a page at a time."""

    data: list[HallAppointment]
    next_cursor: str | None


class PardonFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why she is not held to it."""

    reason: Pardon


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/check-ins",
    summary=("到厅签到取号", "Check somebody in"),
    tag="appointments",
    guard=AT_THE_HALL,
    body=ComeIn,
    returns=TicketView,
    status=201,
    refuses=[
        NotFound,
        NoAppointment,
        OtherHall,
        WrongStateRefusal,
        TooEarly,
        TooLate,
        AlreadyInLine,
        LineClosed,
        MissedNumberKept,
        PlannedInVisit,
    ],
)
async def check_in_at_hall(request: Request, who: Principal, hall: str, body: ComeIn) -> TicketView:
    """Give whoever shows her code or her card the number of her appointment.

    By card it is her next appointment of today at this hall.
    """
    room = services(request)
    if (body.code is None) == (body.id_number is None):
        raise InvalidRequest(_ONE_OF)
    document, code = None, None
    now = room.clock.now()
    if body.code is not None and (code := read_code(body.code)) is None:
        raise InvalidRequest(errors=[FieldFault("/code", _NO_CODE)])
    if body.id_number is not None:
        try:
            kind = body.id_type or "resident_id"
            document = read_id(kind, body.id_number, today=business_day(now))
        except NotAnIdentifier as wrong:
            faults = [FieldFault("/id_number", NOT_A_NUMBER[wrong.fault])]
            raise InvalidRequest(errors=faults) from None
    return await checking_in.check_in_at_hall(
        room.directory.hall(hall),
        code,
        document,
        who,
        sealer=room.sealer,
        now=now,
        directory=room.directory,
        feed=room.feed,
    )


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/appointments",
    summary=("大厅预约", "The hall's appointments"),
    tag="appointments",
    guard=CLERK,
    query=HallDayQuery,
    returns=HallAppointmentPage,
    refuses=[NotFound],
)
async def list_hall_appointments(
    request: Request, who: Principal, hall: str, query: HallDayQuery
) -> HallAppointmentPage:
    """Who is expected on a day, who came and who did not; whom changed hours make move."""
    room = services(request)
    entry = room.directory.hall(hall)
    found = await rows(
        _LIST,
        entry.id,
        query.day or (None if query.must_move else business_day(room.clock.now())),
        query.state.value if query.state else None,
        query.must_move,
        query.cursor,
        None,
        query.limit + 1,
    )
    page = [_view(row, room.directory, room.sealer) for row in found[: query.limit]]
    more = len(found) > query.limit
    return HallAppointmentPage(page, str(page[-1].id) if more else None)


_LIST = f"""
    SELECT a.*, line.code AS line, coalesce(p.shown_as, a.shown_as) AS shown, c.name AS known_as,
           c.id AS named_id, {CANCELLED_FOR.format(one="a")}
    FROM appointment a JOIN line ON line.id = a.line_id
    LEFT JOIN proxy p ON p.id = a.proxy_id LEFT JOIN citizen c ON c.id = a.citizen_id
    WHERE a.hall_id = $1 AND ($6::uuid IS NULL OR a.id = $6)
      AND ($2::date IS NULL OR a.day = $2) AND ($3::text IS NULL OR a.state = $3)
      AND (NOT $4 OR a.must_move AND a.state = 'booked') AND ($5::uuid IS NULL OR a.id > $5)
    ORDER BY a.id LIMIT $7
"""  # noqa: S608 a text of ours


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/appointments/<appointment:str>/pardon",
    summary=("爽约豁免", "Pardon a no-show"),
    tag="appointments",
    guard=HALL_ADMIN,
    body=PardonFor,
    returns=AppointmentView,
    refuses=[NotFound, WrongStateRefusal],
    example={"state": "missed", "pardon": "sick_child"},
)
async def pardon(
    request: Request, who: Principal, hall: str, appointment: str, body: PardonFor
) -> AppointmentView:
    """Let a missed appointment not count; a block that came of it ends. It is recorded."""
    room = services(request)
    return await missing.pardon(
        room.directory.hall(hall),
        own_id(appointment),
        body.reason,
        who,
        now=room.clock.now(),
        directory=room.directory,
    )


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/appointments/<appointment:str>",
    summary=("大厅预约详情", "One of the hall's appointments"),
    tag="appointments",
    guard=CLERK,
    returns=HallAppointment,
    refuses=[NotFound],
)
async def show_hall_appointment(
    request: Request, who: Principal, hall: str, appointment: str
) -> HallAppointment:
    """The appointment that a ticket came of, by its id there: what she brings, says she."""
    room = services(request)
    entry = room.directory.hall(hall)
    found = await rows(_LIST, entry.id, None, None, False, None, own_id(appointment), 1)
    if not found:
        raise NotFound
    return _view(found[0], room.directory, room.sealer)


def _view(row: Any, directory: Directory, sealer: Sealer) -> HallAppointment:
    entries = [directory.item_by_id(item) for item in row["items"]]
    items = [item.code for item in entries]
    return HallAppointment(
        id=row["id"],
        state=AppointmentState(row["state"]),
        item=items[0],
        items=items,
        line=row["line"],
        slot_start=row["slot_start"].astimezone(SHANGHAI),
        slot_end=row["slot_end"].astimezone(SHANGHAI),
        must_move=row["must_move"] and row["state"] == AppointmentState.BOOKED,
        pardon=Pardon(row["pardon"]) if row["pardon"] else None,
        ticket=row["ticket_id"],
        name=_name(row, sealer),
        materials=materials_of(entries, row["papers"]),
        cancelled_for=excuse_of(row["cancelled_for"]),
    )


def _name(row: Any, sealer: Sealer) -> str | None:
    if row["shown"] or not row["known_as"]:
        shown: str | None = row["shown"]
        return shown
    try:
        return mask_name(sealer.open(row["known_as"], field=NAME, owner=row["named_id"]))
    except NotOpened:
        return None
