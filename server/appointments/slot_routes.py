"""Slots over HTTP: what can be booked when, and the best of it. Public, and from memory."""

from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
from sanic import Blueprint, HTTPResponse, Request

from scheduler.calendar import business_day
from scheduler.places import Datum, Place
from server.appointments.changing import Doing
from server.appointments.prerequisites import in_order
from server.appointments.refusals import NotBookable
from server.appointments.slot_book import SlotBook
from server.appointments.slot_views import BestSlots, SlotList, best_slots, slots_between
from server.auth import Principal
from server.errors import FieldFault, InvalidRequest, NotFound, wants_english
from server.halls.directory import HallEntry, ItemEntry
from server.halls.listing import wgs84
from server.http.answers import JSON, Answer
from server.http.days import check_days
from server.http.endpoint import endpoint
from server.numbers.giving import line_for
from server.numbers.refusals import NotOffered
from server.services import services

bp = Blueprint("slots", url_prefix="/api/v1")
ItemCode = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
HallCode = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
Also = (
    Annotated[str, msgspec.Meta(min_length=1, max_length=460, examples=["idcard-renewal"])] | None
)
_MOST_ALSO = 7
_TOO_MANY = (f"最多 {_MOST_ALSO} 个，不能重复。", f"at most {_MOST_ALSO}, none of them twice")
NEEDS_OFFSET = (
    "应带时区，例如 2026-11-24T09:30:00+08:00。",
    "needs an offset, such as +08:00",
)
_BOTH = ("lat 和 lng 应同时给出。", "lat and lng go together")
_encode = msgspec.json.Encoder().encode
_MOST_KEPT = 2_000


class SlotQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which item's slots, from which day to which: from today to the last that may be booked.

    `also`: more items, with commas between them, booked together with it.
    """

    item: ItemCode
    also: Also = None
    start: date | None = msgspec.field(name="from", default=None)
    to: date | None = None


class BestQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For which item, where I am, and perhaps at which hall and after which moment.

    `also`: more items, with commas between them, booked together with it.
    """

    item: ItemCode
    also: Also = None
    hall: HallCode | None = None
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    lng: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    datum: Datum = "gcj02"
    after: datetime | None = None


class Kept:
    """Answers made since the slots were read last, for a minute: phones ask for the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], bytes] = {}

    def get(self, key: tuple[object, ...]) -> bytes | None:
        """What was answered to the same."""
        return self._kept.get(key)

    def keep(self, key: tuple[object, ...], body: bytes) -> bytes:
        """Keep an answer, and forget all where there are too many."""
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = body
        return body


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/slots",
    summary=("可预约时段", "Slots that can be booked"),
    tag="appointments",
    query=SlotQuery,
    returns=SlotList,
    from_memory=True,
    refuses=[NotFound, NotOffered, NotBookable],
)
async def list_slots(request: Request, hall: str, query: SlotQuery) -> HTTPResponse:
    """Slots for an item at a hall, in the order of time, with how many places are left in each."""
    room, book = services(request), slot_book(request)
    entry, items = room.directory.hall(hall), _items(request, query)
    for item in items:
        line_for(entry, item)
    now = room.clock.now()
    first = query.start or business_day(now)
    last = query.to or first + min(timedelta(days=60), date.max - first)
    check_days(first, last)
    english = wants_english(request.headers.get("accept-language"))
    kept: Kept = request.app.ctx.slot_answers
    # What was made of other rules, or in another minute, is not the same.
    version, minute = book.versions[entry.id], int(now.timestamp() // 60)
    codes = tuple(item.code for item in items)
    key = (room.directory.mark, hall, codes, first, last, english, version, minute)
    body = kept.get(key)
    if body is None:
        found = slots_between(book, entry, items, first=first, last=last, now=now, english=english)
        body = kept.keep(key, _encode(found))
    return Answer(body, content_type=JSON)


@endpoint(
    bp,
    "GET",
    "/slots/best",
    summary=("推荐时段", "The best slots"),
    tag="appointments",
    query=BestQuery,
    returns=BestSlots,
    from_memory=True,
    refuses=[NotFound, NotOffered, NotBookable],
)
async def list_best(request: Request, query: BestQuery) -> BestSlots:
    """Up to three slots for what I need: the soonest, a clearly emptier one, one at a nearer hall.

    Fewer where none is: at one hall nothing is nearer, nor without a place. `hall` keeps to one
    hall; `after` leaves out what is earlier.
    """
    room = services(request)
    items, where = _items(request, query), _place(query)
    if query.after is not None and query.after.tzinfo is None:
        raise InvalidRequest(errors=[FieldFault("/after", NEEDS_OFFSET)])
    halls: list[HallEntry] = list(room.directory.halls.values())
    if query.hall is not None:
        halls = [room.directory.hall(query.hall)]
        for item in items:
            line_for(halls[0], item)
    return best_slots(
        slot_book(request),
        items,
        halls=halls,
        where=where,
        now=room.clock.now(),
        after=query.after,
        english=wants_english(request.headers.get("accept-language")),
    )


def slot_book(request: Request) -> SlotBook:
    """The slots of the process that answers this request."""
    found: SlotBook = request.app.ctx.slot_book
    return found


def doing(request: Request, who: Principal) -> Doing:
    """Who changes an appointment by this request, and when."""
    room = services(request)
    return Doing(who, room.clock.now(), room.directory)


def _items(request: Request, query: SlotQuery | BestQuery) -> list[ItemEntry]:
    """The items asked for, in order. Raises NotFound, NotBookable or InvalidRequest."""
    also = query.also.split(",") if query.also else []
    if len(also) > _MOST_ALSO or len({query.item, *also}) <= len(also):
        raise InvalidRequest(errors=[FieldFault("/also", _TOO_MANY)])
    directory = services(request).directory
    items = in_order([directory.item(code) for code in (query.item, *also)])
    if not all(item.bookable for item in items):
        raise NotBookable
    return list(items)


def _place(query: BestQuery) -> Place | None:
    if query.lat is None and query.lng is None:
        return None
    if query.lat is None or query.lng is None:
        pointer = "/lat" if query.lat is None else "/lng"
        raise InvalidRequest(errors=[FieldFault(pointer, _BOTH)])
    return wgs84(query.lat, query.lng, query.datum)
