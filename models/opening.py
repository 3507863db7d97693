"""Opening a database for a command, and bringing it to this version's schema."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tortoise import Tortoise
from tortoise.migrations.api import migrate

from models import orm_config


@asynccontextmanager
async def open_database(url: str, *, pool_size: int = 2) -> AsyncIterator[None]:
    """Models and transactions work inside, on this database."""
    await Tortoise.init(config=orm_config(url, pool_size=pool_size), _enable_global_fallback=True)
    try:
        yield
    finally:
        await Tortoise.close_connections()


async def migrate_database(url: str) -> None:
    """Apply the migrations that the database does not have yet."""
    await migrate(config=orm_config(url, pool_size=1))
    await Tortoise.close_connections()
