"""A member of staff's own account: seeing it, changing its password, enrolling a device."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.sealing import Sealer
from models.tickets import Actor
from server.auth import Principal
from server.errors import NotFound, Refusal
from server.live.feed import Feed
from server.sessions import lockout, passwords, totp
from server.sessions import tokens as token_pairs
from server.sessions.refusals import (
    NoEnrolmentBegun,
    OtpWrong,
    PasswordUnfit,
    TotpAlreadyEnrolled,
    WrongPassword,
)
from server.settings import DEMO_PASSWORD

# `aaaaaaaaaa` is long and still guessed first.
FEWEST_CHARACTERS = 5
_OWN = "SELECT * FROM staff WHERE id = $1 AND NOT disabled FOR UPDATE"


async def own_row(staff_id: UUID) -> asyncpg.Record:
    """Her row, and how many recovery codes she has left. Raises NotFound when it is gone."""
    found = await rows(
        """
        SELECT s.*, (SELECT count(*) FROM recovery_code r WHERE r.staff_id = s.id) AS codes_left
        FROM staff s WHERE s.id = $1
        """,
        staff_id,
    )
    if not found:
        raise NotFound
    return found[0]


async def change_password(who: Principal, old: str, new: str, feed: Feed) -> None:
    """Choose a new password; all other sign-ins of hers end.

    Raises WrongPassword, AccountLocked or PasswordUnfit.
    """
    account = await own_row(who.id)
    _require_fit(new, old, account["username"])
    stored = await passwords.hashed(new)
    # Counted apart from signing in: who has her token only must not be able to lock her out.
    name = f"change of {who.id}"
    refusal: Refusal | None = None
    ended: list[UUID] = []
    async with passwords.AT_ONCE, transaction() as tx:
        now = datetime.now(UTC)
        tries = await lockout.begin(tx, name, now)
        account = await _own(tx, who)
        if await passwords.matches(account["password_hash"], old):
            await lockout.forget(tx, name)
            await tx.run(
                "UPDATE staff SET password_hash = $2, password_expires_at = NULL WHERE id = $1",
                who.id,
                stored,
            )
            ended = await token_pairs.end_all(
                tx, who.id, reason="password_changed", but=who.sign_in_id
            )
            await _record(tx, "password_changed", who)
        else:
            refusal = WrongPassword()
            await lockout.count(tx, name, tries, now)
    if refusal is not None:
        raise refusal
    await feed.sign_ins_ended(*ended)


def _require_fit(new: str, old: str, username: str) -> None:
    """Raise PasswordUnfit for what somebody would guess first."""
    plain = new.isdigit() or len(set(new)) < FEWEST_CHARACTERS
    if plain or new == old or DEMO_PASSWORD in new or username.lower() in new.lower():
        raise PasswordUnfit


async def begin_enrolment(who: Principal, sealer: Sealer) -> tuple[str, str]:
    """A new secret and its `otpauth:` URI; it counts once a code of it was given.

    Raises TotpAlreadyEnrolled.
    """
    secret = totp.new_secret()
    async with transaction() as tx:
        account = await _own(tx, who)
        if account["totp_confirmed_at"] is not None:
            raise TotpAlreadyEnrolled
        await tx.run(
            "UPDATE staff SET totp_secret = $2, totp_step = NULL WHERE id = $1",
            who.id,
            totp.seal(secret, who.id, sealer),
        )
    return secret, totp.otpauth_uri(secret, account["username"])


async def confirm_enrolment(who: Principal, code: str, sealer: Sealer, feed: Feed) -> list[str]:
    """Take the device on, for it made this code; answers recovery codes.

    All other sign-ins of hers end: none of them gave a code.
    Raises NoEnrolmentBegun, TotpAlreadyEnrolled or OtpWrong.
    """
    async with transaction() as tx:
        account = await _own(tx, who)
        if account["totp_confirmed_at"] is not None:
            raise TotpAlreadyEnrolled
        if account["totp_secret"] is None:
            raise NoEnrolmentBegun
        if not await totp.spend_code(tx, account, code, sealer):
            raise OtpWrong
        await tx.run(
            "UPDATE staff SET totp_confirmed_at = $2 WHERE id = $1", who.id, datetime.now(UTC)
        )
        codes = await totp.new_recovery_codes(tx, who.id)
        ended = await token_pairs.end_all(tx, who.id, reason="totp_enrolled", but=who.sign_in_id)
        await _record(tx, "totp_enrolled", who)
    await feed.sign_ins_ended(*ended)
    return codes


async def _record(tx: Transaction, did: str, who: Principal) -> None:
    """An entry in the audit log. Last before the commit."""
    await record(tx, Entry(Actor("staff", who.id), f"staff.{did}", "staff", who.id))


async def _own(tx: Transaction, who: Principal) -> asyncpg.Record:
    account = await tx.row(_OWN, who.id)
    if account is None:
        raise NotFound
    return account
