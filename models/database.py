"""The database as the operations use it: transactions, plain statements, and a count of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from tortoise.backends.base.client import TransactionalDBClient
from tortoise.connection import get_connection
from tortoise.transactions import in_transaction


class StatementCount:
    """How many statements this process has sent, `BEGIN` and `COMMIT` included."""

    total = 0


class CountingConnection(asyncpg.Connection):  # type: ignore[misc]
    """An asyncpg connection that counts each round trip, for route budgets and `/metrics`."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement without rows."""
        StatementCount.total += 1
        return str(await super().execute(query, *args, timeout=timeout))

    async def fetch(self, query: str, *args: Any, **options: Any) -> list[asyncpg.Record]:
        """Run a statement and return its rows."""
        StatementCount.total += 1
        rows: list[asyncpg.Record] = await super().fetch(query, *args, **options)
        return rows

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> asyncpg.Record | None:
        """Run a statement and return its first row."""
        StatementCount.total += 1
        return await super().fetchrow(query, *args, **options)

    async def executemany(self, command: str, args: Any, *, timeout: float | None = None) -> None:
        """Run one statement for many argument rows."""
        StatementCount.total += 1
        await super().executemany(command, args, timeout=timeout)


async def keep_session_state(connection: asyncpg.Connection) -> None:
    """Nothing to reset when a connection goes back to the pool.

    asyncpg would send a reset query each time, one more round trip for each request; we leave no
    session state behind (no LISTEN, no advisory locks, no SET) that it could clear.
    """


class Transaction:
    """An open transaction. Statements are plain SQL with `$1` parameters."""

    __slots__ = ("_connection",)

    def __init__(self, client: TransactionalDBClient) -> None:
        self._connection: asyncpg.Connection = client._connection

    @property
    def connection(self) -> asyncpg.Connection:
        """The asyncpg connection, for PgQueuer to enqueue on."""
        return self._connection

    async def rows(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """All rows of a statement."""
        rows: list[asyncpg.Record] = await self._connection.fetch(sql, *args)
        return rows

    async def row(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """The first row of a statement, or None."""
        return await self._connection.fetchrow(sql, *args)

    async def run(self, sql: str, *args: Any) -> None:
        """A statement whose rows do not matter."""
        await self._connection.execute(sql, *args)


@asynccontextmanager
async def transaction() -> AsyncIterator[Transaction]:
    """One transaction: commits at the end, rolls back on any exception.

    Models used inside it take part in it too. An integrity error aborts it: let it escape, and
    turn it into a refusal outside.
    """
    async with in_transaction() as client:
        yield Transaction(client)


async def rows(sql: str, *args: Any) -> list[dict[str, Any]]:
    """All rows of one statement outside any transaction."""
    found: list[dict[str, Any]] = await get_connection("default").execute_query_dict(
        sql, list(args)
    )
    return found
