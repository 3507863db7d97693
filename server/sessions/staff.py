"""Signing a member of staff in by user name, password and, where enrolled, a one-time code."""

from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from models.database import Transaction, transaction
from models.sealing import Sealer
from server.auth import Tokens
from server.errors import Refusal
from server.sessions import lockout, passwords, totp
from server.sessions import tokens as token_pairs
from server.sessions.refusals import OtpRequired, OtpWrong, WrongPassword

# The row is locked until the sign-in is stored: an account that changes meanwhile either is seen
# here as changed, or finds this sign-in and ends it.
_ACCOUNT = "SELECT * FROM staff WHERE username = $1 AND NOT disabled FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody says to be let in."""

    username: str
    password: str
    otp: str | None = None


async def sign_in(
    said: Credentials, tokens: Tokens, sealer: Sealer, *, device: str
) -> token_pairs.Pair:
    """Start a sign-in for a member of staff.

    Raises WrongPassword, OtpRequired, OtpWrong or AccountLocked.
    """
    # The few places first, then a connection: who waits for a place holds none.
    async with passwords.AT_ONCE, transaction() as tx:
        now = datetime.now(UTC)
        tries = await lockout.begin(tx, said.username, now)
        account = await tx.row(_ACCOUNT, said.username)
        refusal = await _refusal(tx, account, said, sealer, now)
        if refusal is None:
            assert account is not None
            await lockout.forget(tx, said.username)
            who = token_pairs.staff_principal(account, account["id"], token_pairs.new_sign_in_id())
            pair = await token_pairs.start(tx, who, tokens, channel="password", device=device)
        elif not isinstance(refusal, OtpRequired):
            await lockout.count(tx, said.username, tries, now)
    # Not before the count is committed.
    if refusal is not None:
        raise refusal
    return pair


async def _refusal(
    tx: Transaction,
    account: asyncpg.Record | None,
    said: Credentials,
    sealer: Sealer,
    now: datetime,
) -> Refusal | None:
    """Why she is not let in. A code that is right is used up."""
    right = await passwords.matches(
        account["password_hash"] if account else passwords.NOBODYS, said.password
    )
    if account is None or not right or _is_stale(account, now):
        return WrongPassword()
    if account["totp_confirmed_at"] is None:
        return None
    if not said.otp:
        return OtpRequired()
    return None if await totp.spend(tx, account, said.otp, sealer) else OtpWrong()


def _is_stale(account: asyncpg.Record, now: datetime) -> bool:
    """Whether the password was given for one use, too long ago."""
    expires: datetime | None = account["password_expires_at"]
    return expires is not None and expires <= now
