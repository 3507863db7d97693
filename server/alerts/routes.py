"""Emergency calls over HTTP."""

from sanic import Blueprint, Request

from server.alerts import looking, raising
from server.alerts.refusals import CounterClosed
from server.alerts.views import AlertLimits, AlertPage, AlertsQuery, AlertView, CallForHelp
from server.auth import CLERK, HALL_ADMIN, Principal, own_id
from server.counters.routes import COUNTER, at_counter
from server.errors import NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.services import services

bp = Blueprint("alerts", url_prefix="/api/v1")
ALERTS = "/halls/<hall:str>/alerts"


@endpoint(
    bp,
    "POST",
    COUNTER + "/emergency",
    summary=("紧急呼叫", "Call for help"),
    tag="counters",
    guard=CLERK,
    body=CallForHelp,
    returns=AlertView,
    status=201,
    refuses=[NotFound, CounterClosed],
)
async def call_for_help(
    request: Request, who: Principal, hall: str, counter: str, body: CallForHelp
) -> AlertView:
    """Call who manages the hall to this counter, at once; the public board does not say so.

    Any clerk of the hall may, for a colleague too. Calling again until somebody acknowledges it is
    the same call, and tells them anew: what is said then is added to it.
    """
    at = at_counter(request, who, hall, counter)
    return await raising.raise_alert(
        at, body.note, and_pause=body.pause, feed=services(request).feed
    )


@endpoint(
    bp,
    "GET",
    ALERTS,
    summary=("紧急呼叫列表", "Emergency calls"),
    tag="managing",
    guard=CLERK,
    query=AlertsQuery,
    returns=AlertPage,
    refuses=[NotFound],
)
async def list_alerts(request: Request, who: Principal, hall: str, query: AlertsQuery) -> AlertPage:
    """Those that nobody has acknowledged, or all, newest first.

    `{"op": "watch", "topic": "staff:<hall>"}` on the socket shows a hall's managers the open ones.
    """
    found = await looking.page_of_alerts(
        services(request).directory.hall(hall),
        everything=query.state == "all",
        before=query.cursor,
        limit=query.limit + 1,
    )
    data = found[: query.limit]
    return AlertPage(data, str(data[-1].id) if len(found) > query.limit else None)


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/alert-limits",
    summary=("提醒的界限", "When something needs somebody"),
    tag="managing",
    guard=CLERK,
    returns=AlertLimits,
    refuses=[NotFound],
    from_memory=True,
)
async def alert_limits(request: Request, who: Principal, hall: str) -> AlertLimits:
    """By the hall's rules `alert_wait_min`, `alert_call_min` and `alert_usual_times`."""
    rules = services(request).directory.hall(hall).rules
    return AlertLimits(
        wait_s=60 * rules.alert_wait_min,
        call_s=60 * rules.alert_call_min,
        usual_times=rules.alert_usual_times,
    )


@endpoint(
    bp,
    "POST",
    ALERTS + "/<alert:str>/acknowledge",
    summary=("确认紧急呼叫", "Acknowledge an emergency call"),
    tag="managing",
    guard=HALL_ADMIN,
    returns=AlertView,
    refuses=[NotFound, WrongStateRefusal],
    example={"acknowledged_at": "2026-11-23T09:42:10+08:00", "acknowledged_by": "黄敏"},
)
async def acknowledge_alert(request: Request, who: Principal, hall: str, alert: str) -> AlertView:
    """Say that somebody sees to it."""
    room = services(request)
    return await raising.acknowledge(
        room.directory.hall(hall), own_id(alert), who, now=room.clock.now(), feed=room.feed
    )
