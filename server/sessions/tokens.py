"""Token pairs: starting a sign-in, refreshing it, ending it. All in real time."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models.database import Transaction, rows, transaction
from models.joined import joined_since
from models.sessions import PersonKind
from models.staff import Role
from server.auth import ACCESS_TOKEN_S, Duty, Principal, Tokens
from server.live.feed import Feed
from server.sessions.refusals import RefreshTokenInvalid, RefreshTokenReused

REFRESH_TOKEN_LIVES = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token, and the refresh token that gets the next one."""

    access_token: str
    refresh_token: str
    who: Principal


async def start(
    tx: Transaction,
    who: Principal,
    tokens: Tokens,
    *,
    channel: str,
    device: str,
    link_id: UUID | None = None,
) -> Pair:
    """Store a new sign-in with the id that `who` bears, and give its first pair.

    `link_id` is a citizen's channel link: the sign-in counts for what was proven through it.
    """
    await tx.run(
        """
        INSERT INTO sign_in (id, person_kind, person_id, channel, device, started_at, link_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        who.sign_in_id,
        who.kind.value,
        who.id,
        channel,
        device[:200],
        datetime.now(UTC),
        link_id,
    )
    return Pair(tokens.issue(who), await _new_refresh_token(tx, who.sign_in_id), who)


async def refresh(refresh_token: str, tokens: Tokens, feed: Feed) -> Pair:
    """Spend a refresh token for a new pair.

    Raises RefreshTokenInvalid, or RefreshTokenReused after ending the whole sign-in.
    """
    reused: UUID | None = None
    async with transaction() as tx:
        row = await tx.row(
            """
            SELECT r.digest, r.used_at, r.expires_at, s.id, s.person_kind, s.person_id, s.ended_at,
                   staff.role, staff.halls, staff.levels, staff.demo, staff.password_expires_at,
                   staff.totp_confirmed_at
            FROM refresh_token r
            JOIN sign_in s ON s.id = r.sign_in_id
            LEFT JOIN staff ON staff.id = s.person_id AND NOT staff.disabled
            WHERE r.digest = $1 FOR UPDATE OF r, s
            """,
            _digest(refresh_token),
        )
        now = datetime.now(UTC)
        if row is None or row["ended_at"] is not None or row["expires_at"] <= now:
            raise RefreshTokenInvalid
        if row["used_at"] is not None:
            reused = row["id"]
            await _end(tx, row["id"], "refresh_token_reused")
        else:
            who = principal_of(row)
            await tx.run(
                "UPDATE refresh_token SET used_at = $2 WHERE digest = $1", row["digest"], now
            )
            pair = Pair(tokens.issue(who), await _new_refresh_token(tx, row["id"]), who)
    if reused is not None:
        await feed.sign_ins_ended(reused)
        raise RefreshTokenReused
    return pair


async def end(sign_in_id: UUID, feed: Feed, *, reason: str = "signed_out") -> None:
    """End a sign-in: its tokens are dead on every worker."""
    async with transaction() as tx:
        await _end(tx, sign_in_id, reason)
    await feed.sign_ins_ended(sign_in_id)


async def end_all(
    tx: Transaction, person_id: UUID, *, reason: str, but: UUID | None = None
) -> list[UUID]:
    """End a person's sign-ins, `but` one. Answers which: tell the feed when this is committed."""
    found = await tx.rows(
        """
        UPDATE sign_in SET ended_at = $2, end_reason = $3
        WHERE person_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $4::uuid RETURNING id
        """,
        person_id,
        datetime.now(UTC),
        reason,
        but,
    )
    return [row["id"] for row in found]


async def ended_recently() -> set[UUID]:
    """Sign-ins that ended while access tokens of theirs may still be about.

    So it is with kiosks that were revoked, and with what let others follow a ticket: whatever a
    process remembers of them it remembers no longer.
    """
    found = await rows(
        """
        SELECT id FROM sign_in WHERE ended_at > $1
        UNION ALL SELECT id FROM kiosk WHERE revoked_at > $1
        UNION ALL SELECT id FROM follow WHERE ended_at > $1
        """,
        datetime.now(UTC) - timedelta(seconds=ACCESS_TOKEN_S + 60),
    )
    return {row["id"] for row in found}


async def joined_recently() -> dict[UUID, UUID]:
    """Whose ids those stand for that access tokens may still bear after accounts were joined."""
    return await joined_since(datetime.now(UTC) - timedelta(seconds=ACCESS_TOKEN_S + 60))


def principal_of(row: asyncpg.Record) -> Principal:
    """Whose sign-in this is: its `id`, `person_kind` and `person_id`, and a member of staff's row.

    Raises RefreshTokenInvalid: she works here no more.
    """
    kind = PersonKind(row["person_kind"])
    if kind is PersonKind.CITIZEN:
        return Principal(kind, row["person_id"], row["id"])
    if row["role"] is None:
        raise RefreshTokenInvalid
    return staff_principal(row, row["person_id"], row["id"])


def staff_principal(row: asyncpg.Record, staff_id: UUID, sign_in_id: UUID) -> Principal:
    """Who a member of staff is, by her row, and what she has to do before anything else."""
    return Principal(
        kind=PersonKind.STAFF,
        id=staff_id,
        sign_in_id=sign_in_id,
        role=Role(row["role"]),
        halls=frozenset(row["halls"]),
        levels=frozenset(row["levels"] or ()),
        duty=duty_of(row),
    )


def duty_of(row: asyncpg.Record) -> Duty | None:
    """What a member of staff has to do before anything else, by her row.

    Managers and above enrol a device for one-time codes.
    """
    if row["password_expires_at"] is not None:
        return Duty.CHANGE_PASSWORD
    # Demo accounts share one printed password, and `serve` refuses them anyway.
    exempt = row["role"] == Role.CLERK or row["demo"]
    if not exempt and row["totp_confirmed_at"] is None:
        return Duty.ENROL_TOTP
    return None


async def _new_refresh_token(tx: Transaction, sign_in_id: UUID) -> str:
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    await tx.run(
        "INSERT INTO refresh_token (digest, sign_in_id, issued_at, expires_at)"
        " VALUES ($1, $2, $3, $4)",
        _digest(token),
        sign_in_id,
        now,
        now + REFRESH_TOKEN_LIVES,
    )
    return token


async def _end(tx: Transaction, sign_in_id: UUID, reason: str) -> None:
    await tx.run(
        "UPDATE sign_in SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
        sign_in_id,
        datetime.now(UTC),
        reason,
    )


def new_sign_in_id() -> UUID:
    """An id for a sign-in about to start."""
    made: UUID = uuid7()
    return made


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
