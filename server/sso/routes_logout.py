"""Signing out at a department's system and here (OpenID Connect RP-Initiated Logout 1.0)."""

import secrets
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from server.http.endpoint import Also, endpoint
from server.services import services
from server.sso import browsers, pages
from server.sso.asking import LONGEST_STATE, NOT_TO_BE_TRUSTED
from server.sso.browsers import SignedIn
from server.sso.clients import Client, find_client
from server.sso.errors import PageError
from server.sso.rooms import form_of, in_browser, provider_of, query_of, send_to
from server.sso.routes_consent import RequestQuery
from server.sso.steps import OVER, WRONG_PAGE

bp = Blueprint("sso_logout")
TAG = "single_sign_on"
LEAVING_S = 300
GOES_ON = Also(303, "On to the question, or to `post_logout_redirect_uri`.")


class LogoutQuery(msgspec.Struct, frozen=True):
    """RP-Initiated Logout 1.0, section 2."""

    id_token_hint: str = ""
    client_id: str = ""
    post_logout_redirect_uri: str = ""
    state: str = ""


class Answered(msgspec.Struct, frozen=True):
    """The form of the question."""

    request: str
    form_token: str
    decision: Annotated[str, msgspec.Meta(description="agree or refuse")]


class Leaving(msgspec.Struct, frozen=True):
    """A checked request to sign out. `sid` is the session that the client's ID token names."""

    client: str | None
    sid: str | None
    redirect_uri: str | None
    state: str | None


_read = msgspec.json.Decoder(Leaving).decode


@endpoint(
    bp,
    "GET",
    "/oauth2/logout",
    summary=("退出端点", "End-session endpoint"),
    tag=TAG,
    asks=LogoutQuery,
    returns=str,
    content_type=pages.HTML,
    also=[GOES_ON, WRONG_PAGE],
)
@in_browser
async def log_out(request: Request) -> HTTPResponse:
    """Sign out on a department's behalf; asks first, unless its ID token is of this session."""
    said, repeated = query_of(request)
    return await _begin(request, said, repeated)


@endpoint(
    bp,
    "POST",
    "/oauth2/logout",
    summary=("退出端点（表单）", "End-session endpoint, by form"),
    tag=TAG,
    form=LogoutQuery,
    returns=str,
    content_type=pages.HTML,
    also=[GOES_ON, WRONG_PAGE],
)
@in_browser
async def log_out_by_form(request: Request) -> HTTPResponse:
    """The same by POST, which keeps the ID token out of addresses and logs on the way."""
    return await _begin(request, form_of(request), set())


@endpoint(
    bp,
    "GET",
    "/oauth2/logout/confirm",
    summary=("确认退出页面", "Whether to sign out"),
    tag=TAG,
    asks=RequestQuery,
    returns=str,
    content_type=pages.HTML,
    also=[GOES_ON, WRONG_PAGE],
)
@in_browser
async def ask_before_logout(request: Request) -> HTTPResponse:
    """The question, where there is something to ask; else it is done at once."""
    provider = provider_of(request)
    said, _ = query_of(request)
    request_id, leaving = await _find(request, said)
    who = await browsers.signed_in(request, provider, services(request).valkey)
    if who is None or _is_hers(request, leaving, who):
        return await _leave(request, request_id, leaving, who)
    client = await find_client(leaving.client)
    form_token = provider.form_token(request_id, str(who.session.id))
    return pages.logout_page(provider, client, request_id, form_token)


@endpoint(
    bp,
    "POST",
    "/oauth2/logout/confirm",
    summary=("确认退出", "Sign out, or do not"),
    tag=TAG,
    form=Answered,
    returns=str,
    content_type=pages.HTML,
    also=[GOES_ON, WRONG_PAGE],
)
@in_browser
async def answer_logout(request: Request) -> HTTPResponse:
    """What she chose; taken only from the very page shown to her."""
    provider = provider_of(request)
    said = form_of(request)
    request_id, leaving = await _find(request, said)
    who = await browsers.signed_in(request, provider, services(request).valkey)
    if who is None:
        return await _leave(request, request_id, leaving, None)
    form_token = provider.form_token(request_id, str(who.session.id))
    is_ours = browsers.is_from_here(request, provider)
    if not is_ours or not browsers.same(said.get("form_token", ""), form_token):
        raise PageError(OVER, "this form is not of the page that was shown")
    if said.get("decision") != "agree":
        sentence = ("您仍然保持登录。", "You are still signed in.")
        return pages.message_page(provider, ("保持登录", "Still signed in"), sentence)
    return await _leave(request, request_id, leaving, who)


async def _begin(request: Request, said: dict[str, str], repeated: set[str]) -> HTTPResponse:
    """Check the request, keep it for LEAVING_S seconds, and go on where our cookies come along."""
    leaving = await _read_leaving(request, said, repeated)
    request_id = secrets.token_urlsafe(24)
    await services(request).valkey.set(_key(request_id), msgspec.json.encode(leaving), ex=LEAVING_S)
    return send_to(f"/oauth2/logout/confirm?{urlencode({'request': request_id})}")


async def _read_leaving(request: Request, said: dict[str, str], repeated: set[str]) -> Leaving:
    """Raises PageError; nobody is ever sent to an address that is not registered."""
    if repeated or len(said.get("state", "")) > LONGEST_STATE:
        raise PageError(NOT_TO_BE_TRUSTED, "a parameter came twice, or state is too long")
    hint = None
    if "id_token_hint" in said:
        hint = provider_of(request).read_hint(said["id_token_hint"])
        if hint is None:
            raise PageError(NOT_TO_BE_TRUSTED, "id_token_hint is no ID token of ours")
    code = said.get("client_id", hint.client if hint else None)
    if hint is not None and code != hint.client:
        raise PageError(NOT_TO_BE_TRUSTED, "client_id is not whom id_token_hint is for")
    client = await find_client(code)
    redirect = said.get("post_logout_redirect_uri")
    if redirect is not None and not _is_registered(client, redirect):
        raise PageError(NOT_TO_BE_TRUSTED, "post_logout_redirect_uri is not registered")
    return Leaving(
        client=client.code if client else None,
        sid=hint.sid if hint else None,
        redirect_uri=redirect,
        state=said.get("state"),
    )


def _is_registered(client: Client | None, redirect: str) -> bool:
    return client is not None and redirect in client.post_logout_redirect_uris


def _is_hers(request: Request, leaving: Leaving, who: SignedIn) -> bool:
    """Whether the client's ID token is of the very session that is signed in here."""
    if leaving.client is None or leaving.sid is None:
        return False
    return browsers.same(leaving.sid, provider_of(request).sid(leaving.client, who.session.id))


async def _find(request: Request, said: dict[str, str]) -> tuple[str, Leaving]:
    request_id = said.get("request", "")
    kept = await services(request).valkey.get(_key(request_id))
    if kept is None:
        raise PageError(OVER, "no such request to sign out")
    return request_id, _read(kept)


async def _leave(
    request: Request, request_id: str, leaving: Leaving, who: SignedIn | None
) -> HTTPResponse:
    provider, room = provider_of(request), services(request)
    if who is not None:
        await browsers.end_session(request, provider, room.valkey, who, room.feed)
    await room.valkey.delete(_key(request_id))
    if leaving.redirect_uri is None:
        sentence = ("本浏览器已退出登录。", "This browser is signed out.")
        answer = pages.message_page(provider, ("已退出", "Signed out"), sentence)
    else:
        state = {"state": leaving.state} if leaving.state is not None else {}
        joint = "" if not state else "&" if "?" in leaving.redirect_uri else "?"
        answer = send_to(f"{leaving.redirect_uri}{joint}{urlencode(state)}")
    browsers.forget_session(answer, provider)
    return answer


def _key(request_id: str) -> str:
    return f"sso:leaving:{request_id}"
