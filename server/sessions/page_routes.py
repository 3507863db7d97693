"""Sessions of our pages over HTTP."""

from typing import Literal

import msgspec
from sanic import Blueprint, HTTPResponse, Request

from models.staff import Role
from server.auth import ACCESS_TOKEN_S, SIGNED_IN_AT_ALL, Principal
from server.errors import NotAllowed
from server.http.answers import JSON
from server.http.endpoint import Also, endpoint
from server.services import services
from server.sessions import pages
from server.sessions.pages import Kind

bp = Blueprint("page_sessions", url_prefix="/api/v1")
_NOT_STORED = {"Cache-Control": "no-store"}


class PageKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose pages ask: a browser may be signed in as a citizen and as staff."""

    kind: Kind


class PageToken(msgspec.Struct, frozen=True):
    """An access token for a page's memory; it lives `expires_in` seconds. `role` is of staff."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    role: Role | None
    halls: list[str]


@endpoint(
    bp,
    "POST",
    "/sessions/page",
    summary=("网页保持登录", "Keep a page signed in"),
    tag="sessions",
    guard=SIGNED_IN_AT_ALL,
    status=204,
    refuses=[NotAllowed],
)
async def keep_page(request: Request, who: Principal) -> HTTPResponse:
    """Sets a cookie that lets our pages in this browser get access tokens for this sign-in.

    No script reads it, other sites cannot send it, and it is over as soon as the sign-in is.
    """
    response = HTTPResponse(status=204, headers=dict(_NOT_STORED))
    pages.give_cookie(request, response, pages.kind_of(who), await pages.begin(who))
    return response


@endpoint(
    bp,
    "POST",
    "/sessions/page/token",
    summary=("网页取得令牌", "An access token for a page"),
    tag="sessions",
    body=PageKind,
    returns=PageToken,
    refuses=[NotAllowed],
    also=[Also(204, "Nobody is signed in at this browser.")],
)
async def token_for_page(request: Request, body: PageKind) -> HTTPResponse:
    """For whoever is signed in at this browser, 204 where nobody is; only our pages may ask."""
    found = await pages.token_for(request, body.kind, services(request).tokens)
    if found is None:
        return HTTPResponse(status=204, headers=dict(_NOT_STORED))
    token, who = found
    said = PageToken(token, "Bearer", ACCESS_TOKEN_S, who.role, sorted(who.halls))
    # Not an `Answer`: those remember their headers, and this is secret.
    return HTTPResponse(msgspec.json.encode(said), headers=dict(_NOT_STORED), content_type=JSON)
