"""What need not be kept: expired refresh tokens and answers a day old."""

from datetime import UTC, datetime, timedelta

from models.database import transaction

ANSWERS_KEPT = timedelta(days=1)


async def purge() -> None:
    """Delete what has expired, in real time."""
    now = datetime.now(UTC)
    async with transaction() as tx:
        await tx.run("DELETE FROM refresh_token WHERE expires_at < $1", now)
        await tx.run("DELETE FROM answer WHERE created_at < $1", now - ANSWERS_KEPT)
