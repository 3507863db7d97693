"""What holds for every payment channel's bill of a day: it agrees, or says where it does not."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from integrations.ports_bill import BillLine
from integrations.ports_payment import ChannelUnavailable, NewOrder, NewRefund
from tests.payments.channels import PlayedChannel

BEIJING = timezone(timedelta(hours=8))


def day_of(order: NewOrder) -> date:
    return order.placed_at.astimezone(BEIJING).date()


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def a_days_business(played: PlayedChannel) -> tuple[NewOrder, NewOrder, NewRefund]:
    """One order paid, another paid and partly refunded; bills are made the morning after."""
    # At noon, so that no midnight falls between.
    today = datetime.now(UTC).astimezone(BEIJING).date()
    midnight = datetime(today.year, today.month, today.day, tzinfo=BEIJING)
    await played.it_is(midnight + timedelta(hours=12))
    plain, returned = await played.paid(fen=10_001), await played.paid(fen=5_000)
    await played.refunds_end("success", deliveries=0)
    refund = await played.new_refund(returned, 1_999)
    await played.channel.refund(refund)
    await played.placed(fen=77)  # nobody pays it, so it is in no bill
    await played.it_is(midnight + timedelta(days=1, hours=11))
    return plain, returned, refund


async def lines_of(played: PlayedChannel, day: date, folder: Path) -> list[BillLine]:
    bill = await played.channel.fetch_bill(day, folder)
    assert bill is not None
    assert (bill.channel, bill.day) == (played.channel.name, day)
    assert bill.file.stat().st_size == bill.size
    assert names_in(folder) == [bill.file.name]
    return list(played.channel.read_bill(bill))


def about(lines: list[BillLine], *numbers: str) -> dict[str, tuple[int, Any]]:
    found = {line.refund_no or line.order_no: line for line in lines}
    return {n: (found[n].amount_fen, found[n].refund_state) for n in numbers if n in found}


async def test_a_bill_says_what_was_paid_and_what_went_back(
    played: PlayedChannel, tmp_path: Path
) -> None:
    plain, returned, refund = await a_days_business(played)
    lines = await lines_of(played, day_of(plain), tmp_path)
    numbers = (plain.order_no, returned.order_no, refund.ref.refund_no)
    assert about(lines, *numbers) == {
        plain.order_no: (10_001, None),
        returned.order_no: (5_000, None),
        refund.ref.refund_no: (1_999, "done"),
    }
    by_number = {line.refund_no or line.order_no: line for line in lines}
    assert by_number[plain.order_no].channel_no == (await played.known(plain)).channel_no
    for number in numbers:
        assert abs((by_number[number].at - plain.placed_at).total_seconds()) < 120
    assert len(lines) == len(by_number)


async def test_fetched_again_a_bill_takes_its_own_place(
    played: PlayedChannel, tmp_path: Path
) -> None:
    plain, _, _ = await a_days_business(played)
    first = await lines_of(played, day_of(plain), tmp_path)
    assert await lines_of(played, day_of(plain), tmp_path) == first


async def test_planted_differences_are_in_the_bill(played: PlayedChannel, tmp_path: Path) -> None:
    plain, returned, _ = await a_days_business(played)
    differences = [
        {"kind": "missing", "number": plain.order_no},
        {"kind": "amount", "number": returned.order_no, "fen": 1},
        {"kind": "extra", "number": "P20991231STRANGER", "fen": 4_242},
    ]
    planted = {"channel": played.channel.name, "day": str(day_of(plain))}
    reply = await played.sandbox.http.put(
        "/_sandbox/bills/differences", json=planted | {"differences": differences}
    )
    assert reply.status_code == 204, reply.text
    lines = await lines_of(played, day_of(plain), tmp_path)
    assert about(lines, plain.order_no, returned.order_no, "P20991231STRANGER") == {
        returned.order_no: (5_001, None),
        "P20991231STRANGER": (4_242, None),
    }
    await played.sandbox.http.put("/_sandbox/bills/differences", json=planted | {"differences": []})


async def test_a_day_without_business_has_no_bill(played: PlayedChannel, tmp_path: Path) -> None:
    plain, _, _ = await a_days_business(played)
    bill = await played.channel.fetch_bill(day_of(plain) - timedelta(days=3), tmp_path)
    assert bill is None or list(played.channel.read_bill(bill)) == []


@pytest.mark.parametrize("part", ["bill", "download"])
async def test_a_bill_that_does_not_come_whole_does_not_come(
    played: PlayedChannel, tmp_path: Path, part: str
) -> None:
    if part not in played.endpoints:
        pytest.skip("this channel has no such endpoint")
    plain, _, _ = await a_days_business(played)
    for kind in ("http_500", "rubbish", "wrong_signature"):
        await played.break_down(part, kind)
        with pytest.raises(ChannelUnavailable):
            await played.channel.fetch_bill(day_of(plain), tmp_path)
        await played.sandbox.mend()
    assert names_in(tmp_path) == []
