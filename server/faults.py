"""Which exceptions mean that a store does not answer, as opposed to a fault of ours."""

import asyncpg
import redis.asyncio as aioredis
from tortoise.exceptions import DBConnectionError

_STORE_FAULTS = (
    # Refused, reset, timed out; and no such file, while a store's Unix socket is made anew.
    OSError,
    aioredis.ConnectionError,
    aioredis.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # No room left on its disk or in its memory; and a failover: the other one does not write yet.
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.ReadOnlySQLTransactionError,
    # Two transactions stood in each other's way: PostgreSQL ended this one, and nothing was done.
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    DBConnectionError,
)


def is_store_fault(fault: BaseException) -> bool:
    """Whether asking again in a moment may work, because a store was away."""
    return isinstance(fault, _STORE_FAULTS)
