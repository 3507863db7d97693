"""Where somebody stands with her bookings: no-shows, a block, and her appeal against it."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models import no_shows
from scheduler.booking import BookingRules
from scheduler.calendar import SHANGHAI
from server.appointments import appealing
from server.appointments.refusals import AlreadyAppealed, AppealDecided, NotBlocked
from server.auth import CITIZEN, Principal
from server.errors import FieldFault, InvalidRequest
from server.http.endpoint import endpoint
from server.services import services

bp = Blueprint("booking-standing", url_prefix="/api/v1")
_EMPTY = ("不能为空。", "must say something")


class BookingStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What I missed lately, newest first, and what comes of it.

    With `until_blocked` more my booking is blocked for `block_days` (null: no hall of this city
    blocks). Once it is, `until_blocked` is 0, `missed` are those that it came of and any since, and
    until `blocked_until` I may book nothing. `appealed_at` and `granted` are what became of my
    appeal: null while I have not appealed, or nobody has decided.
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
    refuses=[NotBlocked, AlreadyAppealed, AppealDecided],
    example={
        "until_blocked": 0,
        "blocked_until": "2026-12-23T10:51:00+08:00",
        "blocked_by": "dg-24",
        "appealed_at": "2026-11-23T12:00:00+08:00",
    },
)
async def appeal(request: Request, who: Principal, body: Appeal) -> BookingStanding:
    """Say once why my booking should not be blocked; a manager of the hall that did it decides."""
    room, now = services(request), services(request).clock.now()
    if not body.text.strip():
        raise InvalidRequest(errors=[FieldFault("/text", _EMPTY)])

    def sealed_for(block_id: UUID) -> bytes:
        return room.sealer.seal(body.text, field=no_shows.APPEAL, owner=block_id)

    await appealing.appeal(who, sealed_for, now=now)
    rules = _strictest([hall.booking for hall in room.directory.halls.values()])
    return await _standing(who, rules, now)


def _strictest(rules: list[BookingRules]) -> BookingRules:
    """The rules that block soonest: whoever keeps to these is blocked nowhere."""
    blocking = [each for each in rules if each.no_shows_to_block]
    usual = BookingRules(no_shows_to_block=0)
    return min(blocking, key=lambda each: each.no_shows_to_block, default=usual)


async def _standing(who: Principal, rules: BookingRules, now: datetime) -> BookingStanding:
    within = timedelta(days=rules.no_show_days)
    missed = [row["slot_start"] for row in await no_shows.missed_since(who.id, now - within)]
    blocks = await no_shows.blocks_of(who.id, now, within_days=rules.no_show_days)
    block = blocks[0] if blocks else None
    left = max(rules.no_shows_to_block - len(missed), 1) if rules.no_shows_to_block else None
    if block is not None:
        left, missed = 0, [*missed, *block["missed"]]
    return BookingStanding(
        missed=[start.astimezone(SHANGHAI) for start in missed],
        until_blocked=left,
        block_days=rules.block_days,
        blocked_until=block["until"].astimezone(SHANGHAI) if block else None,
        blocked_by=block["hall"] if block else None,
        appealed_at=block["appealed_at"].astimezone(SHANGHAI)
        if block and block["appealed_at"]
        else None,
        granted=block["granted"] if block else None,
    )
