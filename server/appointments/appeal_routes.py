"""Appeals over HTTP, as managers of the hall whose rule blocked somebody read and decide them."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sanic import Blueprint, Request

from models import no_shows
from models.appointments import Pardon
from models.identifiers import mask_name
from models.knowing import NAME
from models.sealing import NotOpened, Sealer
from scheduler.calendar import SHANGHAI
from server.appointments import appealing
from server.appointments.refusals import AppealDecided
from server.auth import HALL_ADMIN, Principal, own_id
from server.errors import NotFound
from server.halls.directory import Directory
from server.http.endpoint import endpoint
from server.http.paging import PageQuery
from server.services import services

bp = Blueprint("booking-appeals", url_prefix="/api/v1")
log = structlog.get_logger()


class MissedOne(msgspec.Struct, frozen=True, kw_only=True):
    """An appointment that she missed, at whichever hall; `pardon` says why it counts no more."""

    id: UUID
    hall: str
    items: list[str]
    slot_start: datetime
    pardon: Pardon | None


class AppealView(msgspec.Struct, frozen=True, kw_only=True):
    """An appeal that nobody decided yet, and the missed appointments that the block came of.

    `name` is masked, null where it is not known; `text` is null where it cannot be opened any more.
    She is blocked from `since` until `until`.
    """

    id: UUID
    name: str | None
    missed: list[MissedOne]
    since: datetime
    until: datetime
    appealed_at: datetime
    text: str | None


class AppealPage(msgspec.Struct, frozen=True):
    """Appeals, the oldest first, a page at a time."""

    data: list[AppealView]
    next_cursor: str | None


class Decide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the block ends."""

    grant: bool


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/booking-appeals",
    summary=("待处理申诉", "Appeals"),
    tag="appointments",
    guard=HALL_ADMIN,
    query=PageQuery,
    returns=AppealPage,
    refuses=[NotFound],
)
async def list_appeals(request: Request, who: Principal, hall: str, query: PageQuery) -> AppealPage:
    """Appeals against blocks by this hall that nobody decided yet: who says what, and what of."""
    room = services(request)
    entry = room.directory.hall(hall)
    found = await no_shows.appeals_of(
        entry.id, query.cursor, query.limit + 1, within_days=entry.booking.no_show_days
    )
    page = [_view(row, room.directory, room.sealer) for row in found[: query.limit]]
    return AppealPage(page, str(page[-1].id) if len(found) > query.limit else None)


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/booking-appeals/<appeal:str>/decide",
    summary=("处理申诉", "Decide an appeal"),
    tag="appointments",
    guard=HALL_ADMIN,
    body=Decide,
    refuses=[NotFound, AppealDecided],
    status=204,
)
async def decide_appeal(
    request: Request, who: Principal, hall: str, appeal: str, body: Decide
) -> None:
    """Let a block end, or stand, once. It is recorded."""
    room = services(request)
    await appealing.decide(
        room.directory.hall(hall),
        own_id(appeal),
        who,
        granted=body.grant,
        now=room.clock.now(),
    )


_decode_missed = msgspec.json.Decoder(list[tuple[UUID, str, list[UUID], datetime, str | None]])


def _view(row: Any, directory: Directory, sealer: Sealer) -> AppealView:
    return AppealView(
        id=row["id"],
        name=_name(row, sealer),
        missed=[
            MissedOne(
                id=id_,
                hall=hall,
                items=[directory.item_by_id(item).code for item in items],
                slot_start=start.astimezone(SHANGHAI),
                pardon=Pardon(why) if why else None,
            )
            for id_, hall, items, start, why in _decode_missed.decode(row["missed"])
        ],
        since=row["since"].astimezone(SHANGHAI),
        until=row["until"].astimezone(SHANGHAI),
        appealed_at=row["appealed_at"].astimezone(SHANGHAI),
        text=_opened(row["appeal"], no_shows.APPEAL, row["id"], sealer),
    )


def _name(row: Any, sealer: Sealer) -> str | None:
    if row["known_as"] is None:
        return None
    name = _opened(row["known_as"], NAME, row["person"], sealer)
    return mask_name(name) if name else None


def _opened(sealed: bytes, field: str, owner: UUID, sealer: Sealer) -> str | None:
    try:
        return sealer.open(sealed, field=field, owner=owner)
    except NotOpened:
        log.error("appeal_not_opened", field=field)
        return None
