"""Pages: static HTML and modules that use the public API and the one socket, nothing else."""

from datetime import datetime

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from scheduler.calendar import SHANGHAI
from server.errors import NotFound
from server.http.addresses import check_address
from server.http.endpoint import endpoint
from server.services import services
from server.web.files import CACHED, POLICY, STATIC, file_answer, page, serve_file, version

bp = Blueprint("pages")
# Where only programs ask: the API and what stands at the root beside it.
NO_PAGES = ("/api/", "/oauth2/", "/.well-known/", "/open/", "/callbacks/")
# For programs that come to the index (RFC 8631).
LINKS = (
    '</docs/openapi.json>; rel="service-desc"; type="application/json", '
    '</docs>; rel="service-doc"; type="text/html", '
    '</readyz>; rel="status"; type="application/json"'
)


class About(msgspec.Struct, frozen=True):
    """What the pages must know of this server.

    `now` is the business clock, which runs `clock_speed` times as fast as a real one;
    `sandbox_url` is null outside the demo. `pays_by_form`: channels whose payments a browser makes
    by posting a form to their own page.
    """

    mode: str
    sandbox_url: str | None
    pays_by_form: list[str]
    now: datetime
    clock_speed: float


@page(bp, "/", name="index")
async def index(request: Request) -> HTTPResponse:
    """The citizen's pages: one document, whose views are named after the `#`."""
    host = services(request).platforms.payment_host
    # Who pays in a browser posts a signed form to the channel's own page.
    policy = POLICY.replace("form-action 'self'", f"form-action 'self' {host}") if host else POLICY
    return serve_file(request, STATIC, "citizen.html", policy=policy, more={"Link": LINKS})


@page(bp, "/about", name="about_page")
async def about_page(request: Request) -> HTTPResponse:
    """The city at a glance, and where everything is that is not for citizens."""
    return serve_file(request, STATIC, "index.html", more={"Link": LINKS})


@page(bp, "/province/back", name="signed_in_page")
async def signed_in(request: Request) -> HTTPResponse:
    """Where the province sends a citizen's browser back to, with a code that her page spends."""
    return serve_file(request, STATIC, "signed-in.html")


@page(bp, "/payments/back", name="paid_page", methods=("GET", "HEAD", "POST"))
async def paid(request: Request) -> HTTPResponse:
    """Where a channel's own page sends her browser back to; what came of it the bill tells.

    UnionPay's browser posts what it says here; it is not read: only what is signed and comes to
    the callback, or is asked for, settles anything.
    """
    check_address(request)
    return redirect("/#/bills", status=303)


@page(bp, "/sw.js", name="service_worker")
async def service_worker(request: Request) -> HTTPResponse:
    """The worker that lets pages open without a network; its scope is the whole server."""
    return serve_file(request, STATIC, "sw.js")


def page_for(request: Request, fault: Exception) -> HTTPResponse | None:
    """What a browser shows where there is no page; None for programs, and for the API's addresses.

    For the answer to a request that is refused and counted already.
    """
    if not isinstance(fault, NotFound) or request.path.startswith(NO_PAGES):
        return None
    if "text/html" not in request.headers.get("accept", "").lower():
        return None
    return file_answer(request, STATIC, "not-found.html", status=404, more={"Vary": "Accept"})


@page(bp, "/board/<hall:str>", name="board_page")
async def board(request: Request, hall: str) -> HTTPResponse:
    """The wall board of a hall."""
    try:
        services(request).directory.hall(hall)
    except NotFound:
        return serve_file(request, STATIC, "no-hall.html", status=404)
    return serve_file(request, STATIC, "board.html")


@page(bp, "/counter", name="counter_page")
async def counter(request: Request) -> HTTPResponse:
    """The counter console: which counter of which hall is told after the `#` of the address."""
    return serve_file(request, STATIC, "counter.html")


@page(bp, "/manager", name="manager_page")
async def manager(request: Request) -> HTTPResponse:
    """The page of whoever manages a hall, which is told after the `#` of the address."""
    return serve_file(request, STATIC, "manager.html")


@page(bp, "/t", name="ticket_page")
async def ticket(request: Request) -> HTTPResponse:
    """A ticket that somebody follows; which one is told after the `#` of the address."""
    return serve_file(request, STATIC, "ticket.html")


@endpoint(
    bp,
    "GET",
    "/about.json",
    summary=("服务信息", "About this server"),
    tag="operations",
    returns=About,
    from_memory=True,
)
async def about(request: Request) -> About:
    """Demo or production, the sandbox's address, and the business time."""
    room = services(request)
    demo = room.settings.mode == "demo"
    return About(
        mode=room.settings.mode,
        sandbox_url=room.settings.sandbox_url if demo else None,
        pays_by_form=[name for name in ("unionpay",) if name in room.platforms.payments],
        now=room.clock.now().astimezone(SHANGHAI),
        clock_speed=room.clock.speed,
    )


@page(bp, "/assets/<name:str>", name="assets")
async def assets(request: Request, name: str) -> HTTPResponse:
    """Styles and modules of the pages."""
    return serve_file(request, STATIC, name)


@page(bp, "/assets/<of:str>/<name:path>", name="assets_of_a_version")
async def assets_of_a_version(request: Request, of: str, name: str) -> HTTPResponse:
    """The same as the pages of that version name them, to be kept; of another one as they are."""
    more = {"Cache-Control": CACHED} if of == version() else None
    return serve_file(request, STATIC, name, more=more)
