"""Receipts are numbered 1, 2, 3 for each issuer and year, whatever happens at once or half way."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from models import bills, receipts, refunds, settling
from models.database import rows, transaction
from models.refunds import RefundReason, Wish
from models.settling import Payment
from models.tickets import SYSTEM
from models.verifying import EVERYTHING, SNAPSHOT, verify_in
from tests.conftest import Api
from tests.payments.money import an_order, row_of


class Crash(Exception):
    """The process dies before its transaction is over."""


async def an_order_of(hall_id: UUID, now: datetime, fen: int = 800) -> UUID:
    facts = {
        "source": "department",
        "source_key": str(uuid4()),
        "title": "工本费",
        "amount_fen": fen,
        "made_by": "system",
        "hall_id": hall_id,
    }
    async with transaction() as tx:
        bill, _ = await bills.make(tx, facts, now=now)
    return await an_order(bill, now=now)


async def settled(orders: list[UUID], now: datetime, *, ends: str = "well") -> None:
    """Settle orders in one transaction, which ends well, is taken back, or loses its connection."""
    payments = [Payment(each, f"42{each.hex}"[:32], now) for each in orders]
    async with transaction() as tx:
        await settling.settle(tx, payments, now=now)
        if ends == "taken back":
            raise Crash
        if ends == "cut off":
            pid = await tx.connection.fetchval("SELECT pg_backend_pid()")
            await rows("SELECT pg_terminate_backend($1)", pid)
            await tx.rows("SELECT 1")


async def numbers_of(series: str) -> list[int]:
    found = await rows("SELECT nth FROM receipt WHERE series = $1 ORDER BY nth", series)
    return [row["nth"] for row in found]


async def a_series(api: Api, year: int) -> tuple[UUID, str, datetime]:
    """A hall that issues, in a year in which nobody else does."""
    hall = api.services.directory.hall(await api.quiet_hall())
    series = f"{hall.code}-{year}"
    assert not await numbers_of(series)
    return hall.id, series, datetime(year, 5, 5, tzinfo=UTC)


async def test_many_at_once_and_some_that_come_to_nothing_leave_no_gap(api: Api) -> None:
    hall_id, series, now = await a_series(api, 2031)
    orders = [await an_order_of(hall_id, now) for _ in range(48)]
    batches = [orders[nth : nth + 3] for nth in range(0, 48, 3)]
    endings = ["well", "taken back", "well", "cut off"] * 4
    told = await asyncio.gather(
        *(settled(batch, now, ends=end) for batch, end in zip(batches, endings, strict=True)),
        return_exceptions=True,
    )
    assert [fault is None for fault in told] == [end == "well" for end in endings], told
    assert await numbers_of(series) == list(range(1, 25))
    # Whoever was taken back comes again, beside others who come twice.
    await asyncio.gather(*(settled(batch, now) for batch in batches))
    assert await numbers_of(series) == list(range(1, 49))
    assert (await row_of("receipt_counter", series, "series"))["last_nth"] == 48  # type: ignore[arg-type]


async def test_each_issuer_counts_for_itself_and_begins_anew_each_year(api: Api) -> None:
    hall_id, series, now = await a_series(api, 2032)
    late = datetime(2031, 12, 31, 15, 59, tzinfo=UTC)
    await settled([await an_order_of(hall_id, now)], now)
    other = api.services.directory.hall(await api.quiet_hall())
    # Both in one transaction, and the year is that of China.
    orders = [await an_order_of(other.id, late), await an_order_of(hall_id, late)]
    await settled(orders, datetime(2031, 12, 31, 16, 0, tzinfo=UTC))
    assert await numbers_of(series) == [1, 2]
    assert await numbers_of(f"{other.code}-2032") == [1]


async def test_a_refund_gets_a_red_receipt_of_the_same_series_once(api: Api) -> None:
    hall_id, series, now = await a_series(api, 2033)
    order_id = await an_order_of(hall_id, now, fen=1000)
    await settled([order_id], now)
    for request_no, fen, ends in (("a", 300, "finish"), ("b", 200, "fail"), ("c", 700, "finish")):
        async with transaction() as tx:
            wish = Wish(request_no, fen, RefundReason.OVERCHARGED, SYSTEM, approved=True)
            row, _ = await refunds.ask(tx, await refunds.lock_order(tx, order_id), wish, now=now)
        for _ in range(2):
            async with transaction() as tx:
                held = await tx.row("SELECT * FROM refund WHERE id = $1 FOR UPDATE", row["id"])
                order = await refunds.lock_order(tx, order_id)
                await refunds.conclude(tx, order, held, ends, now=now)
    found = await rows("SELECT * FROM receipt WHERE series = $1 ORDER BY nth", series)
    assert [(row["nth"], row["kind"], row["amount_fen"]) for row in found] == [
        (1, "paid", 1000),
        (2, "red", 300),
        (3, "red", 700),
    ]
    assert {row["original_id"] for row in found[1:]} == {found[0]["id"]}


async def test_what_went_back_without_having_settled_a_bill_has_no_receipt(api: Api) -> None:
    hall_id, series, now = await a_series(api, 2034)
    first = await an_order_of(hall_id, now)
    bill = (await row_of("pay_order", first))["bill_id"]
    second = await an_order(bill, "alipay", now=now)
    await settled([first, second], now)
    surplus = second if (await row_of("pay_order", first))["settles"] else first
    back = await row_of("refund", surplus, "order_id")
    async with transaction() as tx:
        await refunds.conclude(tx, await refunds.lock_order(tx, surplus), back, "finish", now=now)
    assert await numbers_of(series) == [1]


async def test_a_receipt_is_never_changed_or_deleted(api: Api) -> None:
    hall_id, series, now = await a_series(api, 2035)
    await settled([await an_order_of(hall_id, now)], now)
    for sql in (
        "UPDATE receipt SET amount_fen = 1 WHERE series = $1",
        "DELETE FROM receipt WHERE series = $1",
        "DELETE FROM receipt_counter WHERE series = $1",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await rows(sql, series)


async def test_verify_finds_gaps_and_what_has_no_receipt(api: Api) -> None:
    hall_id, series, now = await a_series(api, 2036)
    orders = [await an_order_of(hall_id, now) for _ in range(3)]
    await settled(orders[:2], now)
    async with transaction(SNAPSHOT.replace(", READ ONLY", "")) as tx:
        before = (await verify_in(tx, EVERYTHING)).found.counts
        assert not {"receipt_gap", "receipt_missing", "receipt_over"} & set(before)
        await tx.run("ALTER TABLE receipt DISABLE TRIGGER receipts_stay")
        await tx.run("DELETE FROM receipt WHERE order_id = $1", orders[0])
        await tx.run("UPDATE receipt SET amount_fen = 799 WHERE order_id = $1", orders[1])
        found = (await verify_in(tx, EVERYTHING)).found.counts
        assert {kind: found[kind] for kind in found if kind.startswith("receipt")} == {
            "receipt_gap": 1,
            "receipt_missing": 1,
            "receipt_over": 1,
        }
        await tx.run("ROLLBACK; BEGIN")
    assert await numbers_of(series) == [1, 2]


def test_a_code_is_not_guessed() -> None:
    assert len(receipts._LETTERS) ** receipts.CODE_LENGTH >= 2**100
