"""What need not be kept: expired refresh tokens, answers a day old, wrong passwords of the past."""

from datetime import UTC, datetime, timedelta

from models.database import transaction
from server.sessions import lockout

ANSWERS_KEPT = timedelta(days=1)
TRIES_KEPT = lockout.WITHIN + lockout.LOCKED_FOR


async def purge() -> None:
    """Delete what has expired, in real time."""
    now = datetime.now(UTC)
    async with transaction() as tx:
        await tx.run("DELETE FROM refresh_token WHERE expires_at < $1", now)
        await tx.run("DELETE FROM password_tries WHERE changed_at < $1", now - TRIES_KEPT)
        await tx.run("DELETE FROM answer WHERE created_at < $1", now - ANSWERS_KEPT)
