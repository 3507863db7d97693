"""From what a client asks to the code that it gets: the steps, and how each way ends."""

from urllib.parse import urlencode

import structlog
from sanic import Request
from sanic.response import HTTPResponse

from models import sso_people
from models.sso import Fact
from server.http.endpoint import Also
from server.services import services
from server.sso import consents, grants, pages, pending
from server.sso.asking import Asked, answer_url
from server.sso.browsers import SignedIn, browser_of
from server.sso.claims import with_implied
from server.sso.clients import Client, find_client
from server.sso.errors import ErrorCode, PageError, SentBack
from server.sso.pending import Pending, Step
from server.sso.rooms import provider_of, send_to

log = structlog.get_logger()
OVER = (
    "这个登录页面已过期，请返回原来的网站重新登录。",
    "This sign-in page is over; go back to the site you came from and sign in again.",
)
WRONG_PAGE = Also(400, "A page that says what is wrong.", str, pages.HTML)
GOES_ON = Also(303, "On to the next page, or back to the client with `code` or `error`.")
# What is answered to `prompt=none`, where a page would be shown (OpenID Connect Core 3.1.2.6).
SILENTLY: dict[Step, ErrorCode] = {
    Step.SIGN_IN: "login_required",
    Step.ANOTHER_PERSON: "login_required",
    Step.LEVEL: "unmet_authentication_requirements",
    Step.CONSENT: "consent_required",
}


async def pending_of(request: Request, request_id: str) -> tuple[str, Pending, Client]:
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


async def step_of(
    request: Request, client: Client, asked: Asked, began: float, who: SignedIn | None
) -> Step:
    """What stands between this browser and its code."""
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


async def finish(
    request: Request, request_id: str, client: Client, asked: Asked, who: SignedIn
) -> HTTPResponse:
    """Answer a request with a code, once. Raises PageError when it was answered already."""
    if not await pending.finish(request_id, services(request).valkey):
        raise PageError(OVER, "the request has just been answered")
    return await give_code(request, client, asked, who)


async def give_code(request: Request, client: Client, asked: Asked, who: SignedIn) -> HTTPResponse:
    """Send her back to the client with a code."""
    provider = provider_of(request)
    code = await grants.give_code(client, asked, who, provider, services(request).valkey)
    log.info("sso_code_given", client=client.code, level=who.level)
    return send_to(answer_url(asked.redirect_uri, provider.issuer, asked.state, code=code))


async def ended(
    request: Request, request_id: str, asked: Asked, error: ErrorCode, description: str
) -> Exception:
    """The request is over: what the client is told, or a page when it was answered already."""
    if not await pending.finish(request_id, services(request).valkey):
        return PageError(OVER, "the request has just been answered")
    return sent_back(asked, error, description)


def sent_back(asked: Asked, error: ErrorCode, description: str) -> SentBack:
    """An error, told to the client by way of the browser."""
    return SentBack(asked.redirect_uri, asked.state, error, description)


def page_of(request_id: str) -> str:
    """Where the pages of a request are."""
    return f"/oauth2/continue?{urlencode({'request': request_id})}"
