"""The city's rules, and dry runs of audiences, for managers."""

from typing import Final

from sanic import Blueprint, Request

from models.audiences import ReadsTooMuch
from models.staff import Role
from models.tickets import Actor
from scheduler.calendar import business_day
from server.auth import Principal, staff
from server.errors import FieldFault, InvalidRequest, TooManyRequests, wants_english
from server.halls.directory import Directory
from server.http.endpoint import endpoint
from server.http.limits import AUDIENCE
from server.matching.audience import read_audience
from server.matching.offering import names_of
from server.matching.refusals import RuleUnknown
from server.matching.rule_files import RuleBook
from server.matching.trying import Tried, try_audience
from server.matching.views import AudienceView, RuleList, TryAudience, rule_view
from server.services import services

bp = Blueprint("audiences", url_prefix="/api/v1/admin")
TAG: Final = "audiences"
MANAGERS: Final = staff(Role.HALL_MANAGER, Role.SUPERVISOR, Role.ADMIN)
_TRIED: Final = {
    "purpose": "services",
    "reads": ["age", "items"],
    "looked_at": 48210,
    "complete": True,
    "least": 10,
    "concerned": 1370,
    "sample": [
        {
            "name": "张**",
            "because": {
                "zh": "您收到这条消息，因为：年龄不小于 60；您尚未办理“老年人优待证申领”。",
                "en": "You get this because your age is at least 60; you have not done"
                " “Senior citizen's card”.",
            },
        }
    ],
}


@endpoint(
    bp,
    "GET",
    "/audience-rules",
    summary=("个性化服务规则", "Rules of personalised service"),
    tag=TAG,
    guard=MANAGERS,
    returns=RuleList,
    from_memory=True,
)
async def list_rules(request: Request, who: Principal) -> RuleList:
    """What the city's file says concerns whom; who is told of one thing a day gets the first."""
    english = wants_english(request.headers.get("accept-language"))
    return RuleList([rule_view(each, english=english) for each in _book(request).services])


@endpoint(
    bp,
    "POST",
    "/audiences/try",
    summary=("试算受众", "Try an audience out"),
    tag=TAG,
    guard=MANAGERS,
    body=TryAudience,
    returns=AudienceView,
    example=_TRIED,
    refuses=[InvalidRequest, RuleUnknown, TooManyRequests],
)
async def try_out(request: Request, who: Principal, body: TryAudience) -> AudienceView:
    """How many a rule of the city's, or an expression, would concern now, and a few of them.

    Nobody is told anything. Of fewer than ten people nothing is said; whose masked name is shown is
    in the audit log. An expression reads only the groups that it names, of those who consent to the
    purpose, and what is wrong with it is said with its place.
    """
    room, book = services(request), _book(request)
    tried = _tried(body, book, room.directory)
    await room.limits.take([(AUDIENCE, who.id)])
    try:
        return await try_audience(
            tried,
            names_of(book, room.directory),
            room.sealer,
            Actor("staff", who.id),
            today=business_day(room.clock.now()),
        )
    except ReadsTooMuch as beyond:
        groups = ", ".join(beyond.groups)
        why = (f"该用途不使用：{groups}。", f"this purpose never uses {groups}")
        raise InvalidRequest(errors=[FieldFault("/reads", why)]) from None


def _tried(body: TryAudience, book: RuleBook, directory: Directory) -> Tried:
    if (body.rule is None) == (body.when is None):
        why = ("rule 与 when 应给出其一。", "give either `rule` or `when`")
        raise InvalidRequest(errors=[FieldFault("/when", why)])
    if body.rule is not None:
        service = book.find(body.rule)
        if service is None:
            raise RuleUnknown
        return Tried(service.rule, service.purpose, service)
    given = read_audience(body.when or "", body.reads, at="/when", book=book, directory=directory)
    return Tried(given, body.purpose)


def _book(request: Request) -> RuleBook:
    book: RuleBook = request.app.ctx.rule_book
    return book
