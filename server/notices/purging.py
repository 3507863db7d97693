"""Old notices are forgotten at night, some thousands at a time."""

from datetime import UTC, datetime

from models import notice_purging
from models.database import transaction


async def purge_notices() -> None:
    """Forget what is too old, in real time, until nothing is."""
    now, many = datetime.now(UTC), 1
    while many:
        async with transaction() as tx:
            many = await notice_purging.forget_old(tx, now)
