"""Waits over HTTP: how true what people were told has been, and what would be if."""

from datetime import date, timedelta

from sanic import Blueprint, Request

from scheduler.calendar import business_day
from server.auth import WATCHES_HALL, Principal
from server.errors import NotFound
from server.http.days import check_days
from server.http.endpoint import endpoint
from server.services import services
from server.waits.accuracy import Accuracies
from server.waits.views import AccuracyQuery, AccuracyView, WhatIfQuery, WhatIfView
from server.waits.what_if import TooFewCounters, what_if

bp = Blueprint("waits", url_prefix="/api/v1")
USUAL_DAYS = 30


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/accuracy",
    summary=("等候时间预估的准确度", "How true the predicted waits were"),
    tag="halls",
    query=AccuracyQuery,
    returns=AccuracyView,
    refuses=[NotFound],
)
async def show_accuracy(request: Request, hall: str, query: AccuracyQuery) -> AccuracyView:
    """What people were told about their waits, against what came true; for everybody to see.

    Counted are those who simply waited until they were called: who left, went to another line or
    let others pass is not. The figures are a minute old at most.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    last = query.to or business_day(room.clock.now())
    first = query.start or last - min(timedelta(days=USUAL_DAYS - 1), last - date.min)
    check_days(first, last)
    accuracies: Accuracies = request.app.ctx.accuracies
    return await accuracies.of(entry, first, last)


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/what-if",
    summary=("增减窗口的等候推演", "Waits with a counter more or less"),
    tag="managing",
    guard=WATCHES_HALL,
    query=WhatIfQuery,
    returns=WhatIfView,
    refuses=[NotFound, TooFewCounters],
)
async def show_what_if(
    request: Request, who: Principal, hall: str, query: WhatIfQuery
) -> WhatIfView:
    """What people would wait, now and for the rest of the day, were counters opened or closed.

    One more serves only that line. One less is one that serves it now: an idle one first, then
    whoever began to serve last.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    return await what_if(entry, query.line, int(query.open), now=room.clock.now())
