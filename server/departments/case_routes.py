"""Cases that departments' systems handle, over HTTP."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sanic import Blueprint, Request

from models import cases, ratings
from models.audit import Entry, record
from models.database import transaction
from models.tickets import Actor
from server.auth import DEPARTMENT
from server.departments.case_shapes import (
    CaseRating,
    CaseRatingPage,
    DepartmentCase,
    NewCase,
    NewStep,
    department_case,
)
from server.departments.credentials import case_system
from server.departments.handling import Desk, open_case, tell_step
from server.departments.refusals import CaseNumberReused, StepNumberReused, TooManySteps
from server.errors import NotAllowed, NotFound, NotSignedIn, TooManyRequests, WrongStateRefusal
from server.http.endpoint import endpoint
from server.http.formats import ONE_LINE
from server.http.paging import PageQuery
from server.live.reading import shown
from server.ratings.refusals import NothingToAnswer
from server.ratings.views import opened_comment
from server.services import Services, services

bp = Blueprint("departments-cases", url_prefix="/api/v1/departments")
TAG = "departments"
_REFUSES: Final = (NotSignedIn, NotAllowed, TooManyRequests)


class CaseAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the department says to who was not content."""

    text: Annotated[str, Meta(min_length=1, max_length=500, pattern=ONE_LINE)]


@endpoint(
    bp,
    "POST",
    "/cases",
    summary=("部门登记办件", "Open a case"),
    tag=TAG,
    guard=DEPARTMENT,
    body=NewCase,
    returns=DepartmentCase,
    status=201,
    refuses=[*_REFUSES, CaseNumberReused],
)
async def accept_case(request: Request, body: NewCase) -> DepartmentCase:
    """Tell that a case was accepted. With the same number again it is the same case, as it is."""
    return await open_case(await _desk(request), body)


@endpoint(
    bp,
    "GET",
    "/cases/<no:str>",
    summary=("部门办件详情", "One case of mine"),
    tag=TAG,
    guard=DEPARTMENT,
    returns=DepartmentCase,
    refuses=[*_REFUSES, NotFound],
)
async def show_department_case(request: Request, no: str) -> DepartmentCase:
    """How a case stands here, by the `no` that it was given."""
    desk = await _desk(request)
    row = await cases.of_department(desk.client.id, no)
    if row is None:
        raise NotFound
    return department_case(row, desk.directory, desk.sealer, now=desk.now)


@endpoint(
    bp,
    "POST",
    "/cases/<no:str>/steps",
    summary=("报送办件步骤", "Tell a step of a case"),
    tag=TAG,
    guard=DEPARTMENT,
    body=NewStep,
    returns=DepartmentCase,
    status=201,
    refuses=[*_REFUSES, NotFound, StepNumberReused, TooManySteps, WrongStateRefusal],
)
async def report_step(request: Request, no: str, body: NewStep) -> DepartmentCase:
    """Tell what was done, or what is wanted of her. The same number again is the same step."""
    return await tell_step(await _desk(request), no, body)


@endpoint(
    bp,
    "GET",
    "/case-ratings",
    summary=("待答复的办件差评", "Bad ratings of my cases"),
    tag=TAG,
    guard=DEPARTMENT,
    query=PageQuery,
    returns=CaseRatingPage,
    refuses=_REFUSES,
)
async def list_case_ratings(request: Request, query: PageQuery) -> CaseRatingPage:
    """What had one or two stars and has no answer yet, the oldest first. Nobody is named."""
    client = await case_system(request)
    found = await ratings.to_answer_by(client.id, query.cursor, query.limit)
    page = [_rating(row, services(request)) for row in found[: query.limit]]
    return CaseRatingPage(page, page[-1].id if len(found) > query.limit else None)


@endpoint(
    bp,
    "POST",
    "/cases/<no:str>/answer",
    summary=("答复办件差评", "Answer a bad rating of a case"),
    tag=TAG,
    guard=DEPARTMENT,
    body=CaseAnswer,
    returns=CaseRating,
    refuses=[*_REFUSES, NotFound, NothingToAnswer],
)
async def answer_case_rating(request: Request, no: str, body: CaseAnswer) -> CaseRating:
    """Say what was done about it, once; who rated reads it. Its hall may have been first."""
    client = await case_system(request)
    room = services(request)
    async with transaction() as tx:
        case = await cases.hold(tx, client.id, no)
        row = await ratings.hold_of_case(tx, case["id"]) if case is not None else None
        if row is None:
            raise NotFound
        if row["answer_by"] is None or row["answered_at"] is not None:
            raise NothingToAnswer
        await ratings.answer(tx, row["id"], body.text, by=client.id, now=room.clock.now())
        answered = _rating(await ratings.shown(row["id"], tx=tx), room)
        actor, detail = Actor("department", client.id), {"client": client.code}
        await record(tx, Entry(actor, "rating.answered", "rating", row["id"], detail=detail))
    return answered


async def _desk(request: Request) -> Desk:
    client = await case_system(request)
    room = services(request)
    return Desk(client, room.sealer, room.directory, room.clock.now())


def _rating(row: Any, room: Services) -> CaseRating:
    return CaseRating(
        id=row["id"],
        no=row["number"],
        stars=row["stars"],
        tags=list(row["tags"]),
        comment=opened_comment(row, room.sealer),
        rated_at=shown(row["rated_at"]),
        answer_by=row["answer_by"] and shown(row["answer_by"]),
        answer=row["answer"],
        answered_at=row["answered_at"] and shown(row["answered_at"]),
    )
