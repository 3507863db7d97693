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
from server.reports.clerks import ClerksView, read_clerks
from server.reports.day import DayQuery, HallDayView, read_day
from server.reports.reading import read_report
from server.reports.table import as_csv, as_xlsx
from server.reports.views import DaysQuery, ReportQuery, ReportView
from server.services import services

bp = Blueprint("reports", url_prefix="/api/v1")
USUAL_DAYS = 7
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/report",
    summary=("大厅报表", "A hall's report"),
    tag="managing",
    guard=WATCHES_HALL,
    query=ReportQuery,
    returns=ReportView,
    also=[
        Also(200, "A table for spreadsheets, with `format=csv`.", str, CSV),
        Also(200, "A workbook, with `format=xlsx`.", bytes, XLSX),
    ],
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
    first, last = _days(query.start, query.to, today=business_day(room.clock.now()))
    report = await read_report(entry, first, last, room.directory)
    if query.format == "json":
        return Answer(encode(report), content_type=JSON)
    name = f"{hall}-{first}-{last}.{query.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if query.format == "xlsx":
        return Answer(as_xlsx(report), content_type=XLSX, headers=headers)
    return Answer(as_csv(report), content_type=f"{CSV}; charset=utf-8", headers=headers)


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/report/day",
    summary=("大厅一天", "A hall's day"),
    tag="managing",
    guard=WATCHES_HALL,
    query=DayQuery,
    returns=HallDayView,
    refuses=[NotFound],
)
async def show_day(request: Request, who: Principal, hall: str, query: DayQuery) -> HallDayView:
    """A day in quarter hours, to be looked at again and compared with what is usual."""
    room = services(request)
    now = room.clock.now()
    return await read_day(room.directory.hall(hall), query.day or business_day(now), now=now)


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/report/clerks",
    summary=("窗口人员工作情况", "What staff have done"),
    tag="managing",
    guard=WATCHES_HALL,
    query=DaysQuery,
    returns=ClerksView,
    refuses=[NotFound],
)
async def show_clerks(request: Request, who: Principal, hall: str, query: DaysQuery) -> ClerksView:
    """What each clerk has done, against what the same items usually take here."""
    room = services(request)
    first, last = _days(query.start, query.to, today=business_day(room.clock.now()))
    return await read_clerks(room.directory.hall(hall), first, last)


def _days(start: date | None, to: date | None, *, today: date) -> tuple[date, date]:
    """From when to when. Raises InvalidRequest."""
    last = to or today
    first = start or last - min(timedelta(days=USUAL_DAYS - 1), last - date.min)
    check_days(first, last)
    return first, last
