"""Counters over HTTP: what a clerk does beyond the plain visit."""

from sanic import Blueprint, Request

from server.auth import CLERK, Principal
from server.counters import attending, undoing
from server.counters.refusals import NobodyParked, NothingToUndo, RecallLimit
from server.counters.routes import AT_COUNTER, COUNTER, at_counter
from server.counters.views import Resume, TransferTo
from server.errors import InvalidRequest, NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.live.state import TicketView
from server.numbers.refusals import AlreadyInLine, HallClosed, LineClosed, LineFull, NotOffered
from server.services import services

bp = Blueprint("attending", url_prefix="/api/v1")

_ONE_OF = (
    "请在 line、counter、hall 中只填一个。",
    "Give exactly one of line, counter and hall.",
)


@endpoint(
    bp,
    "POST",
    COUNTER + "/recall",
    summary=("重呼", "Call again"),
    tag="counters",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, RecallLimit],
    example=AT_COUNTER | {"state": "called", "recalls": 1},
)
async def recall(request: Request, who: Principal, hall: str, counter: str) -> TicketView:
    """Call the person again who has not come; as often as the hall allows, then mark her missed."""
    return await attending.recall(
        at_counter(request, who, hall, counter), feed=services(request).feed
    )


@endpoint(
    bp,
    "POST",
    COUNTER + "/resume",
    summary=("恢复办理", "Resume"),
    tag="counters",
    guard=CLERK,
    body=Resume,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, NobodyParked],
    example=AT_COUNTER | {"state": "serving"},
)
async def resume(
    request: Request, who: Principal, hall: str, counter: str, body: Resume
) -> TicketView:
    """Go on with a parked person: the one of a number, or the first that this counter parked."""
    at = at_counter(request, who, hall, counter)
    return await attending.resume(at, body.number, feed=services(request).feed)


@endpoint(
    bp,
    "POST",
    COUNTER + "/transfer",
    summary=("转号", "Send on"),
    tag="counters",
    guard=CLERK,
    body=TransferTo,
    returns=TicketView,
    refuses=[
        NotFound,
        WrongStateRefusal,
        InvalidRequest,
        LineClosed,
        LineFull,
        HallClosed,
        NotOffered,
    ],
    example={"number": "E012", "line": "E", "ahead": 0},
)
async def transfer(
    request: Request, who: Principal, hall: str, counter: str, body: TransferTo
) -> TicketView:
    """Send the person at the counter to another line, counter or hall, her place in time kept.

    Where the line changes she gets its next number. A counter that she is sent to alone calls her,
    as long as it is open and serves the line.
    """
    at, room = at_counter(request, who, hall, counter), services(request)
    match body:
        case TransferTo(line=str(line), counter=None, hall=None):
            return await attending.to_line(at, line, feed=room.feed)
        case TransferTo(line=None, counter=str(other), hall=None):
            return await attending.to_counter(at, other, feed=room.feed)
        case TransferTo(line=None, counter=None, hall=str(code)):
            return await attending.to_hall(at, room.directory.hall(code), feed=room.feed)
    raise InvalidRequest(_ONE_OF)


@endpoint(
    bp,
    "POST",
    COUNTER + "/undo",
    summary=("撤销上一步", "Undo the last step"),
    tag="counters",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, NothingToUndo, AlreadyInLine],
    example=AT_COUNTER | {"state": "serving"},
)
async def undo(request: Request, who: Principal, hall: str, counter: str) -> TicketView:
    """Take back what the counter did last, within 30 seconds: all stands as it did before."""
    return await undoing.undo(at_counter(request, who, hall, counter), feed=services(request).feed)
