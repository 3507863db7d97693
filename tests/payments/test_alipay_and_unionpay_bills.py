"""Bills of Alipay and UnionPay: what a day brought, told to the fen, or told to be damaged."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from integrations.ports_bill import BillDamaged
from integrations.ports_payment import ChannelUnavailable
from tests.payments.playing import CHANNELS, Playing, playing


@pytest_asyncio.fixture(params=CHANNELS)
async def at(request: pytest.FixtureRequest) -> AsyncIterator[Playing]:
    async with playing(request.param) as one:
        yield one


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def a_day_of_business(at: Playing) -> tuple[Any, Any, Any]:
    await at.it_is(datetime(2026, 11, 23, 2, 0, tzinfo=UTC))
    await at.refunds_end("success")
    first, second = await at.paid(), await at.paid(amount_fen=50_000)
    refund = at.a_refund(second, 20_000)
    await at.channel.refund(refund)
    await at.place()
    await at.it_is(datetime(2026, 11, 24, 3, 0, tzinfo=UTC))
    return first, second, refund


async def test_a_days_bill_has_every_payment_and_refund(at: Playing, tmp_path: Path) -> None:
    first, second, refund = await a_day_of_business(at)
    bill = await at.channel.fetch_bill(date(2026, 11, 23), tmp_path)
    assert bill is not None
    assert bill.file.stat().st_size == bill.size
    lines = {line.refund_no or line.order_no: line for line in at.channel.read_bill(bill)}
    assert len(lines) == 3
    paid = lines[first.order_no]
    assert (paid.order_no, paid.refund_no, paid.amount_fen) == (first.order_no, None, 1234)
    assert (paid.fee_fen, paid.refund_state) == (7, None)
    assert paid.channel_no == await at.number_of(first.order_no)
    assert paid.at.astimezone(UTC) == datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    back = lines[refund.ref.refund_no]
    assert (back.order_no, back.amount_fen, back.fee_fen) == (second.order_no, 20_000, -120)
    assert back.refund_state == "done"
    assert back.channel_no == await at.number_of(second.order_no)
    assert names_in(tmp_path) == [bill.file.name]


async def test_a_bill_with_planted_differences_says_them(at: Playing, tmp_path: Path) -> None:
    first, second, _ = await a_day_of_business(at)
    await at.plant(
        "2026-11-23",
        {"kind": "missing", "number": first.order_no},
        {"kind": "amount", "number": second.order_no, "fen": 1},
        {"kind": "extra", "number": "P20261123STRANGER", "fen": 77},
    )
    bill = await at.channel.fetch_bill(date(2026, 11, 23), tmp_path)
    assert bill is not None
    paid = {x.order_no: x.amount_fen for x in at.channel.read_bill(bill) if x.refund_no is None}
    assert paid == {second.order_no: 50_001, "P20261123STRANGER": 77}


async def test_a_day_without_business_has_no_bill_and_one_not_over_none_yet(
    at: Playing, tmp_path: Path
) -> None:
    await a_day_of_business(at)
    assert await at.channel.fetch_bill(date(2026, 11, 21), tmp_path) is None
    with pytest.raises(ChannelUnavailable):
        await at.channel.fetch_bill(date(2026, 11, 24), tmp_path)
    assert not names_in(tmp_path)


async def test_a_damaged_bill_is_told(at: Playing, tmp_path: Path) -> None:
    await a_day_of_business(at)
    bill = await at.channel.fetch_bill(date(2026, 11, 23), tmp_path)
    assert bill is not None
    whole = bill.file.read_bytes()
    bill.file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BillDamaged):
        list(at.channel.read_bill(bill))
