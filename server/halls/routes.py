"""Halls over HTTP: list, detail, lines, hours."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from scheduler.calendar import business_day, closes_at, hours_between, next_open
from scheduler.places import Place
from server.errors import NotFound, Unavailable
from server.halls.listing import HallLists
from server.halls.navigating import links, place_view
from server.halls.views import (
    DayView,
    HallDetail,
    HallList,
    HoursQuery,
    HoursView,
    LineEnding,
    LinesView,
    NearQuery,
    SpanView,
)
from server.halls.ways import FIRST_FEW, Ways
from server.http.answers import packed
from server.http.days import check_days
from server.http.endpoint import address_of, endpoint
from server.live.state import Kept, LiveLine
from server.services import Services, services

bp = Blueprint("halls", url_prefix="/api/v1")


@endpoint(
    bp,
    "GET",
    "/halls",
    summary=("大厅列表,按距离、等候或办完时间排序", "Halls, ranked"),
    tag="halls",
    query=NearQuery,
    returns=HallList,
    from_memory=True,
    refuses=[NotFound],
)
async def list_halls(request: Request, query: NearQuery) -> HTTPResponse:
    """Halls in rank order from where the citizen stands.

    `nearest` goes by metres; `shortest_wait` by the median wait on arrival, in steps of five
    minutes; `fastest` by when she is done: the way, the wait on arrival, the time at the counter.
    Of halls that are as good as each other not everybody is sent to the same. Where she is not
    served today any more `total` is null, and such halls come last.

    `datum` says what the coordinates are in; phones' maps use gcj02. A value that cannot be known
    is null. `travel_basis` is `map` where a map service told the way to one of the first halls.
    """
    room = services(request)
    lists: HallLists = request.app.ctx.hall_lists
    now = room.clock.second()
    travel_s: Mapping[str, int] = {}
    if room.ways is not None and query.rank == "fastest" and lists.answered(query, now) is None:
        travel_s = await _ways(room.ways, lists, query, now)
    answer = await lists.ranked_together(query, now, travel_s)
    return packed(request, answer)


async def _ways(ways: Ways, lists: HallLists, query: NearQuery, now: datetime) -> Mapping[str, int]:
    """The ways to the first few halls by road, which decide."""
    if query.lat is None or query.lng is None:
        return {}
    try:
        where = Place(query.lat, query.lng, query.datum)
    except ValueError:
        return {}  # which the list refuses, in words
    if not ways.may_look():
        return ways.kept_from(where, query.travel)
    return await ways.known(where, lists.first_served(query, now, FIRST_FEW), query.travel)


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>",
    summary=("大厅详情", "One hall"),
    tag="halls",
    returns=HallDetail,
    from_memory=True,
    refuses=[NotFound],
)
async def show_hall(request: Request, hall: str) -> HallDetail:
    """A hall: where it is, whether it is open, what it offers.

    Whoever looks may be about to come: of late how many did is part of the waits by which halls are
    ranked.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    room.coming.chose(hall, address_of(request))
    live = room.feed.memory.halls.get(hall)
    now = room.clock.now()
    closes = closes_at(entry.timetable, now)
    return HallDetail(
        code=entry.code,
        name=entry.name,
        name_en=entry.name_en,
        level=entry.level,
        address=entry.address,
        phone=entry.phone,
        place=place_view(entry.place),
        links=links(entry),
        open=closes is not None,
        opens_at=next_open(entry.timetable, now) if closes is None else None,
        closes_at=closes,
        waiting=live.waiting if live else None,
        as_of=live.board.as_of if live else None,
        remote_radius_m=entry.remote_radius_m,
        items=list(entry.offers),
        ending=[_ending(line) for line in live.board.lines if _is_ending(line)] if live else [],
    )


def _is_ending(line: LiveLine) -> bool:
    return line.reason_code is not None or line.stops_at is not None


def _ending(line: LiveLine) -> LineEnding:
    return LineEnding(**{name: getattr(line, name) for name in LineEnding.__struct_fields__})


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/lines",
    summary=("大厅各队列实时情况", "Live state of each line"),
    tag="halls",
    returns=LinesView,
    refuses=[NotFound, Unavailable],
)
async def list_lines(request: Request, hall: str) -> LinesView:
    """How many wait in each line of the hall now."""
    board = live_hall(services(request), hall).board
    return LinesView(board.version, board.as_of, list(board.lines))


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/hours",
    summary=("大厅开放时间", "Opening hours"),
    tag="halls",
    query=HoursQuery,
    returns=HoursView,
    from_memory=True,
    refuses=[NotFound],
)
async def list_hours(request: Request, hall: str, query: HoursQuery) -> HoursView:
    """Opening hours day by day, with national holidays and make-up working days."""
    room = services(request)
    entry = room.directory.hall(hall)
    first = query.start or business_day(room.clock.now())
    last = query.to or first + min(timedelta(days=6), date.max - first)
    check_days(first, last)
    return HoursView(
        [
            DayView(
                date=day.date,
                kind=day.kind,
                name=day.name_zh,
                name_en=day.name_en,
                calendar_known=day.calendar_known,
                open=[SpanView(span.start, span.end) for span in day.spans],
            )
            for day in hours_between(entry.timetable, first, last)
        ]
    )


def live_hall(room: Services, hall: str) -> Kept:
    """The live state of a hall. Raises NotFound, or Unavailable before its first projection."""
    kept = room.feed.memory.halls.get(hall)
    if kept is None:
        room.directory.hall(hall)
        raise Unavailable(1, ("大厅实时数据正在准备。", "The hall's live state is being prepared."))
    return kept
