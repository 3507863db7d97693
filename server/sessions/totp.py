"""One-time codes of a device (RFC 6238), and recovery codes for when it is lost. Real time.

A secret is sealed at rest. A code holds for its 30 seconds and the step before and after, once.
"""

import hashlib
import hmac
import secrets
import time
from uuid import UUID

import asyncpg
import pyotp

from models.database import Transaction
from models.sealing import Sealer

STEP_S = 30
DIGITS = 6
STEPS_OFF = (0, -1, 1)  # clocks differ, and people type slowly
ISSUER = "Yiting 一厅通"
RECOVERY_CODES = 10
_FIELD = "staff.totp_secret"


def new_secret() -> str:
    """A secret of 160 random bits, in base 32."""
    return pyotp.random_base32()


def otpauth_uri(secret: str, username: str) -> str:
    """What an authenticator reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def seal(secret: str, staff_id: UUID, sealer: Sealer) -> bytes:
    """A secret as it is stored."""
    return sealer.seal(secret, field=_FIELD, owner=staff_id)


def unsealed(stored: bytes, staff_id: UUID, sealer: Sealer) -> str:
    """A stored secret. Raises NotOpened when its key is gone."""
    return sealer.open(stored, field=_FIELD, owner=staff_id)


def step_of(secret: str, code: str, *, now: float, after: int | None) -> int | None:
    """The step whose code this is, or None; all up to `after` are used up. `now` is Unix time."""
    present = int(now) // STEP_S
    for step in (present + off for off in STEPS_OFF):
        right = pyotp.TOTP(secret).generate_otp(step)
        if hmac.compare_digest(right.encode(), code.encode()) and (after is None or step > after):
            return step
    return None


async def spend(tx: Transaction, account: asyncpg.Record, code: str, sealer: Sealer) -> bool:
    """Use up a code of the device, or a recovery code; False when it is none or used before.

    `account` is her row of `staff`, locked.
    """
    if len(code) == DIGITS and code.isascii() and code.isdigit():
        return await spend_code(tx, account, code, sealer)
    return await _spend_recovery_code(tx, account["id"], code)


async def spend_code(tx: Transaction, account: asyncpg.Record, code: str, sealer: Sealer) -> bool:
    """Use up a code of the device; False when it is none or used before."""
    secret = unsealed(account["totp_secret"], account["id"], sealer)
    step = step_of(secret, code, now=time.time(), after=account["totp_step"])
    if step is None:
        return False
    await tx.run("UPDATE staff SET totp_step = $2 WHERE id = $1", account["id"], step)
    return True


async def _spend_recovery_code(tx: Transaction, staff_id: UUID, code: str) -> bool:
    spent = await tx.row(
        "DELETE FROM recovery_code WHERE digest = $1 AND staff_id = $2 RETURNING digest",
        _digest(code),
        staff_id,
    )
    return spent is not None


async def new_recovery_codes(tx: Transaction, staff_id: UUID) -> list[str]:
    """Ten new ones instead of those before. They are told once; only digests are kept."""
    codes = [_grouped(secrets.token_hex(8)) for _ in range(RECOVERY_CODES)]
    await tx.run("DELETE FROM recovery_code WHERE staff_id = $1", staff_id)
    await tx.run(
        "INSERT INTO recovery_code (digest, staff_id) SELECT unnest($2::text[]), $1",
        staff_id,
        [_digest(code) for code in codes],
    )
    return codes


async def forget(tx: Transaction, staff_id: UUID) -> None:
    """Take the device off the account, with its recovery codes."""
    await tx.run(
        "UPDATE staff SET totp_secret = NULL, totp_confirmed_at = NULL, totp_step = NULL"
        " WHERE id = $1",
        staff_id,
    )
    await tx.run("DELETE FROM recovery_code WHERE staff_id = $1", staff_id)


def _grouped(code: str) -> str:
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


def _digest(code: str) -> str:
    # 64 random bits need no slow hash.
    return hashlib.sha256(code.replace("-", "").strip().lower().encode()).hexdigest()
