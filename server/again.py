"""What meets something else of the same person at the same moment is done again."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from models.database import Transaction, transaction
from models.her_halls import OtherHalls
from server.errors import Unavailable

TRIES = 5
Done = TypeVar("Done")


class Overtaken(Exception):
    """What was looked at has changed before it was written: it is to be done again."""


async def until_done(work: Callable[[Transaction], Awaitable[Done]]) -> Done:
    """Do it in a transaction of its own, again when something came between (`Overtaken` says so).

    Raises Unavailable when that never stops, and whatever else the work raises.
    """
    for _ in range(TRIES):
        try:
            async with transaction() as tx:
                return await work(tx)
        except (
            # Her id number came through another channel at the same moment, or a ticket was called
            # while it was given up.
            asyncpg.UniqueViolationError,
            # She was joined into another account between our look and our write.
            asyncpg.ForeignKeyViolationError,
            # Somebody waited for us as we did for her.
            asyncpg.DeadlockDetectedError,
            Overtaken,
            # She took a number in another hall while we waited for those where she had some.
            OtherHalls,
        ):
            continue
    raise Unavailable(1)
