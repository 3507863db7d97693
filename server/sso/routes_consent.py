"""The pages on the way to a code: sign in, prove more, agree or refuse."""

from typing import Annotated

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from models.identifiers import mask_name, mask_phone
from models.joined import NoSuchCitizen
from models.knowing import known
from server.http.endpoint import endpoint
from server.services import services
from server.sso import browsers, consents, pages, phones
from server.sso.browsers import SignedIn
from server.sso.errors import ErrorCode, PageError
from server.sso.pending import Pending, Step
from server.sso.rooms import form_of, in_browser, provider_of, query_of, send_to
from server.sso.steps import (
    GOES_ON,
    OVER,
    SILENTLY,
    WRONG_PAGE,
    ended,
    finish,
    page_of,
    pending_of,
    step_of,
)

bp = Blueprint("sso_consent")
TAG = "single_sign_on"


class RequestQuery(msgspec.Struct, frozen=True):
    """Which request of this browser."""

    request: str = ""


class Decision(msgspec.Struct, frozen=True):
    """A form of our own pages."""

    request: str
    form_token: str
    decision: Annotated[str, msgspec.Meta(description="agree, refuse or switch")]


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
    request_id, waiting, client = await pending_of(request, said.get("request", ""))
    confirmed = await phones.take_sign_in(waiting.browser, valkey)
    if confirmed is not None and confirmed.sign_in_id is not None:
        answer = send_to(page_of(request_id))
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
    step = await step_of(request, client, asked, waiting.began, who)
    form_token = provider.form_token(request_id, _shown_to(who, waiting))
    if step is Step.SIGN_IN or who is None:
        shown = await phones.look(waiting.browser, valkey)
        if shown is not None and shown.progress == "refused":
            await phones.forget(waiting.browser, valkey)
            raise await ended(request, request_id, asked, "access_denied", "refused on the phone")
        device = browsers.device_of(request)
        shown = await phones.show_code(waiting.browser, client, device, valkey)
        return pages.sign_in_page(provider, client, request_id, form_token, shown.code)
    if step is Step.ANOTHER_PERSON:
        reason = "somebody else is signed in"
        raise await ended(request, request_id, asked, "login_required", reason)
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
    return await finish(request, request_id, client, asked, who)


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
    request_id, waiting, client = await pending_of(request, said.get("request", ""))
    who = await browsers.signed_in(request, provider, valkey)
    form_token = provider.form_token(request_id, _shown_to(who, waiting))
    is_ours = browsers.is_from_here(request, provider)
    if not is_ours or not browsers.same(said.get("form_token", ""), form_token):
        raise PageError(OVER, "this form is not of the page that was shown")
    asked = waiting.asked
    step = await step_of(request, client, asked, waiting.began, who)
    decision = said.get("decision")
    if decision == "refuse":
        error: ErrorCode = SILENTLY[step] if step is Step.LEVEL else "access_denied"
        raise await ended(request, request_id, asked, error, "the citizen refused")
    if decision == "switch" and who is not None:
        answer = send_to(page_of(request_id))
        await browsers.leave_session(request, answer, provider, valkey)
        return answer
    if decision != "agree" or who is None or step not in {Step.CONSENT, Step.NOTHING}:
        return send_to(page_of(request_id))
    await consents.consent(who.citizen_id, client.id, client.facts(asked.scopes))
    return await finish(request, request_id, client, asked, who)


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
