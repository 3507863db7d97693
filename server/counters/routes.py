"""Counters over HTTP. Every route works on one counter of one hall."""

from sanic import Blueprint, Request

from models.tickets import Move
from server.auth import CLERK, STAFF, Principal
from server.counters import calling, opening
from server.counters.at import At
from server.counters.looking import counters_of
from server.counters.refusals import LineNotServed, NobodyWaiting
from server.counters.views import CounterList, CounterView, Finish, OpenCounter, PauseCounter
from server.errors import InvalidRequest, NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.live.state import TicketView
from server.numbers.refusals import AlreadyInLine, LineClosed, NotOffered, PlannedInVisit
from server.own_counter import StaffedByAnother
from server.services import services
from server.visits.finishing import finish

bp = Blueprint("counters", url_prefix="/api/v1")
COUNTERS = "/halls/<hall:str>/counters"
COUNTER = COUNTERS + "/<counter:str>"
AT_COUNTER = {"ahead": None, "called_at": "2026-11-23T09:42:10+08:00", "counter": "01"}


@endpoint(
    bp,
    "GET",
    COUNTERS,
    summary=("大厅窗口", "The hall's counters"),
    tag="counters",
    guard=STAFF,
    returns=CounterList,
    refuses=[NotFound],
)
async def list_counters(request: Request, who: Principal, hall: str) -> CounterList:
    """All counters of the hall: what they may and do serve, who works there, who is at them."""
    room = services(request)
    return CounterList(await counters_of(room.directory.hall(hall).id, now=room.clock.now()))


@endpoint(
    bp,
    "POST",
    COUNTER + "/open",
    summary=("开窗", "Open a counter"),
    tag="counters",
    guard=CLERK,
    body=OpenCounter,
    returns=CounterView,
    refuses=[NotFound, WrongStateRefusal, LineNotServed, StaffedByAnother],
)
async def open_counter(
    request: Request, who: Principal, hall: str, counter: str, body: OpenCounter
) -> CounterView:
    """Open the counter for its lines, or for some of them; opening again changes the lines.

    Whoever opens it works there. Where somebody else does, say `take_over`; whoever is at the
    counter stays there.
    """
    return await opening.open_counter(
        at_counter(request, who, hall, counter),
        lines=body.lines,
        take_over=body.take_over,
        feed=services(request).feed,
    )


@endpoint(
    bp,
    "POST",
    COUNTER + "/pause",
    summary=("暂停窗口", "Pause a counter"),
    tag="counters",
    guard=CLERK,
    body=PauseCounter,
    returns=CounterView,
    refuses=[NotFound, InvalidRequest, WrongStateRefusal],
    example={
        "state": "paused",
        "pause_reason": "午休",
        "paused_until": "2026-11-23T11:10:00+08:00",
    },
)
async def pause_counter(
    request: Request, who: Principal, hall: str, counter: str, body: PauseCounter
) -> CounterView:
    """Pause the counter and say why, and for how long if that is known.

    Whoever is at it is still served. Waits are foretold with the counter back when it means to be.
    """
    at = at_counter(request, who, hall, counter)
    return await opening.pause_counter(at, body, feed=services(request).feed)


@endpoint(
    bp,
    "POST",
    COUNTER + "/close",
    summary=("关窗", "Close a counter"),
    tag="counters",
    guard=CLERK,
    returns=CounterView,
    refuses=[NotFound, WrongStateRefusal],
    example={"state": "closed", "staffed_by": None, "staffed_since": None},
)
async def close_counter(request: Request, who: Principal, hall: str, counter: str) -> CounterView:
    """Close the counter to everybody new.

    Who was called and has not come waits again, in her place. Who is being served still is: finish
    her here as usual.
    """
    at = at_counter(request, who, hall, counter)
    return await opening.close_counter(at, feed=services(request).feed)


@endpoint(
    bp,
    "POST",
    COUNTER + "/call-next",
    summary=("叫号", "Call the next person"),
    tag="counters",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal, NobodyWaiting],
    example=AT_COUNTER | {"state": "called"},
)
async def call_next(request: Request, who: Principal, hall: str, counter: str) -> TicketView:
    """Call whoever is first, by rank time, in the counter's own lines.

    In lines that it only helps when nobody waits in its own, or somebody there has waited longer
    than that line's limit.
    """
    room = services(request)
    return await calling.call_next(
        room.directory.hall(hall), counter, who, now=room.clock.now(), feed=room.feed
    )


@endpoint(
    bp,
    "POST",
    COUNTER + "/start",
    summary=("开始办理", "Start serving"),
    tag="counters",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal],
    example=AT_COUNTER | {"state": "serving"},
)
async def start_serving(request: Request, who: Principal, hall: str, counter: str) -> TicketView:
    """The person called has come."""
    return await _move(request, who, hall, counter, Move.START)


@endpoint(
    bp,
    "POST",
    COUNTER + "/finish",
    summary=("办结", "Finish serving"),
    tag="counters",
    guard=CLERK,
    body=Finish,
    returns=TicketView,
    refuses=[
        NotFound,
        WrongStateRefusal,
        NotOffered,
        AlreadyInLine,
        PlannedInVisit,
        LineClosed,
    ],
    example=AT_COUNTER | {"state": "finished"},
)
async def finish_serving(
    request: Request, who: Principal, hall: str, counter: str, body: Finish
) -> TicketView:
    """The person at the counter is done; in a visit she gets the number of her next stop at once.

    With `next_item` that is done next, here at this hall: her place in time is kept, and a number
    that was of no visit until now begins one.
    """
    if body.next_item is not None:
        room = services(request)
        return await finish(
            room.directory.hall(hall),
            counter,
            who,
            outcome=body.outcome,
            next_item=body.next_item,
            now=room.clock.now(),
            directory=room.directory,
            feed=room.feed,
        )
    return await _move(request, who, hall, counter, Move.FINISH, outcome=body.outcome)


@endpoint(
    bp,
    "POST",
    COUNTER + "/miss",
    summary=("过号", "Mark as missed"),
    tag="counters",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal],
    example=AT_COUNTER | {"state": "missed"},
)
async def mark_missed(request: Request, who: Principal, hall: str, counter: str) -> TicketView:
    """The person called did not come."""
    return await _move(request, who, hall, counter, Move.MISS)


@endpoint(
    bp,
    "POST",
    COUNTER + "/park",
    summary=("挂起", "Park"),
    tag="counters",
    guard=CLERK,
    returns=TicketView,
    refuses=[NotFound, WrongStateRefusal],
    example=AT_COUNTER | {"state": "parked"},
)
async def park(request: Request, who: Principal, hall: str, counter: str) -> TicketView:
    """The person served has to do something first; the counter is free meanwhile."""
    return await _move(request, who, hall, counter, Move.PARK)


def at_counter(request: Request, who: Principal, hall: str, counter: str) -> At:
    """A counter of a hall, as its routes name it. Raises NotFound when there is no such hall."""
    room = services(request)
    return At(room.directory.hall(hall), counter, who, room.clock.now())


async def _move(
    request: Request,
    who: Principal,
    hall: str,
    counter: str,
    move: Move,
    *,
    outcome: str | None = None,
) -> TicketView:
    room = services(request)
    return await calling.move_current(
        room.directory.hall(hall),
        counter,
        move,
        who,
        now=room.clock.now(),
        feed=room.feed,
        outcome=outcome,
        directory=room.directory,
    )
