"""Opening a database for a command, and bringing it to this version's schema."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from tortoise import Tortoise

from models import CONNECT_TIMEOUT_S, orm_config
from models.migrating import migrate


class DatabaseUnusable(Exception):
    """PostgreSQL cannot be used as it is; the message is one sentence that says why."""


@asynccontextmanager
async def open_database(
    url: str, *, pool_size: int = 2, timeout_s: float | None = None
) -> AsyncIterator[None]:
    """Models and transactions work inside, on this database.

    A statement that takes longer than `timeout_s` seconds raises TimeoutError. Raises
    DatabaseUnusable when there is no such database, or it does not answer.
    """
    config = orm_config(url, pool_size=pool_size, timeout_s=timeout_s)
    await _knock(config)
    await Tortoise.init(config=config, _enable_global_fallback=True)
    try:
        yield
    finally:
        await Tortoise.close_connections()


async def migrate_database(url: str) -> None:
    """Apply the migrations that the database does not have yet, however long they take.

    Raises DatabaseUnusable when there is no such database, or it does not answer.
    """
    config = orm_config(url, pool_size=1)
    await _knock(config)
    await migrate(config)
    await Tortoise.close_connections()


async def _knock(config: dict[str, Any]) -> None:
    """Connect once: the pool connects later, and far from where it can be told plainly."""
    names = ("host", "port", "user", "password", "database", "ssl")
    credentials = config["connections"]["default"]["credentials"]
    where = f"{credentials['host']}:{credentials['port']}/{credentials['database']}"
    try:
        connection = await asyncpg.connect(
            **{name: credentials[name] for name in names if name in credentials},
            timeout=CONNECT_TIMEOUT_S,
        )
        await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        raise DatabaseUnusable(f"PostgreSQL at {where} refuses: {fault}.") from None
    except OSError as fault:
        number = fault.errno or 0
        reason = os.strerror(number) if number > 0 else fault.strerror or type(fault).__name__
        raise DatabaseUnusable(f"PostgreSQL at {where} does not answer: {reason}.") from None
