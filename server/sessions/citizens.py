"""Signing a citizen in through a platform."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from integrations.ports import PlatformRefused, SignIn, Visitor
from models.database import Transaction, transaction
from models.sessions import PersonKind
from server.auth import Principal, Tokens
from server.errors import Refusal, TooManyRequests
from server.sessions import tokens as token_pairs
from server.sessions.refusals import SignInRefused, UserBlocked


async def sign_in(door: SignIn, code: str, tokens: Tokens, *, device: str) -> token_pairs.Pair:
    """Ask the platform who sent the code, and start a sign-in for that citizen.

    Raises SignInRefused, UserBlocked, TooManyRequests or PlatformUnavailable; then nothing is kept.
    """
    try:
        visitor = await door.who_is(code)
    except PlatformRefused as refusal:
        raise _refusal(refusal) from None
    try:
        return await _start(visitor, tokens, device)
    except asyncpg.UniqueViolationError:
        # Her first two sign-ins came at once, and the other was first to make her row.
        return await _start(visitor, tokens, device)


def _refusal(refusal: PlatformRefused) -> Refusal:
    if refusal.reason == "user_blocked":
        return UserBlocked()
    if refusal.reason == "too_often":
        return TooManyRequests(60)
    return SignInRefused()


async def _start(visitor: Visitor, tokens: Tokens, device: str) -> token_pairs.Pair:
    async with transaction() as tx:
        citizen_id = await _known(tx, visitor) or await _welcome(tx, visitor)
        who = Principal(PersonKind.CITIZEN, citizen_id, token_pairs.new_sign_in_id())
        return await token_pairs.start(tx, who, tokens, channel=visitor.platform, device=device)


async def _known(tx: Transaction, visitor: Visitor) -> UUID | None:
    row = await tx.row(
        "SELECT citizen_id FROM channel_link WHERE platform = $1 AND app_id = $2 AND subject = $3",
        visitor.platform,
        visitor.app_id,
        visitor.subject,
    )
    return row["citizen_id"] if row else None


async def _welcome(tx: Transaction, visitor: Visitor) -> UUID:
    """A new citizen with this channel. A UniqueViolationError means the channel was just taken."""
    citizen_id: UUID = uuid7()
    now = datetime.now(UTC)
    await tx.run("INSERT INTO citizen (id, level, created_at) VALUES ($1, 0, $2)", citizen_id, now)
    await tx.run(
        """
        INSERT INTO channel_link
            (id, citizen_id, platform, app_id, subject, union_subject, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        uuid7(),
        citizen_id,
        visitor.platform,
        visitor.app_id,
        visitor.subject,
        visitor.union_subject,
        now,
    )
    return citizen_id
