"""What a store does that may be asked again in a moment, and what is a fault of ours."""

import asyncpg
import pytest

from server.endpoint import as_refusal


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
