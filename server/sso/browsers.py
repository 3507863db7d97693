"""Browsers and the mini-program's web-view: their cookies, and who is signed in there.

A browser bears two cookies. One names the browser before anybody signs in, so that a request
belongs to the browser that began it. The other is the signed-in session, new at every sign-in.
Both are random, kept as digests in Valkey, and worth nothing at `/api/v1`.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import redis.asyncio as aioredis
from sanic import Request
from sanic.response import HTTPResponse
from uuid_utils.compat import uuid7

from models.database import rows, transaction
from models.proving import counts_for
from server.auth import Principal
from server.live.feed import Feed
from server.sso.clients import digest
from server.sso.provider import Provider

SESSION_S = 2 * 3600
HANDOVER_S = 60
BROWSER_CHANNEL = "browser"
_BROWSER_COOKIE = "yiting-browser"
_SESSION_COOKIE = "yiting-session"


class Session(msgspec.Struct, frozen=True):
    """A signed-in browser. `auth_time` is Unix time; `methods` are the `amr` (RFC 8176)."""

    id: UUID
    sign_in_id: UUID
    auth_time: float
    methods: tuple[str, ...]


class Handover(msgspec.Struct, frozen=True):
    """A sign-in of the mini-program on its way to the web-view; `client` is where to go next."""

    sign_in_id: UUID
    client: str | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in at a browser, as the database knows her now."""

    session: Session
    citizen_id: UUID
    level: int
    channel: str


_read_session = msgspec.json.Decoder(Session).decode
_read_handover = msgspec.json.Decoder(Handover).decode


# --- the browser itself ----------------------------------------------------------------------


def browser_of(request: Request, provider: Provider) -> str | None:
    """The digest of the browser's own cookie, if it has one."""
    name = request.cookies.get(_cookie_name(_BROWSER_COOKIE, provider))
    return digest(name) if name else None


def name_browser(response: HTTPResponse, provider: Provider) -> str:
    """Give the browser a cookie of its own; its digest."""
    name = secrets.token_urlsafe(32)
    _set_cookie(response, _BROWSER_COOKIE, name, provider)
    return digest(name)


def is_from_here(request: Request, provider: Provider) -> bool:
    """Whether a form was sent by a page of ours, as far as the browser tells (CSRF)."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    parts = urlsplit(provider.issuer)
    # "null" comes from a page without a referrer, which all of ours are.
    ours = origin in {None, "null", f"{parts.scheme}://{parts.netloc}"}
    return ours and site in {"same-origin", "none"}


# --- sessions --------------------------------------------------------------------------------


async def signed_in(
    request: Request, provider: Provider, valkey: aioredis.Redis
) -> SignedIn | None:
    """Who is signed in at this browser; nobody, once her sign-in has ended anywhere."""
    name = request.cookies.get(_cookie_name(_SESSION_COOKIE, provider))
    kept = await valkey.get(_session_key(name)) if name else None
    if kept is None:
        return None
    session = _read_session(kept)
    found = await rows(
        f"""
        SELECT s.channel, citizen.id, {counts_for("s.id")} AS level FROM sign_in s
        LEFT JOIN citizen_alias a ON a.id = s.person_id
        JOIN citizen ON citizen.id = COALESCE(a.citizen_id, s.person_id)
        WHERE s.id = $1 AND s.person_kind = 'citizen' AND s.ended_at IS NULL
        """,  # noqa: S608 a text of ours
        session.sign_in_id,
    )
    if not found:
        return None
    return SignedIn(session, found[0]["id"], found[0]["level"], found[0]["channel"])


async def start_session(
    response: HTTPResponse,
    provider: Provider,
    valkey: aioredis.Redis,
    *,
    sign_in_id: UUID,
    auth_time: float,
    methods: tuple[str, ...],
) -> None:
    """Sign the browser in, for SESSION_S seconds at most; its session gets a new name."""
    name = secrets.token_urlsafe(32)
    session = Session(uuid7(), sign_in_id, auth_time, methods)
    await valkey.set(_session_key(name), msgspec.json.encode(session), ex=SESSION_S)
    _set_cookie(response, _SESSION_COOKIE, name, provider)


async def end_session(
    request: Request, provider: Provider, valkey: aioredis.Redis, who: SignedIn, feed: Feed
) -> None:
    """Sign the browser out, and end what departments' systems got through this session.

    A sign-in of the mini-program itself goes on; one that was the browser's own is over.
    """
    name = request.cookies.get(_cookie_name(_SESSION_COOKIE, provider))
    if name:
        await valkey.delete(_session_key(name))
    now = datetime.now(UTC)
    async with transaction() as tx:
        await tx.run(
            "UPDATE sso_grant SET ended_at = $2, end_reason = 'signed_out'"
            " WHERE session_id = $1 AND ended_at IS NULL",
            who.session.id,
            now,
        )
        await tx.run(
            "UPDATE sign_in SET ended_at = $2, end_reason = 'signed_out'"
            " WHERE id = $1 AND channel = $3 AND ended_at IS NULL",
            who.session.sign_in_id,
            now,
            BROWSER_CHANNEL,
        )
    if who.channel == BROWSER_CHANNEL:
        await feed.sign_ins_ended(who.session.sign_in_id)


async def leave_session(
    request: Request, response: HTTPResponse, provider: Provider, valkey: aioredis.Redis
) -> None:
    """Take this browser out of the session, to sign in as somebody else; its grants go on."""
    name = request.cookies.get(_cookie_name(_SESSION_COOKIE, provider))
    if name:
        await valkey.delete(_session_key(name))
    forget_session(response, provider)


def forget_session(response: HTTPResponse, provider: Provider) -> None:
    """Take the session's cookie away from the browser."""
    _set_cookie(response, _SESSION_COOKIE, "", provider, max_age=0)


# --- from the mini-program to its web-view ---------------------------------------------------


async def hand_over(who: Principal, client: str | None, valkey: aioredis.Redis) -> str:
    """A code for HANDOVER_S seconds that signs one browser in as this citizen."""
    code = secrets.token_urlsafe(32)
    handover = Handover(who.sign_in_id, client)
    await valkey.set(_handover_key(code), msgspec.json.encode(handover), ex=HANDOVER_S)
    return code


async def take_over(
    code: str, response: HTTPResponse, provider: Provider, valkey: aioredis.Redis
) -> Handover | None:
    """Spend the code and sign the browser in; None when it is unknown, used, expired or ended."""
    kept = await valkey.getdel(_handover_key(code))
    if kept is None:
        return None
    handover = _read_handover(kept)
    found = await rows(
        "SELECT channel, started_at FROM sign_in WHERE id = $1 AND ended_at IS NULL",
        handover.sign_in_id,
    )
    if not found:
        return None
    await start_session(
        response,
        provider,
        valkey,
        sign_in_id=handover.sign_in_id,
        auth_time=found[0]["started_at"].timestamp(),
        methods=(found[0]["channel"],),
    )
    return handover


def device_of(request: Request) -> str:
    """What the browser says it is, for the list of devices; no bytes that a row cannot hold."""
    said = request.headers.get("user-agent", "")
    return "".join(character for character in said if character.isprintable())[:200]


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _session_key(name: str) -> str:
    return f"sso:session:{digest(name)}"


def _handover_key(code: str) -> str:
    return f"sso:handover:{digest(code)}"


def _cookie_name(name: str, provider: Provider) -> str:
    return f"__Host-{name}" if provider.is_https else name


def _set_cookie(
    response: HTTPResponse,
    name: str,
    value: str,
    provider: Provider,
    *,
    max_age: int | None = None,
) -> None:
    # Lax, because a citizen comes from the department's site by a link or a redirect.
    response.add_cookie(
        name,
        value,
        path="/",
        httponly=True,
        secure=provider.is_https,
        samesite="Lax",
        host_prefix=provider.is_https,
        max_age=max_age,
    )
