"""Sign-ins over HTTP."""

from typing import Annotated, Literal

import msgspec
from sanic import Blueprint, Request

from server.auth import ACCESS_TOKEN_S, CITIZEN, SIGNED_IN_AT_ALL, Principal
from server.errors import NotAvailable, TooManyRequests, Unavailable
from server.http.endpoint import endpoint
from server.identity.views import CitizenView, citizen_view
from server.services import services
from server.sessions import citizens, province
from server.sessions import tokens as token_pairs
from server.sessions.refusals import (
    RefreshTokenInvalid,
    RefreshTokenReused,
    SignInRefused,
    UserBlocked,
)

bp = Blueprint("sessions", url_prefix="/api/v1")


class TokenPair(msgspec.Struct, frozen=True):
    """What a sign-in gives. The access token lives `expires_in` seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str


class CitizenSession(TokenPair, frozen=True):
    """A citizen's sign-in."""

    citizen: CitizenView


class WeChatCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code that `wx.login` gave."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class AlipayCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code that `my.getAuthCode` gave."""

    auth_code: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class ProvinceReturn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the province's platform sent my browser back with."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    state: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class ProvinceBegun(msgspec.Struct, frozen=True):
    """Open `authorize_url`; it comes back with a code and this `state`, good for ten minutes."""

    authorize_url: str
    state: str


class Refresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token of the last pair."""

    refresh_token: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


@endpoint(
    bp,
    "POST",
    "/sessions/wechat",
    summary=("微信登录", "Sign in through WeChat"),
    tag="sessions",
    body=WeChatCode,
    returns=CitizenSession,
    refuses=[NotAvailable, SignInRefused, UserBlocked, TooManyRequests, Unavailable],
)
async def sign_in_wechat(request: Request, body: WeChatCode) -> CitizenSession:
    """Spend a `wx.login` code. The same WeChat user is always the same citizen."""
    room = services(request)
    pair = await citizens.sign_in(
        room.platforms, "wechat", body.code, room.tokens, device=device_of(request)
    )
    return CitizenSession(*pair_fields(pair), await citizen_view(pair.who, room.sealer))


@endpoint(
    bp,
    "POST",
    "/sessions/alipay",
    summary=("支付宝登录", "Sign in through Alipay"),
    tag="sessions",
    body=AlipayCode,
    returns=CitizenSession,
    refuses=[NotAvailable, SignInRefused, UserBlocked, TooManyRequests, Unavailable],
)
async def sign_in_alipay(request: Request, body: AlipayCode) -> CitizenSession:
    """Spend a `my.getAuthCode` code. The same Alipay user is always the same citizen."""
    room = services(request)
    pair = await citizens.sign_in(
        room.platforms, "alipay", body.auth_code, room.tokens, device=device_of(request)
    )
    return CitizenSession(*pair_fields(pair), await citizen_view(pair.who, room.sealer))


@endpoint(
    bp,
    "GET",
    "/sessions/province/authorize",
    summary=("省统一身份认证入口", "Begin at the province"),
    tag="sessions",
    returns=ProvinceBegun,
    refuses=[NotAvailable, Unavailable],
)
async def begin_at_province(request: Request) -> ProvinceBegun:
    """Where to go to sign in with the province's identity platform (PKCE, S256)."""
    room = services(request)
    begun = await province.begin(room.platforms, room.valkey)
    return ProvinceBegun(begun.authorize_url, begun.state)


@endpoint(
    bp,
    "POST",
    "/sessions/province",
    summary=("省统一身份认证登录", "Sign in through the province"),
    tag="sessions",
    body=ProvinceReturn,
    returns=CitizenSession,
    refuses=[NotAvailable, SignInRefused, UserBlocked, TooManyRequests, Unavailable],
)
async def sign_in_province(request: Request, body: ProvinceReturn) -> CitizenSession:
    """Come back from the province. A name it vouches for is known from then on.

    Whoever has that id number already, through another channel, is the same citizen.
    """
    room = services(request)
    visitor = await province.finish(room.platforms, room.valkey, code=body.code, state=body.state)
    pair, identified = await citizens.sign_in_from_province(
        visitor, room.tokens, room.sealer, device=device_of(request), now=room.clock.now()
    )
    if identified is not None:
        await room.feed.identified(identified.was, identified.citizen_id, identified.changes)
    return CitizenSession(*pair_fields(pair), await citizen_view(pair.who, room.sealer))


@endpoint(
    bp,
    "POST",
    "/sessions/refresh",
    summary=("刷新登录", "A new pair of tokens"),
    tag="sessions",
    body=Refresh,
    returns=TokenPair,
    refuses=[RefreshTokenInvalid, RefreshTokenReused],
)
async def refresh_session(request: Request, body: Refresh) -> TokenPair:
    """Spend a refresh token, once. Spending it again ends the whole sign-in."""
    room = services(request)
    pair = await token_pairs.refresh(body.refresh_token, room.tokens, room.feed)
    return TokenPair(*pair_fields(pair))


@endpoint(
    bp,
    "DELETE",
    "/sessions/current",
    summary=("退出登录", "Sign out"),
    tag="sessions",
    guard=SIGNED_IN_AT_ALL,
    status=204,
)
async def end_session(request: Request, who: Principal) -> None:
    """End this sign-in: its tokens are dead at once, on every worker."""
    await token_pairs.end(who.sign_in_id, services(request).feed)


@endpoint(
    bp,
    "GET",
    "/me",
    summary=("我的信息", "Who I am"),
    tag="sessions",
    guard=CITIZEN,
    returns=CitizenView,
)
async def show_me(request: Request, who: Principal) -> CitizenView:
    """What is known of me, masked."""
    return await citizen_view(who, services(request).sealer)


def pair_fields(pair: token_pairs.Pair) -> tuple[str, Literal["Bearer"], int, str]:
    """What a TokenPair begins with."""
    return pair.access_token, "Bearer", ACCESS_TOKEN_S, pair.refresh_token


def device_of(request: Request) -> str:
    """What kind of device signed in, for the list of devices; no bytes that a row cannot hold."""
    said = request.headers.get("user-agent", "")
    return "".join(character for character in said if character.isprintable())[:200]
