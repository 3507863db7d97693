"""Single sign-on as the mini-program sees it: handing over, confirming browsers, consents."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

import msgspec
import redis.asyncio as aioredis
from sanic import Blueprint, Request

from models.sso import Fact
from server.auth import CITIZEN, Principal
from server.errors import NotFound
from server.http.endpoint import endpoint
from server.http.limits import Rate
from server.live.reading import shown
from server.services import services
from server.sso import browsers, consents, phones
from server.sso.clients import find_client
from server.sso.rooms import provider_of

bp = Blueprint("sso_me", url_prefix="/api/v1")
TAG = "single_sign_on"
# Of 20^8 codes a few live at a time: nobody finds one at this rate.
CODE_TRIES = Rate("browser_code", 20, 60)


class HandoverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the web-view goes on: a client's own sign-in, when it has registered one."""

    client: Annotated[str, msgspec.Meta(max_length=40)] | None = None


class HandoverView(msgspec.Struct, frozen=True):
    """Open `url` in the web-view within `expires_in` seconds, once.

    Or add `handover=<code>` to a department's own `/oauth2/authorize` address.
    """

    code: str
    url: str
    expires_in: int


class BrowserView(msgspec.Struct, frozen=True):
    """A browser that waits: which system it wants to sign in to, and what it says it is."""

    client: str
    client_name: str
    client_name_en: str | None
    device: str
    asked_at: datetime


class ConsentView(msgspec.Struct, frozen=True):
    """What I let a department's system know."""

    client: str
    client_name: str
    client_name_en: str | None
    facts: list[Fact]
    given_at: datetime


class ConsentList(msgspec.Struct, frozen=True):
    """All my consents, newest first."""

    data: list[ConsentView]
    next_cursor: None = None


@endpoint(
    bp,
    "POST",
    "/me/handover",
    summary=("打开部门系统", "Hand my sign-in over to a web-view"),
    tag=TAG,
    guard=CITIZEN,
    body=HandoverRequest,
    returns=HandoverView,
    status=201,
    refuses=[NotFound],
)
async def hand_over(request: Request, who: Principal, body: HandoverRequest) -> HandoverView:
    """A single-use code that signs the mini-program's web-view in as me."""
    provider = provider_of(request)
    if body.client is not None and await find_client(body.client) is None:
        raise NotFound
    code = await browsers.hand_over(who, body.client, services(request).valkey)
    url = f"{provider.issuer}/oauth2/session?{urlencode({'handover': code})}"
    return HandoverView(code, url, browsers.HANDOVER_S)


@endpoint(
    bp,
    "GET",
    "/me/browsers/<code:str>",
    summary=("扫码登录详情", "A browser that waits for me"),
    tag=TAG,
    guard=CITIZEN,
    returns=BrowserView,
    refuses=[NotFound],
)
async def show_browser(request: Request, who: Principal, code: str) -> BrowserView:
    """What the code on a browser's screen stands for; to be shown before confirming."""
    question = await phones.read_question(code, _valkey(request, who))
    return BrowserView(
        question.client,
        question.client_name,
        question.client_name_en,
        question.device,
        shown(question.asked_at),
    )


@endpoint(
    bp,
    "POST",
    "/me/browsers/<code:str>",
    summary=("确认扫码登录", "Sign that browser in as me"),
    tag=TAG,
    guard=CITIZEN,
    status=204,
    refuses=[NotFound],
)
async def confirm_browser(request: Request, who: Principal, code: str) -> None:
    """Sign the browser in, as a sign-in of its own that can be ended by itself."""
    await phones.confirm(code, who, _valkey(request, who))


@endpoint(
    bp,
    "DELETE",
    "/me/browsers/<code:str>",
    summary=("拒绝扫码登录", "Do not sign that browser in"),
    tag=TAG,
    guard=CITIZEN,
    status=204,
    refuses=[NotFound],
)
async def refuse_browser(request: Request, who: Principal, code: str) -> None:
    """Refuse; the browser is sent back to where it came from."""
    await phones.refuse(code, _valkey(request, who))


@endpoint(
    bp,
    "GET",
    "/me/consents",
    summary=("我的授权", "What departments' systems may know"),
    tag=TAG,
    guard=CITIZEN,
    returns=ConsentList,
)
async def list_consents(request: Request, who: Principal) -> ConsentList:
    """Every department's system that I let know who I am, and what it may know."""
    found = await consents.consents_of(who.id)
    return ConsentList(
        [
            ConsentView(
                row["code"],
                row["name"],
                row["name_en"],
                [fact for fact in Fact if fact.value in row["facts"]],
                shown(row["given_at"]),
            )
            for row in found
        ]
    )


@endpoint(
    bp,
    "DELETE",
    "/me/consents/<client:str>",
    summary=("取消授权", "Take a consent back"),
    tag=TAG,
    guard=CITIZEN,
    status=204,
    refuses=[NotFound],
)
async def take_consent_back(request: Request, who: Principal, client: str) -> None:
    """Forget my consent: the system's tokens end at once, and it has to ask me again."""
    await consents.take_back(who.id, client)


def _valkey(request: Request, who: Principal) -> aioredis.Redis:
    provider_of(request)
    services(request).limits.check(CODE_TRIES, who.id)
    return services(request).valkey
