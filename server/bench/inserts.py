"""The limit for writes: bare single-row INSERTs, each its own transaction."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import asyncpg
from uuid_utils.compat import uuid7

from server.bench.bench import Bench, Load, load_of

# As wide as a ticket, and with none of its indexes but the key.
_TABLE = """
    CREATE TABLE bench_insert (
        id uuid PRIMARY KEY, hall_id uuid NOT NULL, line_id uuid NOT NULL, item_id uuid NOT NULL,
        citizen_id uuid, day date NOT NULL, sequence int NOT NULL, number varchar(12) NOT NULL,
        state varchar(16) NOT NULL, issued_at timestamptz NOT NULL,
        rank_time timestamptz NOT NULL, version bigint NOT NULL
    )
"""
_INSERT = "INSERT INTO bench_insert VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"


class Inserts:
    """Connections that insert, each as fast as it is answered."""

    def __init__(self, connections: list[Any]) -> None:
        self._connections = connections

    async def drive(self, seconds: float) -> Load:
        """One round."""
        took: list[float] = []
        began = time.perf_counter()
        await asyncio.gather(*(_insert(each, began + seconds, took) for each in self._connections))
        return load_of(took, began)


async def _insert(connection: Any, until: float, took: list[float]) -> None:
    hall, line, item, citizen = uuid4(), uuid4(), uuid4(), uuid4()
    sequence = 0
    while (sent_at := time.perf_counter()) < until:
        sequence += 1
        now = datetime.now(UTC)
        await connection.execute(
            _INSERT,
            uuid7(),
            hall,
            line,
            item,
            citizen,
            date(2026, 11, 23),
            sequence,
            f"A{sequence:03d}",
            "waiting",
            now,
            now,
            time.time_ns() // 1000,
        )
        took.append(time.perf_counter() - sent_at)


@asynccontextmanager
async def inserts(bench: Bench) -> AsyncIterator[Inserts]:
    """As many inserting connections as the client has; the table is gone afterwards."""
    many = bench.plan.connections
    opened = [await asyncpg.connect(bench.database_url) for _ in range(many)]
    try:
        await opened[0].execute(_TABLE)
        yield Inserts(opened)
        await opened[0].execute("DROP TABLE bench_insert")
    finally:
        for connection in opened:
            await connection.close()
