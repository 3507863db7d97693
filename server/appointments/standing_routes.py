"""Where somebody stands with her bookings: no-shows, a block, an appeal and what is decided."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
import structlog
from sanic import Blueprint, Request

from models import no_shows
from models.sealing import NotOpened, Sealer
from scheduler.booking import BookingRules
from scheduler.calendar import SHANGHAI
from server.appointments import missing
from server.auth import CITIZEN, HALL_ADMIN, Principal, own_id
from server.errors import NotFound
from server.http.endpoint import endpoint
from server.http.paging import PageQuery
from server.services import services

bp = Blueprint("booking-standing", url_prefix="/api/v1")
log = structlog.get_logger()


class BookingStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What I missed lately, newest first, and what comes of it.

    With `until_blocked` more my booking is blocked for `block_days` (null: no hall of this city
    blocks). `blocked_until`: I may book nothing until then; `appealed_at` and `granted` are what
    became of my appeal.
    """

    missed: list[datetime]
    until_blocked: int | None
    block_days: int
    blocked_until: datetime | None
    blocked_by: str | None
    appealed_at: datetime | None
    granted: bool | None


class Appeal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why I should be allowed to book; only who decides about it reads it."""

    text: Annotated[
        str, msgspec.Meta(min_length=1, max_length=500, examples=["当天孩子发烧，无法到厅。"])
    ]


class AppealView(msgspec.Struct, frozen=True, kw_only=True):
    """An appeal that nobody decided yet. `text` is null where it cannot be opened any more."""

    id: UUID
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
    "/me/booking-standing",
    summary=("我的预约信用", "My standing"),
    tag="appointments",
    guard=CITIZEN,
    returns=BookingStanding,
)
async def show_standing(request: Request, who: Principal) -> BookingStanding:
    """How many appointments I missed, how many more block my booking, and until when it is."""
    room = services(request)
    rules = _strictest([hall.booking for hall in room.directory.halls.values()])
    return await _standing(who, rules, room.clock.now())


@endpoint(
    bp,
    "POST",
    "/me/booking-appeal",
    summary=("申诉", "Appeal"),
    tag="appointments",
    guard=CITIZEN,
    body=Appeal,
    returns=BookingStanding,
    refuses=[NotFound],
    example={
        "blocked_until": "2026-12-23T10:51:00+08:00",
        "blocked_by": "dg-24",
        "appealed_at": "2026-11-23T12:00:00+08:00",
    },
)
async def appeal(request: Request, who: Principal, body: Appeal) -> BookingStanding:
    """Say why my booking should not be blocked; a manager of the hall that did it decides."""
    room, now = services(request), services(request).clock.now()

    def sealed_for(block_id: UUID) -> bytes:
        return room.sealer.seal(body.text, field=no_shows.APPEAL, owner=block_id)

    await missing.appeal(who, sealed_for, now=now)
    rules = _strictest([hall.booking for hall in room.directory.halls.values()])
    return await _standing(who, rules, now)


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
    """Appeals against blocks by this hall that nobody decided yet."""
    room = services(request)
    entry = room.directory.hall(hall)
    found = await no_shows.appeals_of(entry.id, query.cursor, query.limit + 1)
    page = [
        AppealView(
            id=row["id"],
            since=row["since"].astimezone(SHANGHAI),
            until=row["until"].astimezone(SHANGHAI),
            appealed_at=row["appealed_at"].astimezone(SHANGHAI),
            text=_text(row["appeal"], row["id"], room.sealer),
        )
        for row in found[: query.limit]
    ]
    return AppealPage(page, str(page[-1].id) if len(found) > query.limit else None)


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/booking-appeals/<appeal:str>/decide",
    summary=("处理申诉", "Decide an appeal"),
    tag="appointments",
    guard=HALL_ADMIN,
    body=Decide,
    refuses=[NotFound],
    status=204,
)
async def decide_appeal(
    request: Request, who: Principal, hall: str, appeal: str, body: Decide
) -> None:
    """Let a block end, or stand, once. It is recorded."""
    room = services(request)
    await missing.decide(
        room.directory.hall(hall),
        own_id(appeal),
        who,
        granted=body.grant,
        now=room.clock.now(),
    )


def _strictest(rules: list[BookingRules]) -> BookingRules:
    """The rules that block soonest: whoever keeps to these is blocked nowhere."""
    blocking = [each for each in rules if each.no_shows_to_block]
    usual = BookingRules(no_shows_to_block=0)
    return min(blocking, key=lambda each: each.no_shows_to_block, default=usual)


async def _standing(who: Principal, rules: BookingRules, now: datetime) -> BookingStanding:
    missed = await no_shows.missed_since(who.id, now - timedelta(days=rules.no_show_days))
    blocks = await no_shows.blocks_of(who.id, now)
    block = blocks[0] if blocks else None
    left = max(rules.no_shows_to_block - len(missed), 1) if rules.no_shows_to_block else None
    return BookingStanding(
        missed=[row["slot_start"].astimezone(SHANGHAI) for row in missed],
        until_blocked=left,
        block_days=rules.block_days,
        blocked_until=block["until"].astimezone(SHANGHAI) if block else None,
        blocked_by=block["hall"] if block else None,
        appealed_at=block["appealed_at"].astimezone(SHANGHAI)
        if block and block["appealed_at"]
        else None,
        granted=block["granted"] if block else None,
    )


def _text(sealed: bytes, block_id: UUID, sealer: Sealer) -> str | None:
    try:
        return sealer.open(sealed, field=no_shows.APPEAL, owner=block_id)
    except NotOpened:
        log.error("appeal_not_opened")
        return None
