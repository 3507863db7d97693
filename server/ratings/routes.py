"""Ratings over HTTP: who was served rates once; the hall sees figures and answers bad ones."""

from datetime import timedelta
from typing import Final

from sanic import Blueprint, Request

from models import ratings
from scheduler.calendar import business_day
from server.auth import CITIZEN, HALL_ADMIN, Principal, own_id
from server.errors import (
    FieldFault,
    IdempotencyKeyReused,
    InvalidRequest,
    NotFound,
    WrongStateRefusal,
)
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.http.paging import PageQuery
from server.ratings import rating
from server.ratings.refusals import AlreadyRated, NothingToAnswer
from server.ratings.views import (
    AnswerRating,
    FiguresQuery,
    Rate,
    RatingFigures,
    RatingPage,
    RatingView,
    rating_view,
)
from server.services import services

bp = Blueprint("ratings", url_prefix="/api/v1")
TAG: Final = "ratings"
MOST_DAYS: Final = 92


@endpoint(
    bp,
    "POST",
    "/ratings",
    summary=("评价服务", "Rate a service"),
    tag=TAG,
    guard=CITIZEN,
    body=Rate,
    returns=RatingView,
    status=201,
    idempotent=True,
    refuses=[NotFound, WrongStateRefusal, AlreadyRated, IdempotencyKeyReused],
)
async def make_rating(request: Request, who: Principal, body: Rate) -> RatingView:
    """Say how I found the service that I had, for myself or for whom I acted; once each."""
    room = services(request)
    return await rating.rate(
        body,
        who,
        once(request, who.id),
        sealer=room.sealer,
        directory=room.directory,
        now=room.clock.now(),
    )


@endpoint(
    bp,
    "GET",
    "/ratings",
    summary=("我的评价", "My ratings"),
    tag=TAG,
    guard=CITIZEN,
    query=PageQuery,
    returns=RatingPage,
)
async def list_ratings(request: Request, who: Principal, query: PageQuery) -> RatingPage:
    """What I said, the newest first, and what the halls answered."""
    room = services(request)
    found = await ratings.of_citizen(who.id, query.cursor, query.limit)
    page = [rating_view(row, room.directory, room.sealer) for row in found[: query.limit]]
    return RatingPage(page, page[-1].id if len(found) > query.limit else None)


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/ratings",
    summary=("大厅评价统计", "A hall's ratings in figures"),
    tag=TAG,
    guard=HALL_ADMIN,
    query=FiguresQuery,
    returns=RatingFigures,
    refuses=[NotFound, InvalidRequest],
)
async def hall_ratings(
    request: Request, who: Principal, hall: str, query: FiguresQuery
) -> RatingFigures:
    """How people found the hall, on the days that they said so."""
    room = services(request)
    entry = room.directory.hall(hall)
    end = query.to or business_day(room.clock.now())
    start = query.start or end - timedelta(days=6)
    if not start <= end <= start + timedelta(days=MOST_DAYS - 1):
        why = (
            f"应在开始之后 {MOST_DAYS} 天之内。",
            f"must be within {MOST_DAYS} days of the first",
        )
        raise InvalidRequest(errors=[FieldFault("/to", why)])
    row = await ratings.of_hall(entry.id, start, end)
    return RatingFigures(
        start=start,
        to=end,
        count=row["many"],
        mean=None if row["mean"] is None else round(row["mean"], 2),
        by_stars=list(row["by_stars"]),
        bad=row["bad"],
        answered=row["answered"],
    )


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/ratings/unanswered",
    summary=("待答复差评", "Bad ratings to be answered"),
    tag=TAG,
    guard=HALL_ADMIN,
    query=PageQuery,
    returns=RatingPage,
    refuses=[NotFound],
)
async def list_unanswered(
    request: Request, who: Principal, hall: str, query: PageQuery
) -> RatingPage:
    """What had one or two stars and has no answer yet, the oldest first. Nobody is named."""
    room = services(request)
    found = await ratings.to_answer(room.directory.hall(hall).id, query.cursor, query.limit)
    page = [rating_view(row, room.directory, room.sealer) for row in found[: query.limit]]
    return RatingPage(page, page[-1].id if len(found) > query.limit else None)


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/ratings/<rating_id:str>/answer",
    summary=("答复差评", "Answer a bad rating"),
    tag=TAG,
    guard=HALL_ADMIN,
    body=AnswerRating,
    returns=RatingView,
    refuses=[NotFound, NothingToAnswer],
)
async def answer_rating(
    request: Request, who: Principal, hall: str, rating_id: str, body: AnswerRating
) -> RatingView:
    """Say what was done about it, once; who rated reads it."""
    room = services(request)
    return await rating.answer(
        room.directory.hall(hall),
        own_id(rating_id),
        body.text,
        who,
        sealer=room.sealer,
        directory=room.directory,
        now=room.clock.now(),
    )
