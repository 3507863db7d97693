"""Where somebody stands with her bookings: no-shows, a block, and her appeal against it."""

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models import no_shows
from models.booking_lookup import days_booked
from scheduler.booking import BookingRules, counted_from, counted_until, used_up
from scheduler.calendar import SHANGHAI, business_day, hours_between
from server.appointments import appealing
from server.appointments.planning import last_day
from server.appointments.refusals import AlreadyAppealed, AppealDecided, NotBlocked
from server.appointments.slot_routes import HallCode
from server.auth import CITIZEN, Principal
from server.errors import FieldFault, InvalidRequest, NotFound
from server.halls.directory import HallEntry
from server.http.endpoint import endpoint
from server.services import services

bp = Blueprint("booking-standing", url_prefix="/api/v1")
_EMPTY = ("不能为空。", "must say something")


class StandingQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At which hall I want to book, to be told how often I still may there."""

    hall: HallCode | None = None


class OwnLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How often a person may book at a hall in a week and a month (null: any number).

    Bookings at any hall count. `used_up`: the days, of those that may be booked there now, on which
    I may book no more, however many places are left in their slots.
    """

    hall: str
    per_week: int | None
    per_month: int | None
    used_up: list[date]


class BookingStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What I missed lately, newest first, and what comes of it.

    With `until_blocked` more my booking is blocked for `block_days` (null: no hall of this city
    blocks). Once it is, `until_blocked` is 0, `missed` are those that it came of and any since, and
    until `blocked_until` I may book nothing. `appealed_at` and `granted` are what became of my
    appeal: null while I have not appealed, or nobody has decided. `limits` are those of the hall
    that I asked about.
    """

    missed: list[datetime]
    until_blocked: int | None
    block_days: int
    blocked_until: datetime | None
    blocked_by: str | None
    appealed_at: datetime | None
    granted: bool | None
    limits: OwnLimits | None = None


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
    query=StandingQuery,
    returns=BookingStanding,
    refuses=[NotFound],
)
async def show_standing(request: Request, who: Principal, query: StandingQuery) -> BookingStanding:
    """How many appointments I missed, how many more block my booking, and until when it is.

    With `hall`, also on which days I may book no more there, as I have booked as often as one may.
    """
    room, now = services(request), services(request).clock.now()
    hall = room.directory.hall(query.hall) if query.hall is not None else None
    rules = _strictest([hall.booking for hall in room.directory.halls.values()])
    standing = await _standing(who, rules, now)
    if hall is None:
        return standing
    return msgspec.structs.replace(standing, limits=await _limits(who, hall, business_day(now)))


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


async def _limits(who: Principal, hall: HallEntry, today: date) -> OwnLimits:
    last, rules = last_day(hall, today), hall.booking
    days = hours_between(hall.timetable, today, last)
    booked = await days_booked(who.id, counted_from(today), counted_until(last))
    return OwnLimits(
        hall=hall.code,
        per_week=rules.book_per_week or None,
        per_month=rules.book_per_month or None,
        used_up=used_up(booked, [day.date for day in days if day.spans], rules),
    )


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
