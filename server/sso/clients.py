"""Departments' systems as registered, and how they prove who they are."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote_plus
from uuid import UUID

import asyncpg

from models.database import rows
from models.sso import Fact
from server.sso.errors import InvalidClient, OAuthError

SCOPES = ("openid", "profile", "phone", "identity")
LONGEST_CODE = 40


@dataclass(frozen=True, slots=True)
class Client:
    """A department's system. `code` is its `client_id`."""

    id: UUID
    code: str
    name: str
    name_en: str | None
    sector: str
    scopes: tuple[str, ...]
    full_name: bool
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    login_uri: str | None
    public: bool
    may_bill: bool
    may_handle_cases: bool
    disabled: bool
    secret_digests: tuple[str, ...]

    def facts(self, scopes: Sequence[str]) -> tuple[Fact, ...]:
        """What it learns by these scopes, as far as it may."""
        learned = {
            "openid": Fact.SUBJECT,
            "profile": Fact.FULL_NAME if self.full_name else Fact.MASKED_NAME,
            "phone": Fact.PHONE,
            "identity": Fact.ID_NUMBER,
        }
        return tuple(learned[scope] for scope in self.scopes if scope in scopes)


def client_of(row: asyncpg.Record) -> Client:
    """A client out of its row, with the secrets that are good now."""
    digests = [row["secret_digest"]]
    if row["old_secret_until"] is not None and row["old_secret_until"] > datetime.now(UTC):
        digests.append(row["old_secret_digest"])
    return Client(
        id=row["id"],
        code=row["code"],
        name=row["name"],
        name_en=row["name_en"],
        sector=row["sector"],
        scopes=tuple(scope for scope in SCOPES if scope in row["scopes"]),
        full_name=row["full_name"],
        redirect_uris=tuple(row["redirect_uris"]),
        post_logout_redirect_uris=tuple(row["post_logout_redirect_uris"]),
        login_uri=row["login_uri"],
        public=row["public"],
        may_bill=row["may_bill"],
        may_handle_cases=row["may_handle_cases"],
        disabled=row["disabled"],
        secret_digests=tuple(digest for digest in digests if digest is not None),
    )


async def find_client(code: str | None) -> Client | None:
    """The client of that code unless it is disabled."""
    if not code or len(code) > LONGEST_CODE or "\0" in code:
        return None
    found = await rows("SELECT * FROM sso_client WHERE code = $1 AND NOT disabled", code)
    return client_of(found[0]) if found else None


def new_secret() -> str:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256 of a random secret or token: what is stored of it.

    A slow hash would protect no more: nobody guesses 256 random bits.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


async def authenticate(authorization: str | None, form: Mapping[str, str]) -> Client:
    """Who asks at the token endpoint: `client_secret_basic`, `client_secret_post`, or public.

    Raises InvalidClient, or OAuthError when two methods are used at once (RFC 6749, 2.3).
    """
    code, secret = _presented(authorization, form)
    client = await find_client(code)
    if client is None:
        raise InvalidClient(challenge=authorization is not None)
    if client.public:
        if secret is not None:
            raise InvalidClient(challenge=authorization is not None)
        return client
    if secret is None or not _is_secret(client, secret):
        raise InvalidClient(challenge=authorization is not None)
    return client


def _presented(authorization: str | None, form: Mapping[str, str]) -> tuple[str, str | None]:
    """The client id and secret that the request bears."""
    if authorization is None:
        return form.get("client_id", ""), form.get("client_secret")
    if "client_secret" in form:
        raise OAuthError("invalid_request", "use one way of client authentication, not two")
    code, secret = _basic(authorization)
    if form.get("client_id", code) != code:
        raise InvalidClient(challenge=True)
    return code, secret


def _basic(authorization: str) -> tuple[str, str]:
    """RFC 6749, 2.3.1: both parts are form-encoded before they are joined and base64-encoded."""
    scheme, _, text = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        code, colon, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        raise InvalidClient(challenge=True) from None
    if not colon:
        raise InvalidClient(challenge=True)
    return unquote_plus(code), unquote_plus(secret)


def _is_secret(client: Client, secret: str) -> bool:
    presented = digest(secret)
    return any(hmac.compare_digest(presented, known) for known in client.secret_digests)
