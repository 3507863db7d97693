"""Signing in to a department's system, as a citizen's browser walks it."""

import time
from typing import Annotated
from urllib.parse import urlencode

import msgspec
import structlog
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from models import sso_people
from models.identifiers import mask_name, mask_phone
from models.joined import NoSuchCitizen
from models.knowing import known
from models.sso import Fact
from server.http.answers import JSON, Answer
from server.http.endpoint import Also, endpoint
from server.services import services
from server.sso import browsers, consents, grants, pages, pending, phones
from server.sso.asking import LONGEST_QUERY, NOT_TO_BE_TRUSTED, Asked, answer_url, read_asked
from server.sso.browsers import SignedIn, browser_of
from server.sso.claims import with_implied
from server.sso.clients import Client, find_client
from server.sso.errors import NOT_STORED, ErrorCode, PageError, SentBack
from server.sso.pending import Pending, Step
from server.sso.phones import Progress
from server.sso.rooms import form_of, in_browser, provider_of, query_of, send_to

log = structlog.get_logger()
bp = Blueprint("sso_browser")
TAG = "single_sign_on"
OVER = (
    "这个登录页面已过期，请返回原来的网站重新登录。",
    "This sign-in page is over; go back to the site you came from and sign in again.",
)
HANDOVER_OVER = (
    "登录链接已用过或已过期，请在小程序中重新打开。",
    "This link was used or is over; open it again from the mini-program.",
)
WRONG_PAGE = Also(400, "A page that says what is wrong.", str, pages.HTML)
GOES_ON = Also(303, "On to the next page, or back to the client with `code` or `error`.")
# What is answered to `prompt=none`, where a page would be shown (OpenID Connect Core 3.1.2.6).
_SILENTLY: dict[Step, ErrorCode] = {
    Step.SIGN_IN: "login_required",
    Step.ANOTHER_PERSON: "login_required",
    Step.LEVEL: "unmet_authentication_requirements",
    Step.CONSENT: "consent_required",
}


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


class RequestQuery(msgspec.Struct, frozen=True):
    """Which request of this browser."""

    request: str = ""


class HandoverQuery(msgspec.Struct, frozen=True):
    """The code that the mini-program got from `POST /api/v1/me/handover`."""

    handover: str = ""


class CodeQuery(msgspec.Struct, frozen=True):
    """The code that a browser shows."""

    code: str = ""


class Decision(msgspec.Struct, frozen=True):
    """A form of our own pages."""

    request: str
    form_token: str
    decision: Annotated[str, msgspec.Meta(description="agree, refuse or switch")]


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
    step = await _step(request, client, asked, time.time(), who)
    if step is Step.NOTHING and who is not None:
        return await _give_code(request, client, asked, who)
    if asked.silent:
        raise _back(asked, _SILENTLY[step], "no page may be shown, and one would be needed")
    browser = browser_of(request, provider)
    answer = send_to("")
    if browser is None:
        browser = browsers.name_browser(answer, provider)
    request_id = await pending.keep(asked, browser, valkey)
    answer.headers["Location"] = _page_of(request_id)
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
    "/oauth2/continue",
    summary=("登录、认证与授权页面", "Pages of signing in and consent"),
    tag=TAG,
    asks=RequestQuery,
    returns=str,
    content_type=pages.HTML,
    also=[GOES_ON, WRONG_PAGE],
)
@in_browser
async def show_next(request: Request) -> HTTPResponse:
    """The page that a request waits for: sign in, prove more, agree; or on to the client."""
    provider, valkey = provider_of(request), services(request).valkey
    said, _ = query_of(request)
    request_id, waiting, client = await _pending(request, said.get("request", ""))
    confirmed = await phones.take_sign_in(waiting.browser, valkey)
    if confirmed is not None and confirmed.sign_in_id is not None:
        answer = send_to(_page_of(request_id))
        await browsers.start_session(
            answer,
            provider,
            valkey,
            sign_in_id=confirmed.sign_in_id,
            auth_time=confirmed.auth_time,
            methods=confirmed.methods,
        )
        return answer
    who = await browsers.signed_in(request, provider, valkey)
    asked = waiting.asked
    step = await _step(request, client, asked, waiting.began, who)
    form_token = provider.form_token(request_id, _shown_to(who, waiting))
    if step is Step.SIGN_IN or who is None:
        shown = await phones.look(waiting.browser, valkey)
        if shown is not None and shown.progress == "refused":
            await phones.forget(waiting.browser, valkey)
            raise await _ended(request, request_id, asked, "access_denied", "refused on the phone")
        device = browsers.device_of(request)
        shown = await phones.show_code(waiting.browser, client, device, valkey)
        return pages.sign_in_page(provider, client, request_id, form_token, shown.code)
    if step is Step.ANOTHER_PERSON:
        reason = "somebody else is signed in"
        raise await _ended(request, request_id, asked, "login_required", reason)
    if step is Step.LEVEL:
        return pages.level_page(
            provider, client, request_id, form_token, has=who.level, needs=asked.level
        )
    if step is Step.CONSENT:
        return pages.consent_page(
            provider,
            client,
            client.facts(asked.scopes),
            request_id,
            form_token,
            name=await _name_of(request, who),
            level=who.level,
        )
    return await _finish(request, request_id, client, asked, who)


@endpoint(
    bp,
    "POST",
    "/oauth2/continue",
    summary=("同意或拒绝授权", "Agree or refuse"),
    tag=TAG,
    form=Decision,
    returns=str,
    content_type=pages.HTML,
    also=[GOES_ON, WRONG_PAGE],
)
@in_browser
async def decide(request: Request) -> HTTPResponse:
    """What a citizen chose on one of our pages; taken only from the very page shown to her."""
    provider, valkey = provider_of(request), services(request).valkey
    said = form_of(request)
    request_id, waiting, client = await _pending(request, said.get("request", ""))
    who = await browsers.signed_in(request, provider, valkey)
    form_token = provider.form_token(request_id, _shown_to(who, waiting))
    is_ours = browsers.is_from_here(request, provider)
    if not is_ours or not browsers.same(said.get("form_token", ""), form_token):
        raise PageError(OVER, "this form is not of the page that was shown")
    asked = waiting.asked
    step = await _step(request, client, asked, waiting.began, who)
    decision = said.get("decision")
    if decision == "refuse":
        error: ErrorCode = _SILENTLY[step] if step is Step.LEVEL else "access_denied"
        raise await _ended(request, request_id, asked, error, "the citizen refused")
    if decision == "switch" and who is not None:
        answer = send_to(_page_of(request_id))
        await browsers.leave_session(request, answer, provider, valkey)
        return answer
    if decision != "agree" or who is None or step not in {Step.CONSENT, Step.NOTHING}:
        return send_to(_page_of(request_id))
    await consents.consent(who.citizen_id, client.id, client.facts(asked.scopes))
    return await _finish(request, request_id, client, asked, who)


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


# --- steps of these --------------------------------------------------------------------------


async def _pending(request: Request, request_id: str) -> tuple[str, Pending, Client]:
    """A request of this browser and its client. Raises PageError when there is none."""
    browser = browser_of(request, provider_of(request))
    waiting = await pending.find(request_id, browser, services(request).valkey)
    client = await find_client(waiting.asked.client) if waiting else None
    if waiting is None or client is None:
        raise PageError(OVER, "no such request of this browser")
    # The client may have been changed meanwhile.
    if waiting.asked.redirect_uri not in client.redirect_uris:
        raise PageError(OVER, "redirect_uri is not registered any more")
    return request_id, waiting, client


async def _step(
    request: Request, client: Client, asked: Asked, began: float, who: SignedIn | None
) -> Step:
    provider = provider_of(request)
    consented: frozenset[Fact] = frozenset()
    subject = None
    if who is not None:
        consented = with_implied(await consents.consented(who.citizen_id, client.id))
        subject = await sso_people.subject_in(client.sector, who.citizen_id)
        subject = subject or provider.subject(client.sector, who.citizen_id)
    return pending.next_step(
        asked,
        began,
        who,
        subject=subject,
        consented=consented,
        facts=client.facts(asked.scopes),
    )


async def _finish(
    request: Request, request_id: str, client: Client, asked: Asked, who: SignedIn
) -> HTTPResponse:
    if not await pending.finish(request_id, services(request).valkey):
        raise PageError(OVER, "the request has just been answered")
    return await _give_code(request, client, asked, who)


async def _give_code(request: Request, client: Client, asked: Asked, who: SignedIn) -> HTTPResponse:
    provider = provider_of(request)
    code = await grants.give_code(client, asked, who, provider, services(request).valkey)
    log.info("sso_code_given", client=client.code, level=who.level)
    return send_to(answer_url(asked.redirect_uri, provider.issuer, asked.state, code=code))


async def _ended(
    request: Request, request_id: str, asked: Asked, error: ErrorCode, description: str
) -> Exception:
    """The request is over: what the client is told, or a page when it was answered already."""
    if not await pending.finish(request_id, services(request).valkey):
        return PageError(OVER, "the request has just been answered")
    return _back(asked, error, description)


def _back(asked: Asked, error: ErrorCode, description: str) -> SentBack:
    return SentBack(asked.redirect_uri, asked.state, error, description)


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


def _page_of(request_id: str) -> str:
    return f"/oauth2/continue?{urlencode({'request': request_id})}"


def _shown_to(who: SignedIn | None, waiting: Pending) -> str:
    return str(who.session.id) if who else waiting.browser


async def _name_of(request: Request, who: SignedIn) -> str:
    """How the page names her: enough to notice a stranger's account."""
    try:
        her = await known(None, services(request).sealer, who.citizen_id)
    except NoSuchCitizen:
        raise PageError(OVER, "the account was closed") from None
    parts = [mask_name(her.name)] if her.name else []
    parts += [mask_phone(her.phone)] if her.phone else []
    channel = {"wechat": "微信 WeChat", "alipay": "支付宝 Alipay"}.get(who.session.methods[0])
    return " · ".join(parts) or f"{channel or '小程序 Mini-program'} 用户"
