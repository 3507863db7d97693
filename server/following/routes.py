"""Following over HTTP: codes for the holder, a look for whoever has one, and what I follow."""

from datetime import date
from typing import Annotated

import msgspec
from sanic import Blueprint, Request

from scheduler.calendar import business_day
from server.auth import CITIZEN, SIGNED_IN, Principal, own_id
from server.errors import IdempotencyKeyReused, NotFound, TooManyRequests, WrongStateRefusal
from server.following import codes, keeping
from server.following.address import follow_page
from server.following.refusals import OwnTicket, TooManyFollowed, TooManyFollowers
from server.following.views import FollowCode, FollowList, FollowView, Viewer
from server.http.endpoint import address_of, endpoint
from server.http.idempotency import once
from server.live.grants import FollowCodeUnknown, FollowOver
from server.services import Services, services

bp = Blueprint("following", url_prefix="/api/v1")
CODE_OF_TICKET = "/tickets/<ticket:str>/follow-code"


class CodeGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code that stands after the `#` of the address in a ticket's QR code."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


@endpoint(
    bp,
    "POST",
    CODE_OF_TICKET,
    summary=("生成关注码", "Let others follow a number"),
    tag="tickets",
    guard=SIGNED_IN,
    returns=FollowCode,
    status=201,
    refuses=[NotFound, WrongStateRefusal],
)
async def make_follow_code(request: Request, who: Principal, ticket: str) -> FollowCode:
    """A code of my ticket, or of one of the hall where I work: whoever has it sees where it stands.

    It says nothing of who holds it, lets nobody change it, and is good until the day ends. Each
    time another one; of more than ten the oldest ends.
    """
    room = services(request)
    made = await codes.make_code(
        own_id(ticket), who, now=room.clock.now(), directory=room.directory, feed=room.feed
    )
    url = follow_page(request, made.code)
    return FollowCode(made.code, url, made.expires_at, made.followers)


@endpoint(
    bp,
    "DELETE",
    CODE_OF_TICKET,
    summary=("结束关注", "End all following"),
    tag="tickets",
    guard=SIGNED_IN,
    status=204,
    refuses=[NotFound],
)
async def end_following(request: Request, who: Principal, ticket: str) -> None:
    """End every code of my ticket, or of one of the hall where I work, and all who follow by one.

    Printed codes, too. It is so at once, on every worker; a new code can be made.
    """
    room = services(request)
    await codes.end_following(own_id(ticket), who, directory=room.directory, feed=room.feed)


@endpoint(
    bp,
    "POST",
    "/follow",
    summary=("凭码查看号票", "See a number by its code"),
    tag="tickets",
    body=CodeGiven,
    returns=FollowView,
    refuses=[FollowCodeUnknown, FollowOver, TooManyRequests],
)
async def see_by_code(request: Request, body: CodeGiven) -> FollowView:
    """The ticket of a code, as it is now. Nobody need sign in, and nothing in it is personal.

    To follow it, watch it on the socket: `{"op": "follow", "code": "…"}`.
    """
    room = services(request)
    grant = await room.grants.by_code(body.code, today=_today(room), address=address_of(request))
    return await _viewer(room).ticket(grant.ticket_id)


@endpoint(
    bp,
    "GET",
    "/me/followed",
    summary=("我关注的号票", "Numbers that I follow"),
    tag="tickets",
    guard=CITIZEN,
    returns=FollowList,
)
async def list_followed(request: Request, who: Principal) -> FollowList:
    """The tickets of others that I follow today."""
    room = services(request)
    return FollowList(await keeping.list_of(who, viewer=_viewer(room), today=_today(room)))


@endpoint(
    bp,
    "POST",
    "/me/followed",
    summary=("关注号票", "Follow a number"),
    tag="tickets",
    guard=CITIZEN,
    body=CodeGiven,
    returns=FollowView,
    status=201,
    idempotent=True,
    refuses=[
        FollowCodeUnknown,
        FollowOver,
        OwnTicket,
        TooManyFollowed,
        TooManyFollowers,
        TooManyRequests,
        IdempotencyKeyReused,
    ],
)
async def follow_ticket(request: Request, who: Principal, body: CodeGiven) -> FollowView:
    """Keep the ticket of a code: I can GET it and watch it on the socket until the day ends.

    I cannot cancel or change it. Its holder and the hall may end that.
    """
    room = services(request)
    return await keeping.keep(
        body.code,
        who,
        once(request, who.id),
        viewer=_viewer(room),
        limits=room.limits,
        address=address_of(request),
        today=_today(room),
    )


@endpoint(
    bp,
    "DELETE",
    "/me/followed/<ticket:str>",
    summary=("取消关注", "Stop following a number"),
    tag="tickets",
    guard=CITIZEN,
    status=204,
    refuses=[NotFound],
)
async def unfollow_ticket(request: Request, who: Principal, ticket: str) -> None:
    """Follow a ticket no longer."""
    await keeping.let_go(own_id(ticket), who, services(request).feed)


def _viewer(room: Services) -> Viewer:
    return Viewer(room.feed, room.directory)


def _today(room: Services) -> date:
    return business_day(room.clock.now())
