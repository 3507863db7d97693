"""Lines over HTTP: looked at, paused, limited, helped out."""

from sanic import Blueprint, Request

from models.database import transaction
from server.auth import HALL_ADMIN, STAFF, Principal
from server.errors import InvalidRequest, NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.lines import arranging
from server.lines.looking import line_of, one_line
from server.lines.routes import LINE
from server.lines.views import LineView, OpenOverflow, PauseLine, SetLimits
from server.services import services

bp = Blueprint("arranging", url_prefix="/api/v1")


@endpoint(
    bp,
    "GET",
    LINE,
    summary=("队列设置", "A line and how it is arranged"),
    tag="lines",
    guard=STAFF,
    returns=LineView,
    refuses=[NotFound],
)
async def show_line(request: Request, who: Principal, hall: str, line: str) -> LineView:
    """A line with its limits, and who helps it out. How many wait in it is on the board."""
    room = services(request)
    entry = line_of(room.directory.hall(hall), line)
    async with transaction() as tx:
        return await one_line(tx, entry.id, now=room.clock.now())


@endpoint(
    bp,
    "PATCH",
    LINE,
    summary=("设置队列上限", "Set a line's limits"),
    tag="lines",
    guard=HALL_ADMIN,
    body=SetLimits,
    returns=LineView,
    refuses=[NotFound],
)
async def set_line_limits(
    request: Request, who: Principal, hall: str, line: str, body: SetLimits
) -> LineView:
    """Set how many may wait, and after how long counters that only help it call as from their own.

    What is not named stays; null takes a limit away.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    now, feed = room.clock.now(), room.feed
    return await arranging.set_limits(entry, line_of(entry, line), body, who, now=now, feed=feed)


@endpoint(
    bp,
    "POST",
    LINE + "/pause",
    summary=("暂停取号", "Pause a line"),
    tag="lines",
    guard=HALL_ADMIN,
    body=PauseLine,
    returns=LineView,
    refuses=[NotFound, WrongStateRefusal],
    example={"state": "paused", "reason": "系统故障", "reason_en": "System failure"},
)
async def pause_line(
    request: Request, who: Principal, hall: str, line: str, body: PauseLine
) -> LineView:
    """The line gives out no numbers, and the board says why. Those who wait are called as before.

    `open` takes it back into use.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    now, feed = room.clock.now(), room.feed
    return await arranging.pause(entry, line_of(entry, line), body, who, now=now, feed=feed)


@endpoint(
    bp,
    "POST",
    LINE + "/overflow",
    summary=("增开窗口", "Open overflow"),
    tag="lines",
    guard=HALL_ADMIN,
    body=OpenOverflow,
    returns=LineView,
    refuses=[NotFound, InvalidRequest],
    example={"overflow": ["07", "08"], "overflow_until": "2026-11-23T12:00:00+08:00"},
)
async def open_overflow(
    request: Request, who: Principal, hall: str, line: str, body: OpenOverflow
) -> LineView:
    """Let counters serve the line like one of their own until a moment of today, or its end.

    It is for the line as a whole: the counters named take the place of those named before.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    now, feed = room.clock.now(), room.feed
    return await arranging.open_overflow(entry, line_of(entry, line), body, who, now=now, feed=feed)


@endpoint(
    bp,
    "DELETE",
    LINE + "/overflow",
    summary=("结束增开", "End overflow"),
    tag="lines",
    guard=HALL_ADMIN,
    returns=LineView,
    refuses=[NotFound, WrongStateRefusal],
)
async def end_overflow(request: Request, who: Principal, hall: str, line: str) -> LineView:
    """The counters that helped the line out serve what they served before; who is there stays."""
    room = services(request)
    entry = room.directory.hall(hall)
    now, feed = room.clock.now(), room.feed
    return await arranging.end_overflow(entry, line_of(entry, line), who, now=now, feed=feed)
