"""A hall's report over HTTP."""

from datetime import date, timedelta

from sanic import Blueprint, HTTPResponse, Request

from scheduler.calendar import business_day
from server.auth import WATCHES_HALL, Principal
from server.errors import NotFound
from server.http.answers import JSON, Answer
from server.http.days import check_days
from server.http.endpoint import Also, endpoint
from server.live.state import encode
from server.reports.reading import read_report
from server.reports.table import as_csv
from server.reports.views import ReportQuery, ReportView
from server.services import services

bp = Blueprint("reports", url_prefix="/api/v1")
USUAL_DAYS = 7
CSV = "text/csv"


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/report",
    summary=("大厅报表", "A hall's report"),
    tag="managing",
    guard=WATCHES_HALL,
    query=ReportQuery,
    returns=ReportView,
    also=[Also(200, "A table for spreadsheets, with `format=csv`.", str, CSV)],
    refuses=[NotFound],
)
async def show_report(
    request: Request, who: Principal, hall: str, query: ReportQuery
) -> HTTPResponse:
    """What became of the hall's tickets, how long people waited and were served, line by line.

    And how true was what they were told: how far off, and how many were called within their range.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    last = query.to or business_day(room.clock.now())
    first = query.start or last - min(timedelta(days=USUAL_DAYS - 1), last - date.min)
    check_days(first, last)
    report = await read_report(entry, first, last, room.directory)
    if query.format == "json":
        return Answer(encode(report), content_type=JSON)
    name = f"{hall}-{first}-{last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(as_csv(report), content_type=f"{CSV}; charset=utf-8", headers=headers)
