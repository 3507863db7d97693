"""Cases over HTTP, as citizens follow them."""

from sanic import Blueprint, Request

from models import cases
from server.auth import CITIZEN, Principal
from server.cases.views import CaseFilePage, CaseFileView, case_view
from server.errors import NotFound
from server.http.endpoint import endpoint
from server.http.paging import PageQuery
from server.services import services

bp = Blueprint("cases", url_prefix="/api/v1")
TAG = "cases"


class MyCaseQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which page; `open`: only those under way, or only those that are over."""

    open: bool | None = None


@endpoint(
    bp,
    "GET",
    "/cases",
    summary=("我的办件", "My cases"),
    tag=TAG,
    guard=CITIZEN,
    query=MyCaseQuery,
    returns=CaseFilePage,
)
async def list_my_cases(request: Request, who: Principal, query: MyCaseQuery) -> CaseFilePage:
    """Mine, those I handed in for others, and those of whoever consented that I act for her."""
    room = services(request)
    found = await cases.of_citizen(who.id, query.cursor, query.limit, is_open=query.open)
    now = room.clock.now()
    page = [case_view(row, room.directory, room.sealer, now=now) for row in found[: query.limit]]
    return CaseFilePage(page, page[-1].id if len(found) > query.limit else None)


@endpoint(
    bp,
    "GET",
    "/cases/<no:str>",
    summary=("办件进度", "How a case goes"),
    tag=TAG,
    guard=CITIZEN,
    returns=CaseFileView,
    refuses=[NotFound],
)
async def show_my_case(request: Request, who: Principal, no: str) -> CaseFileView:
    """A case with every step of it, by its number, or by its id as notices bear it."""
    room = services(request)
    row = await cases.one_of_citizen(who.id, no)
    if row is None:
        raise NotFound
    return case_view(row, room.directory, room.sealer, now=room.clock.now())
