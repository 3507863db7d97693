"""What is answered outlives a PostgreSQL that dies at that moment."""

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from tortoise.context import TortoiseContext

from integrations.stores import embedded_stores
from models import orm_config
from models.database import rows
from models.durable import durable

ROUNDS = 3
# Commits as a statement for several does: it returns before the log is flushed.
_NOTE = """
    INSERT INTO note SELECT $1 WHERE set_config('synchronous_commit', 'off', true) <> ''
"""


def kill_postgres(folder: Path) -> None:
    """Kill PostgreSQL with all its processes at once, as a power cut would."""
    first = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
    children = subprocess.run(
        ["ps", "--ppid", str(first), "-o", "pid="], capture_output=True, text=True, check=True
    ).stdout.split()
    for pid in (first, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def notes() -> set[int]:
    """What is there, as soon as PostgreSQL answers again."""
    async with asyncio.timeout(60):
        while True:
            try:
                return {row["nth"] for row in await rows("SELECT nth FROM note")}
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.05)


async def test_what_waited_for_the_flush_is_kept_and_what_did_not_may_be_lost(
    tmp_path: Path,
) -> None:
    async with embedded_stores(tmp_path) as urls:
        with TortoiseContext() as context:
            await context.init(config=orm_config(urls.database, pool_size=2))
            await rows("CREATE TABLE note (nth int PRIMARY KEY)")
            lost = set()
            for nth in range(ROUNDS):
                await rows(_NOTE, 10 * nth)
                await asyncio.gather(durable(), durable())
                await rows(_NOTE, 10 * nth + 1)
                kill_postgres(tmp_path)
                there = await notes()
                assert 10 * nth in there, "acknowledged and gone"
                lost |= {10 * nth + 1} - there
            assert lost, "nobody died in time to lose anything: this test shows nothing"
            await context.connections.close_all()


async def test_a_flush_that_fails_is_said_to_all_who_waited_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(_sql: str) -> None:
        await asyncio.sleep(0)
        raise ConnectionResetError

    monkeypatch.setattr("models.durable.rows", fail)
    said = await asyncio.gather(*(durable() for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in said] == [ConnectionResetError] * 3
