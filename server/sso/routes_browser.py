"""Signing in to a department's system: where a citizen's browser comes in, and what it shows."""

import time
from urllib.parse import urlencode

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from server.http.answers import JSON, Answer
from server.http.endpoint import Also, endpoint
from server.services import services
from server.sso import browsers, pages, pending, phones
from server.sso.asking import LONGEST_QUERY, NOT_TO_BE_TRUSTED, read_asked
from server.sso.browsers import browser_of
from server.sso.clients import find_client
from server.sso.errors import NOT_STORED, PageError
from server.sso.pending import Step
from server.sso.phones import Progress
from server.sso.rooms import in_browser, provider_of, query_of, send_to
from server.sso.steps import (
    GOES_ON,
    SILENTLY,
    WRONG_PAGE,
    give_code,
    page_of,
    sent_back,
    step_of,
)

bp = Blueprint("sso_browser")
TAG = "single_sign_on"
HANDOVER_OVER = (
    "登录链接已用过或已过期，请在小程序中重新打开。",
    "This link was used or is over; open it again from the mini-program.",
)


class AuthorizeQuery(msgspec.Struct, frozen=True):
    """What a department's system asks for (RFC 6749 4.1.1, RFC 7636, OpenID Connect Core)."""

    client_id: str = ""
    redirect_uri: str = ""
    response_type: str = "code"
    scope: str = "openid"
    code_challenge: str = ""
    code_challenge_method: str = "S256"
    state: str = ""
    nonce: str = ""
    prompt: str = ""
    max_age: str = ""
    acr_values: str = ""
    claims: str = ""
    login_hint: str = ""
    handover: str = ""


class HandoverQuery(msgspec.Struct, frozen=True):
    """The code that the mini-program got from `POST /api/v1/me/handover`."""

    handover: str = ""


class CodeQuery(msgspec.Struct, frozen=True):
    """The code that a browser shows."""

    code: str = ""


class Waiting(msgspec.Struct, frozen=True):
    """How far the sign-in by phone has come."""

    progress: Progress


@endpoint(
    bp,
    "GET",
    "/oauth2/authorize",
    summary=("授权端点", "Authorization endpoint"),
    tag=TAG,
    asks=AuthorizeQuery,
    returns=str,
    content_type=pages.HTML,
    also=[GOES_ON, WRONG_PAGE],
)
@in_browser
async def authorize(request: Request) -> HTTPResponse:
    """Begin to sign a citizen in: code with PKCE S256 only; errors go to registered URIs only."""
    provider, valkey = provider_of(request), services(request).valkey
    said, repeated = query_of(request)
    if "handover" in said:
        return await _take_over_first(request, said)
    client = await find_client(said.get("client_id"))
    if client is None:
        raise PageError(NOT_TO_BE_TRUSTED, "client_id is unknown or disabled")
    asked = read_asked(client, said, repeated)
    who = await browsers.signed_in(request, provider, valkey)
    step = await step_of(request, client, asked, time.time(), who)
    if step is Step.NOTHING and who is not None:
        return await give_code(request, client, asked, who)
    if asked.silent:
        raise sent_back(asked, SILENTLY[step], "no page may be shown, and one would be needed")
    browser = browser_of(request, provider)
    answer = send_to("")
    if browser is None:
        browser = browsers.name_browser(answer, provider)
    request_id = await pending.keep(asked, browser, valkey)
    answer.headers["Location"] = page_of(request_id)
    return answer


@endpoint(
    bp,
    "POST",
    "/oauth2/authorize",
    summary=("授权端点（表单）", "Authorization endpoint, by form"),
    tag=TAG,
    form=AuthorizeQuery,
    returns=str,
    content_type=pages.HTML,
    also=[GOES_ON, WRONG_PAGE],
)
@in_browser
async def authorize_by_form(request: Request) -> HTTPResponse:
    """The same by POST, as OpenID Connect Core 3.1.2.1 wants it; goes on by GET."""
    # A form from another site comes without our cookies; what it is sent on to comes with them.
    try:
        said = request.body.decode("ascii")
    except UnicodeDecodeError:
        said = ""
    if not said.isprintable() or len(said) > LONGEST_QUERY or " " in said or "#" in said:
        raise PageError(NOT_TO_BE_TRUSTED, "the form cannot be read")
    return send_to(f"/oauth2/authorize?{said}")


@endpoint(
    bp,
    "GET",
    "/oauth2/waiting",
    summary=("等待手机确认", "Waiting for the phone"),
    tag=TAG,
    returns=Waiting,
)
async def show_waiting(request: Request) -> HTTPResponse:
    """How far this browser's sign-in by phone has come; its page asks every two seconds."""
    browser = browser_of(request, provider_of(request))
    shown = await phones.look(browser, services(request).valkey) if browser else None
    said = Waiting(shown.progress if shown else "expired")
    return Answer(msgspec.json.encode(said), headers=NOT_STORED, content_type=JSON)


@endpoint(
    bp,
    "GET",
    "/oauth2/session",
    summary=("小程序网页登录", "From the mini-program to its web-view"),
    tag=TAG,
    asks=HandoverQuery,
    returns=str,
    content_type=pages.HTML,
    also=[Also(303, "On to the client's own sign-in, or a page."), WRONG_PAGE],
)
@in_browser
async def take_session(request: Request) -> HTTPResponse:
    """Spend a hand-over code: sign this browser in as whoever is signed in at the mini-program."""
    provider, valkey = provider_of(request), services(request).valkey
    said, _ = query_of(request)
    if _is_from_elsewhere(request):
        return pages.handover_page(provider, f"/oauth2/session?{urlencode(said)}")
    answer = send_to("")
    handover = await browsers.take_over(said.get("handover", ""), answer, provider, valkey)
    if handover is None:
        raise PageError(HANDOVER_OVER, "the hand-over code is unknown, used or over")
    client = await find_client(handover.client)
    if client is not None and client.login_uri is not None:
        # OpenID Connect Core 4: the client begins by itself and comes back to authorize.
        joint = "&" if "?" in client.login_uri else "?"
        issuer = urlencode({"iss": provider.issuer})
        answer.headers["Location"] = f"{client.login_uri}{joint}{issuer}"
        return answer
    answer.headers["Location"] = "/oauth2/signed-in"
    return answer


@endpoint(
    bp,
    "GET",
    "/oauth2/signed-in",
    summary=("已登录页面", "Signed in"),
    tag=TAG,
    returns=str,
    content_type=pages.HTML,
)
@in_browser
async def show_signed_in(request: Request) -> HTTPResponse:
    """A page that says that this browser is signed in, where no client's own page comes next."""
    sentence = ("现在可以使用各部门的系统。", "You can go on to any department's system.")
    return pages.message_page(provider_of(request), ("已登录", "Signed in"), sentence)


@endpoint(
    bp,
    "GET",
    "/oauth2/browser",
    summary=("扫码说明", "What the QR code is for"),
    tag=TAG,
    asks=CodeQuery,
    returns=str,
    content_type=pages.HTML,
)
@in_browser
async def explain_code(request: Request) -> HTTPResponse:
    """The address in the QR code, for who opens it outside the mini-program; changes nothing."""
    sentence = (
        "这是登录二维码，请用“一厅通”小程序的“扫一扫”打开，再确认登录。",
        "This is a sign-in code: scan it inside the Yiting mini-program, then confirm.",
    )
    return pages.message_page(provider_of(request), ("扫码登录", "Sign in by phone"), sentence)


async def _take_over_first(request: Request, said: dict[str, str]) -> HTTPResponse:
    """Spend the hand-over code, then ask the same without it, so that no history keeps it."""
    provider, valkey = provider_of(request), services(request).valkey
    rest = urlencode({name: value for name, value in said.items() if name != "handover"})
    if _is_from_elsewhere(request):
        return pages.handover_page(provider, f"/oauth2/authorize?{urlencode(said)}")
    answer = send_to(f"/oauth2/authorize?{rest}")
    # A code that is over changes nothing: she is shown how to sign in.
    await browsers.take_over(said["handover"], answer, provider, valkey)
    return answer


def _is_from_elsewhere(request: Request) -> bool:
    """Whether another site's link brought her, who might then sign her in as somebody else."""
    return request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
