"""Counters over HTTP: who works there, and which lines are theirs."""

from sanic import Blueprint, Request

from server.auth import CLERK, HALL_ADMIN, Principal
from server.counters import staffing
from server.counters.refusals import LineUnserved, SkillsChanged
from server.counters.routes import COUNTER, at_counter
from server.counters.views import CounterView, HandOver, ReassignSkills
from server.errors import InvalidRequest, NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.own_counter import StaffedByAnother
from server.services import services

bp = Blueprint("staffing", url_prefix="/api/v1")


@endpoint(
    bp,
    "POST",
    COUNTER + "/hand-over",
    summary=("交接窗口", "Hand a counter over"),
    tag="counters",
    guard=CLERK,
    body=HandOver,
    returns=CounterView,
    refuses=[NotFound, WrongStateRefusal, StaffedByAnother, InvalidRequest],
)
async def hand_counter_over(
    request: Request, who: Principal, hall: str, counter: str, body: HandOver
) -> CounterView:
    """Give the counter to a colleague; whoever is at it stays there.

    Without `to` it pauses until the next clerk opens it.
    """
    at = at_counter(request, who, hall, counter)
    return await staffing.hand_over(at, body.to, feed=services(request).feed)


@endpoint(
    bp,
    "PUT",
    COUNTER + "/skills",
    summary=("调整窗口业务", "Re-assign a counter's lines"),
    tag="managing",
    guard=HALL_ADMIN,
    body=ReassignSkills,
    returns=CounterView,
    refuses=[NotFound, InvalidRequest, SkillsChanged, LineUnserved],
)
async def reassign_skills(
    request: Request, who: Principal, hall: str, counter: str, body: ReassignSkills
) -> CounterView:
    """Set which lines are the counter's own and which it helps; an open one serves them at once.

    Of two at once the last counts, whole. Whoever says which `version` she has seen is refused
    when it is another by now.
    """
    at = at_counter(request, who, hall, counter)
    return await staffing.reassign(at, body, feed=services(request).feed)
