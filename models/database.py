"""The database as the operations use it: transactions, plain statements, and a count of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import asyncpg
from tortoise.connection import get_connection

FINISH_WITHIN_S = 1.0


class StatementCount:
    """How many statements this process has sent, `BEGIN` and `COMMIT` included.

    Where `apart` is set, in a task and those that it starts, they are not counted.
    """

    total = 0
    apart: ContextVar[bool] = ContextVar("apart", default=False)

    @classmethod
    def add(cls, statements: int) -> None:
        """Count so many more."""
        if not cls.apart.get():
            cls.total += statements


class CountingConnection(asyncpg.Connection):  # type: ignore[misc]
    """An asyncpg connection that counts each round trip, for route budgets and `/metrics`."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement without rows, or several without parameters."""
        StatementCount.add(1 + query.count("; "))
        return str(await super().execute(query, *args, timeout=timeout))

    async def fetch(self, query: str, *args: Any, **options: Any) -> list[asyncpg.Record]:
        """Run a statement and return its rows."""
        StatementCount.add(1)
        rows: list[asyncpg.Record] = await super().fetch(query, *args, **options)
        return rows

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> asyncpg.Record | None:
        """Run a statement and return its first row."""
        StatementCount.add(1)
        return await super().fetchrow(query, *args, **options)

    async def executemany(self, command: str, args: Any, *, timeout: float | None = None) -> None:
        """Run one statement for many argument rows."""
        StatementCount.add(1)
        await super().executemany(command, args, timeout=timeout)


async def keep_session_state(connection: asyncpg.Connection) -> None:
    """Nothing to reset when a connection goes back to the pool.

    asyncpg would send a reset query each time, one more round trip for each request; we leave no
    session state behind (no LISTEN, no advisory locks, no SET) that it could clear.
    """


class Transaction:
    """An open transaction. Statements are plain SQL with `$1` parameters."""

    __slots__ = ("connection",)

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def rows(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """All rows of a statement."""
        found: list[asyncpg.Record] = await self.connection.fetch(sql, *args)
        return found

    async def row(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """The first row of a statement, or None."""
        return await self.connection.fetchrow(sql, *args)

    async def run(self, sql: str, *args: Any) -> None:
        """A statement whose rows do not matter."""
        await self.connection.execute(sql, *args)


@asynccontextmanager
async def transaction(first: str | None = None) -> AsyncIterator[Transaction]:
    """One transaction: commits at the end, rolls back on any exception.

    `first` is a statement without parameters that travels with `BEGIN`, such as taking a lock:
    round trips are what a short transaction costs. An integrity error aborts the transaction: let
    it escape, and turn it into a refusal outside.
    """
    async with get_connection("default").acquire_connection() as connection:
        try:
            await connection.execute(f"BEGIN; {first}" if first else "BEGIN")
            yield Transaction(connection)
            await connection.execute("COMMIT")
        except BaseException:
            await _finish(connection, "ROLLBACK")
            raise


async def _finish(connection: asyncpg.Connection, last: str) -> None:
    """Say a last word, or drop a connection that cannot: it must never go back half done.

    Soon: where a statement has just run out of time, taking it back would take as long again.
    """
    try:
        async with asyncio.timeout(FINISH_WITHIN_S):
            await connection.execute(last)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        connection.terminate()


async def rows(sql: str, *args: Any, tx: Transaction | None = None) -> list[asyncpg.Record]:
    """All rows of one statement: of a transaction, or committing by itself."""
    if tx is not None:
        return await tx.rows(sql, *args)
    async with get_connection("default").acquire_connection() as connection:
        try:
            return await Transaction(connection).rows(sql, *args)
        except TimeoutError:
            # Nothing to take back, but the connection must answer before it is used again. No empty
            # statement: asyncpg stumbles over the answer to one.
            await _finish(connection, "SELECT 1")
            raise
