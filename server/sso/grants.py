"""Codes, and the tokens they turn into. All in real time.

A code is in Valkey for a minute; its grant is a row from the start, so that the first to redeem it
is decided by PostgreSQL, and whoever comes second ends what the first was given.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import redis.asyncio as aioredis
from uuid_utils.compat import uuid7

from models import sso_people
from models.database import Transaction, rows, transaction
from models.joined import held
from models.sso import Fact, TokenKind
from server.sso.asking import Asked, proves
from server.sso.browsers import SignedIn
from server.sso.claims import with_implied
from server.sso.clients import Client, client_of, digest
from server.sso.errors import ErrorCode, InvalidToken, OAuthError
from server.sso.provider import Provider

CODE_S = 60
# A spent code is remembered for so long, to notice that it is used again.
SPENT_CODE_S = 3600
ACCESS_S = 10 * 60
REFRESH_LIVES = timedelta(days=30)


class Code(msgspec.Struct, frozen=True):
    """What a code stands for; `until` is Unix time."""

    grant_id: UUID
    client: str
    redirect_uri: str
    challenge: str
    nonce: str | None
    until: float


@dataclass(frozen=True, slots=True)
class Given:
    """What the token endpoint gives."""

    access_token: str
    refresh_token: str
    id_token: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an access token opens: whose facts, and which."""

    client_id: UUID
    subject: str
    citizen_id: UUID
    facts: frozenset[Fact]


_read_code = msgspec.json.Decoder(Code).decode
_WRONG_CODE: tuple[ErrorCode, str] = (
    "invalid_grant",
    "the code is wrong, used, expired or not for this request",
)
_WRONG_REFRESH: tuple[ErrorCode, str] = (
    "invalid_grant",
    "the refresh token is wrong, used, expired or revoked",
)
# A grant that is not over, locked: whoever comes next sees what was done with it.
_LOCK_GRANT = """
SELECT g.* FROM sso_grant g
JOIN sign_in s ON s.id = g.sign_in_id
JOIN sso_client c ON c.id = g.client_id
WHERE g.id = $1 AND g.ended_at IS NULL AND s.ended_at IS NULL AND NOT c.disabled
FOR UPDATE OF g
"""
_ALLOWED = """
SELECT g.subject, g.facts, t.scopes AS asked, s.person_id,
       c.id, c.code, c.name, c.name_en, c.sector, c.scopes, c.full_name, c.redirect_uris,
       c.post_logout_redirect_uris, c.login_uri, c.public, c.may_bill, c.may_handle_cases,
       c.disabled, c.secret_digest, c.old_secret_digest, c.old_secret_until
FROM sso_token t
JOIN sso_grant g ON g.id = t.grant_id
JOIN sign_in s ON s.id = g.sign_in_id
JOIN sso_client c ON c.id = g.client_id
WHERE t.digest = $1 AND t.kind = 'access' AND t.expires_at > $2
  AND g.ended_at IS NULL AND s.ended_at IS NULL AND NOT c.disabled
"""


# --- codes -----------------------------------------------------------------------------------


async def give_code(
    client: Client, asked: Asked, who: SignedIn, provider: Provider, valkey: aioredis.Redis
) -> str:
    """A code for CODE_S seconds, bound to client, redirect URI and challenge."""
    grant_id = uuid7()
    session = who.session
    async with transaction() as tx:
        me = await held(tx, who.citizen_id)
        computed = provider.subject(client.sector, me)
        subject = await sso_people.name_in(tx, client.sector, me, computed)
        await tx.run(
            """
            INSERT INTO sso_grant (id, client_id, sign_in_id, session_id, sid, subject, scopes,
                                   facts, level, methods, auth_time, issued_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """,
            grant_id,
            client.id,
            session.sign_in_id,
            session.id,
            provider.sid(client.code, session.id),
            subject,
            list(asked.scopes),
            [fact.value for fact in client.facts(asked.scopes)],
            who.level,
            list(session.methods),
            datetime.fromtimestamp(session.auth_time, UTC),
            datetime.now(UTC),
        )
    code = secrets.token_urlsafe(32)
    kept = Code(
        grant_id=grant_id,
        client=client.code,
        redirect_uri=asked.redirect_uri,
        challenge=asked.challenge,
        nonce=asked.nonce,
        until=time.time() + CODE_S,
    )
    await valkey.set(_code_key(code), msgspec.json.encode(kept), ex=CODE_S)
    return code


async def redeem(
    client: Client,
    code: str,
    *,
    redirect_uri: str,
    verifier: str | None,
    provider: Provider,
    valkey: aioredis.Redis,
) -> Given:
    """Turn a code into tokens, once. Raises OAuthError; a second time ends what the first gave."""
    kept = await valkey.get(_code_key(code))
    found = _read_code(kept) if kept is not None else None
    # Somebody else's client neither spends a code nor ends anything by it.
    if found is None or found.client != client.code:
        raise OAuthError(*_WRONG_CODE)
    is_proven = (
        redirect_uri == found.redirect_uri
        and proves(verifier, found.challenge)
        and found.until > time.time()
    )
    given = None
    async with transaction() as tx:
        grant = await tx.row(_LOCK_GRANT, found.grant_id)
        if grant is not None and grant["redeemed_at"] is not None:
            await _end(tx, grant["id"], "code_reused")
        elif grant is not None and is_proven:
            await tx.run(
                "UPDATE sso_grant SET redeemed_at = $2 WHERE id = $1",
                grant["id"],
                datetime.now(UTC),
            )
            given = await _give(tx, client, grant, grant["scopes"], provider, nonce=found.nonce)
    if given is None:
        raise OAuthError(*_WRONG_CODE)
    await valkey.expire(_code_key(code), SPENT_CODE_S)
    return given


# --- tokens ----------------------------------------------------------------------------------


async def refresh(client: Client, token: str, scope: str | None, provider: Provider) -> Given:
    """Spend a refresh token for new tokens. Raises OAuthError; a second time ends the grant."""
    given = None
    async with transaction() as tx:
        row = await tx.row(
            """
            SELECT t.digest, t.used_at, t.expires_at, t.scopes, t.grant_id FROM sso_token t
            JOIN sso_grant g ON g.id = t.grant_id
            WHERE t.digest = $1 AND t.kind = 'refresh' AND g.client_id = $2 FOR UPDATE OF t
            """,
            digest(token),
            client.id,
        )
        grant = await tx.row(_LOCK_GRANT, row["grant_id"]) if row is not None else None
        now = datetime.now(UTC)
        if row is None or grant is None or row["expires_at"] <= now:
            raise OAuthError(*_WRONG_REFRESH)
        if row["used_at"] is not None:
            await _end(tx, grant["id"], "refresh_token_reused")
        else:
            scopes = _fewer(row["scopes"], scope)
            await tx.run("UPDATE sso_token SET used_at = $2 WHERE digest = $1", row["digest"], now)
            given = await _give(tx, client, grant, scopes, provider)
    if given is None:
        raise OAuthError(*_WRONG_REFRESH)
    return given


async def revoke(client: Client, token: str) -> None:
    """End the whole grant of a token of this client; what is none of its tokens is passed over.

    RFC 7009, 2.1 and 2.2: an access token may take its refresh token with it.
    """
    async with transaction() as tx:
        row = await tx.row(
            """
            SELECT t.grant_id FROM sso_token t JOIN sso_grant g ON g.id = t.grant_id
            WHERE t.digest = $1 AND g.client_id = $2
            """,
            digest(token),
            client.id,
        )
        if row is not None:
            await _end(tx, row["grant_id"], "revoked")


async def allowed(token: str) -> Allowed:
    """What an access token opens. Raises InvalidToken."""
    found = await rows(_ALLOWED, digest(token), datetime.now(UTC))
    if not found:
        raise InvalidToken(given=True)
    row = found[0]
    granted = with_implied(Fact(fact) for fact in row["facts"])
    # What she agreed to, of that what was asked for, and of that what the client may have today.
    facts = granted.intersection(client_of(row).facts(row["asked"]))
    return Allowed(row["id"], row["subject"], row["person_id"], facts)


async def _give(
    tx: Transaction,
    client: Client,
    grant: asyncpg.Record,
    scopes: Sequence[str],
    provider: Provider,
    *,
    nonce: str | None = None,
) -> Given:
    access = await _new_token(tx, grant["id"], TokenKind.ACCESS, scopes)
    refresh_token = await _new_token(tx, grant["id"], TokenKind.REFRESH, scopes)
    claims: dict[str, Any] = {
        "aud": client.code,
        "sub": grant["subject"],
        "sid": grant["sid"],
        "auth_time": int(grant["auth_time"].timestamp()),
        "acr": str(grant["level"]),
        "amr": list(grant["methods"]),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    id_token = provider.id_token(claims, access_token=access)
    return Given(access, refresh_token, id_token, tuple(scopes))


async def _new_token(
    tx: Transaction, grant_id: UUID, kind: TokenKind, scopes: Sequence[str]
) -> str:
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    lives = REFRESH_LIVES if kind is TokenKind.REFRESH else timedelta(seconds=ACCESS_S)
    await tx.run(
        "INSERT INTO sso_token (digest, grant_id, kind, scopes, issued_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        digest(token),
        grant_id,
        kind.value,
        list(scopes),
        now,
        now + lives,
    )
    return token


async def _end(tx: Transaction, grant_id: UUID, reason: str) -> None:
    await tx.run(
        "UPDATE sso_grant SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
        grant_id,
        datetime.now(UTC),
        reason,
    )


def _fewer(granted: Sequence[str], scope: str | None) -> list[str]:
    """The scopes of a refresh: as before, or fewer (RFC 6749, 6). Raises OAuthError for more."""
    if scope is None:
        return list(granted)
    asked = scope.split()
    if "openid" not in asked or set(asked) - set(granted):
        raise OAuthError("invalid_scope", "a refresh keeps openid and asks for nothing new")
    return [one for one in granted if one in asked]


async def purge() -> None:
    """Delete tokens that expired, and grants that were never redeemed or have no token left."""
    now = datetime.now(UTC)
    async with transaction() as tx:
        await tx.run("DELETE FROM sso_token WHERE expires_at < $1", now)
        await tx.run(
            """
            DELETE FROM sso_grant g WHERE g.issued_at < $1
              AND NOT EXISTS (SELECT 1 FROM sso_token t WHERE t.grant_id = g.id)
            """,
            now - timedelta(seconds=SPENT_CODE_S),
        )


def _code_key(code: str) -> str:
    return f"sso:code:{digest(code)}"
