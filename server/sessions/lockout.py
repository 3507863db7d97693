"""After five wrong passwords within a quarter of an hour a name is locked for as long. Real time.

Names are counted, not accounts, so that a lock tells nobody whether somebody has the name. All
tries of one name wait for each other, over all processes: of a hundred guesses at once five count.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from models.database import Transaction
from server.sessions.refusals import AccountLocked

TRIES = 5
WITHIN = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Tries:
    """When of late a name was tried with a wrong password, and until when it is locked."""

    failed_at: tuple[datetime, ...] = ()
    locked_until: datetime | None = None

    def failed(self, now: datetime) -> "Tries":
        """After one more wrong password."""
        recent = (*(at for at in self.failed_at if at > now - WITHIN), now)
        if len(recent) >= TRIES:
            return Tries((), now + LOCKED_FOR)
        return replace(self, failed_at=recent)


async def begin(tx: Transaction, username: str, now: datetime) -> Tries:
    """Be the only one who tries this name until the transaction ends. Raises AccountLocked."""
    row = await tx.row(
        """
        INSERT INTO password_tries (name_digest, failed_at, changed_at) VALUES ($1, '{}', $2)
        ON CONFLICT (name_digest) DO UPDATE SET changed_at = $2 RETURNING failed_at, locked_until
        """,
        _digest(username),
        now,
    )
    assert row is not None
    if row["locked_until"] is not None and row["locked_until"] > now:
        raise AccountLocked(math.ceil((row["locked_until"] - now).total_seconds()))
    return Tries(tuple(row["failed_at"]))


async def count(tx: Transaction, username: str, tries: Tries, now: datetime) -> None:
    """Count a wrong password, or a wrong one-time code."""
    after = tries.failed(now)
    await tx.run(
        "UPDATE password_tries SET failed_at = $2, locked_until = $3 WHERE name_digest = $1",
        _digest(username),
        list(after.failed_at),
        after.locked_until,
    )


async def forget(tx: Transaction, username: str) -> None:
    """Count from nought again, and unlock."""
    await tx.run("DELETE FROM password_tries WHERE name_digest = $1", _digest(username))


def _digest(username: str) -> str:
    return hashlib.sha256(username.encode()).hexdigest()
