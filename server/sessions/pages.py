"""Sessions of our pages in a browser: a cookie that no script reads gets access tokens.

A page holds its access token in memory only. Nothing rotates, so two tabs never end each other's
session, and an answer lost on the way loses nothing. All in real time.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

from sanic import Request
from sanic.response import HTTPResponse

from models.database import rows
from models.sessions import PersonKind
from server.auth import Principal, Tokens
from server.errors import NotAllowed
from server.services import services
from server.sessions.tokens import principal_of

Kind = Literal["citizen", "staff"]
# A clerk's browser stands at a counter: it is signed in for a working day.
LIVES: Final[dict[Kind, timedelta]] = {
    "citizen": timedelta(days=30),
    "staff": timedelta(hours=12),
}


async def begin(who: Principal) -> str:
    """A new session of this sign-in; what its cookie holds.

    Raises NotAllowed: a kiosk has no pages.
    """
    if who.kind is PersonKind.KIOSK:
        raise NotAllowed
    name, now = secrets.token_urlsafe(32), datetime.now(UTC)
    await rows(
        """
        INSERT INTO page_session (digest, sign_in_id, issued_at, expires_at)
        VALUES ($1, $2, $3, $4)
        """,
        _digest(name),
        who.sign_in_id,
        now,
        now + LIVES[kind_of(who)],
    )
    return name


async def token_for(request: Request, kind: Kind, tokens: Tokens) -> tuple[str, Principal] | None:
    """An access token for whoever is signed in at this browser; None: nobody is.

    Raises NotAllowed where another site asks.
    """
    name = request.cookies.get(_cookie_name(request, kind))
    if not _is_from_here(request):
        raise NotAllowed
    if not name:
        return None
    found = await rows(
        """
        SELECT s.id, s.person_kind, COALESCE(a.citizen_id, s.person_id) AS person_id,
               staff.role, staff.halls, staff.levels, staff.demo, staff.password_expires_at,
               staff.totp_confirmed_at
        FROM page_session p JOIN sign_in s ON s.id = p.sign_in_id
        LEFT JOIN citizen_alias a ON a.id = s.person_id
        LEFT JOIN staff ON staff.id = s.person_id AND NOT staff.disabled
        WHERE p.digest = $1 AND p.expires_at > $2 AND s.ended_at IS NULL
        """,
        _digest(name),
        datetime.now(UTC),
    )
    if not found or (found[0]["person_kind"] == PersonKind.STAFF and found[0]["role"] is None):
        return None
    who = principal_of(found[0])
    return tokens.issue(who), who


def kind_of(who: Principal) -> Kind:
    """Whose pages: a browser may be signed in as both."""
    return "staff" if who.kind is PersonKind.STAFF else "citizen"


def give_cookie(request: Request, response: HTTPResponse, kind: Kind, name: str) -> None:
    """Let the browser keep the session: strictly for our own pages, unread by scripts."""
    secure = _is_https(request)
    response.add_cookie(
        _cookie_name(request, kind),
        name,
        path="/",
        httponly=True,
        secure=secure,
        samesite="Strict",
        host_prefix=secure,
        max_age=int(LIVES[kind].total_seconds()) if name else 0,
    )


def _cookie_name(request: Request, kind: Kind) -> str:
    return f"{'__Host-' if _is_https(request) else ''}yiting-page-{kind}"


def _is_https(request: Request) -> bool:
    return services(request).settings.issuer.startswith("https://")


def _is_from_here(request: Request) -> bool:
    """Whether a page of ours asks, as far as the browser tells: the second lock against CSRF."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
