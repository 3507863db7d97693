"""Accounts of staff: made, changed, disabled, given new passwords. Each change ends sign-ins.

The row of the account is locked, changed, and then its sign-ins are ended in the same transaction:
who signs in meanwhile waits for that row, so nobody goes on with rights of before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.staff import Role
from models.tickets import Actor
from server.admin.refusals import OwnAccount, UsernameTaken
from server.errors import NotFound
from server.live.feed import Feed
from server.sessions import lockout, passwords, totp
from server.sessions import tokens as token_pairs

# What a sign-in depends on.
RIGHTS = frozenset({"role", "halls", "levels", "disabled"})
# The end, and no line break before it, which `$` alone would let pass.
USERNAME = r"^[a-z0-9][a-z0-9._-]{1,63}(?!\n)$"
# A password made up by somebody else is to be changed at once, and no good after this.
ONE_TIME_PASSWORD_LIVES = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made. Empty `halls` and `levels` mean every hall."""

    username: str
    name: str
    role: Role
    halls: Collection[str] = ()
    levels: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class OneTimePassword:
    """A password to be told once, until when it is good (real time), and the account's row."""

    password: str
    expires_at: datetime
    account: asyncpg.Record


async def page_of_accounts(
    *, after: str, role: Role | None, hall: str | None, limit: int
) -> list[asyncpg.Record]:
    """Accounts by user name, those after one name; of one role, or named for one hall."""
    return await rows(
        """
        SELECT * FROM staff
        WHERE username COLLATE "C" > $1
          AND ($2::text IS NULL OR role = $2) AND ($3::text IS NULL OR $3 = ANY(halls))
        ORDER BY username COLLATE "C" LIMIT $4
        """,
        after,
        role.value if role else None,
        hall,
        limit,
    )


async def create_account(new: NewAccount, *, by: UUID | None) -> OneTimePassword:
    """Make an account with a one-time password. Raises UsernameTaken."""
    password = passwords.made_up()
    stored = await passwords.hashed(password)
    expires = datetime.now(UTC) + ONE_TIME_PASSWORD_LIVES
    async with transaction() as tx:
        account = await tx.row(
            """
            INSERT INTO staff (id, username, name, role, halls, levels, password_hash,
                               password_expires_at, demo, disabled)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, false)
            ON CONFLICT (username) DO NOTHING RETURNING *
            """,
            uuid7(),
            new.username,
            new.name,
            new.role.value,
            sorted(new.halls),
            sorted(new.levels),
            stored,
            expires,
        )
        if account is None:
            raise UsernameTaken
        await _record(tx, "created", account, by)
    return OneTimePassword(password, expires, account)


async def change_account(
    username: str, changes: Mapping[str, Any], *, by: UUID, feed: Feed
) -> asyncpg.Record:
    """Set columns of an account; a change of what she may do ends her sign-ins.

    Raises NotFound, or OwnAccount for what could leave a city without an administrator.
    """
    ended: list[UUID] = []
    async with transaction() as tx:
        before = await _locked(tx, username)
        after = dict(before) | dict(changes)
        changed = [name for name in changes if (after[name] or []) != (before[name] or [])]
        if not RIGHTS.isdisjoint(changed) and before["id"] == by:
            raise OwnAccount
        account = await tx.row(
            """
            UPDATE staff SET name = $2, role = $3, halls = $4, levels = $5, disabled = $6
            WHERE id = $1 RETURNING *
            """,
            before["id"],
            after["name"],
            after["role"],
            after["halls"],
            after["levels"],
            after["disabled"],
        )
        assert account is not None
        if not RIGHTS.isdisjoint(changed):
            ended = await token_pairs.end_all(tx, account["id"], reason="account_changed")
        if changed:
            await _record(tx, "changed", account, by, changed)
    await feed.sign_ins_ended(*ended)
    return account


async def reset_password(username: str, *, by: UUID | None, feed: Feed) -> OneTimePassword:
    """Give an account a one-time password, unlock it and end its sign-ins.

    Raises NotFound or OwnAccount.
    """
    password = passwords.made_up()
    stored = await passwords.hashed(password)
    expires = datetime.now(UTC) + ONE_TIME_PASSWORD_LIVES
    async with transaction() as tx:
        # Before the account's row, as signing in does: else each could wait for the other.
        await lockout.forget(tx, username)
        account = await _locked_of_another(tx, username, by)
        account = await tx.row(
            "UPDATE staff SET password_hash = $2, password_expires_at = $3"
            " WHERE id = $1 RETURNING *",
            account["id"],
            stored,
            expires,
        )
        assert account is not None
        ended = await token_pairs.end_all(tx, account["id"], reason="password_reset")
        await _record(tx, "password_reset", account, by)
    await feed.sign_ins_ended(*ended)
    return OneTimePassword(password, expires, account)


async def rescue_account(username: str, *, feed: Feed) -> OneTimePassword:
    """From the command line: a one-time password, no device. Raises NotFound."""
    await reset_totp(username, by=None, feed=feed)
    return await reset_password(username, by=None, feed=feed)


async def reset_totp(username: str, *, by: UUID | None, feed: Feed) -> None:
    """Take the device off an account and end its sign-ins. Raises NotFound or OwnAccount."""
    async with transaction() as tx:
        account = await _locked_of_another(tx, username, by)
        await totp.forget(tx, account["id"])
        ended = await token_pairs.end_all(tx, account["id"], reason="totp_reset")
        await _record(tx, "totp_reset", account, by)
    await feed.sign_ins_ended(*ended)


async def _locked_of_another(tx: Transaction, username: str, by: UUID | None) -> asyncpg.Record:
    """Her own password and device need the old ones, or another administrator."""
    account = await _locked(tx, username)
    if account["id"] == by:
        raise OwnAccount
    return account


async def _locked(tx: Transaction, username: str) -> asyncpg.Record:
    found = await tx.row("SELECT * FROM staff WHERE username = $1 FOR UPDATE", username)
    if found is None:
        raise NotFound
    return found


async def _record(
    tx: Transaction,
    did: str,
    account: asyncpg.Record,
    by: UUID | None,
    changed: Sequence[str] = (),
) -> None:
    """An entry in the audit log: who did what to which account. Last before the commit."""
    actor = Actor("staff", by) if by else Actor("command_line")
    detail = {"changed": list(changed)} if changed else {}
    await record(tx, Entry(actor, f"staff.{did}", "staff", account["id"], detail=detail))
