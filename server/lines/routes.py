"""Lines over HTTP: what a manager decides about them."""

from sanic import Blueprint, Request

from server.auth import HALL_ADMIN, Principal
from server.errors import FieldFault, InvalidRequest, NotFound, WrongStateRefusal
from server.halls.directory import Directory, HallEntry
from server.http.endpoint import endpoint
from server.lines import issuing, stopping
from server.lines.looking import line_of
from server.lines.stopping import StopOrder
from server.lines.views import LineView, SendTo, SetIssuing, StopLine, StoppedLine
from server.numbers.refusals import HallClosed, LineClosed
from server.services import services

bp = Blueprint("lines", url_prefix="/api/v1")
LINE = "/halls/<hall:str>/lines/<line:str>"

_ONE_OF = ("请在 line、hall 中只填一个。", "give exactly one of line and hall")
_ITSELF = ("不能转到自身。", "cannot be where they are already")


@endpoint(
    bp,
    "PUT",
    LINE + "/issuing",
    summary=("放号方式", "Whether a line gives out numbers today"),
    tag="lines",
    guard=HALL_ADMIN,
    body=SetIssuing,
    returns=LineView,
    refuses=[NotFound, InvalidRequest],
    example={"issuing": "open"},
)
async def set_issuing(
    request: Request, who: Principal, hall: str, line: str, body: SetIssuing
) -> LineView:
    """A line stops by itself when the time left today is full; here its manager decides otherwise.

    `open` goes on giving out numbers, `stopped` gives out none, `auto` is as usual. It holds until
    the day ends, or until a moment of it.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    now, feed = room.clock.now(), room.feed
    return await issuing.set_issuing(
        entry, line_of(entry, line), body.mode, body.until, who, now=now, feed=feed
    )


@endpoint(
    bp,
    "POST",
    LINE + "/stop",
    summary=("紧急停办队列", "Stop a line in an emergency"),
    tag="lines",
    guard=HALL_ADMIN,
    body=StopLine,
    returns=StoppedLine,
    refuses=[NotFound, InvalidRequest, HallClosed, LineClosed],
    example={"state": "stopped", "reason": "系统故障", "reason_en": "System failure"},
)
async def stop_line(
    request: Request, who: Principal, hall: str, line: str, body: StopLine
) -> StoppedLine:
    """The line takes nobody more. Those who wait go where `to` says, each with her place in time.

    A hall that they are sent to takes those whose items it offers; the others stay, and the board
    and their tickets say why. Whoever stays can be served: counters go on calling a stopped line
    until nobody waits in it. Close them where that must not be. A line that is stopped already may
    be stopped anew, to send on those who are left.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    order = _order(room.directory, entry, line, body)
    return await stopping.stop(order, who, now=room.clock.now(), feed=room.feed)


@endpoint(
    bp,
    "POST",
    LINE + "/open",
    summary=("恢复队列", "Take a line back into use"),
    tag="lines",
    guard=HALL_ADMIN,
    returns=LineView,
    refuses=[NotFound, WrongStateRefusal],
    example={"state": "open"},
)
async def open_line(request: Request, who: Principal, hall: str, line: str) -> LineView:
    """A line that was paused or stopped gives out numbers again."""
    room = services(request)
    entry = room.directory.hall(hall)
    now, feed = room.clock.now(), room.feed
    return await stopping.open_again(entry, line_of(entry, line), who, now=now, feed=feed)


def _order(directory: Directory, hall: HallEntry, line: str, body: StopLine) -> StopOrder:
    """What is to be done, once all that it names is found. Raises NotFound or InvalidRequest."""
    stopped = line_of(hall, line)
    match body.to:
        case None:
            return StopOrder(hall, stopped, body.reason, body.reason_en)
        case SendTo(line=str(code), hall=None):
            to_line = line_of(hall, code)
            if to_line.id == stopped.id:
                raise InvalidRequest(errors=[FieldFault("/to/line", _ITSELF)])
            return StopOrder(hall, stopped, body.reason, body.reason_en, to_line=to_line)
        case SendTo(line=None, hall=str(code)):
            to_hall = directory.hall(code)
            if to_hall.id == hall.id:
                raise InvalidRequest(errors=[FieldFault("/to/hall", _ITSELF)])
            return StopOrder(hall, stopped, body.reason, body.reason_en, to_hall=to_hall)
    raise InvalidRequest(errors=[FieldFault("/to", _ONE_OF)])
