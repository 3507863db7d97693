"""What a store does that may be asked again in a moment, and what is a fault of ours."""

import os
import signal
import time

import asyncpg
import pytest

from models.database import rows, transaction
from server.http.endpoint import as_refusal
from tests.conftest import Api


@pytest.mark.parametrize(
    "fault",
    [
        asyncpg.DeadlockDetectedError(),
        asyncpg.SerializationError(),
        asyncpg.ReadOnlySQLTransactionError(),
        asyncpg.DiskFullError(),
        asyncpg.OutOfMemoryError(),
        asyncpg.CannotConnectNowError(),
        TimeoutError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_store_that_cannot_now_is_asked_again(fault: Exception) -> None:
    refusal = as_refusal(fault)
    assert (refusal.status, "Retry-After" in refusal.headers) == (503, True)


@pytest.mark.parametrize("fault", [asyncpg.UndefinedColumnError(), KeyError("line")])
def test_a_fault_of_ours_is_told_as_one(fault: Exception) -> None:
    assert as_refusal(fault).status == 500


async def ask_one_that_hangs() -> None:
    """A transaction of two statements, each good for half a second."""
    pid = 0
    try:
        async with transaction() as tx:
            pid = await tx.connection.fetchval("SELECT pg_backend_pid()")
            os.kill(pid, signal.SIGSTOP)
            await tx.connection.fetch("SELECT 1", timeout=0.5)
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_transaction_of_a_database_that_hangs_is_over_soon_after_its_statement(
    api: Api,
) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await ask_one_that_hangs()
    assert time.monotonic() - began < 4
    async with transaction() as tx:
        assert await tx.row("SELECT 1") is not None


async def test_a_statement_that_runs_out_of_time_says_so_and_its_connection_goes_on(
    api: Api,
) -> None:
    with pytest.raises(TimeoutError):
        await rows("SELECT pg_sleep(60)")
    assert await rows("SELECT 1")
