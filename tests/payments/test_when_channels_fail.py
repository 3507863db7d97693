"""Channels that are away, slow, or not to be believed: no fen moves twice or is lost."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from models import ledger
from models.database import rows
from tests.conftest import MONDAY_MORNING
from tests.payments.counter import Counter, order_of
from tests.payments.money import entries_of
from tests.people import Person

Json = dict[str, Any]


@pytest.fixture
async def citizen(counter: Counter) -> Person:
    return await counter.api.citizen()


async def breaks(counter: Counter, endpoint: str, kind: str, **how: Any) -> None:
    body = {"endpoint": f"wechatpay.{endpoint}", "kind": kind} | how
    (await counter.till.put("/_sandbox/faults", json=body)).raise_for_status()


async def works_again(counter: Counter) -> None:
    (await counter.till.delete("/_sandbox/faults")).raise_for_status()


async def paid(counter: Counter, who: Person, fen: int = 1000) -> tuple[Json, str]:
    """A bill of hers and its payment."""
    bill = await counter.a_bill(who, fen)
    order_no = await counter.begun(who, bill)
    await counter.pay(order_no, deliveries=1)
    async with asyncio.timeout(20):
        while True:
            if (await order_of(order_no))["state"] == "paid":
                return bill, order_no
            await asyncio.sleep(0.02)


async def ask_back(counter: Counter, bill: Json, fen: int) -> str:
    clerk = await counter.api.clerk(counter.hall)
    body = {"request_no": f"r{fen}", "amount_fen": fen, "reason": "other"}
    reply = await clerk.post(f"/halls/{counter.hall}/bills/{bill['id']}/refunds", body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["refund_no"])


async def refund_of(refund_no: str) -> Any:
    (found,) = await rows("SELECT * FROM refund WHERE refund_no = $1", refund_no)
    return found


async def tend_until(counter: Counter, refund_no: str, state: str) -> None:
    """Let the worker tend while hours go by."""
    for minutes in (0, 1, 3, 10, 60, 180):
        counter.api.turn_clock((MONDAY_MORNING + timedelta(minutes=minutes)).isoformat())
        await counter.tend()
        if (await refund_of(refund_no))["state"] == state:
            return
    raise AssertionError((await refund_of(refund_no))["state"])


@pytest.mark.parametrize("kind", ["http_500", "rubbish", "wrong_signature"])
async def test_a_payment_whose_beginning_got_lost_is_begun_again(
    counter: Counter, citizen: Person, kind: str
) -> None:
    bill = await counter.a_bill(citizen, 800)
    body = {"bill_id": bill["id"], "channel": "wechat"}
    await breaks(counter, "prepay", kind)
    lost = await citizen.post("/payments", body)
    await works_again(counter)
    assert (lost.status_code, lost.json()["code"]) == (503, "unavailable")
    again = await citizen.post("/payments", body)
    assert again.status_code == 201
    found = await rows("SELECT order_no FROM pay_order WHERE bill_id = $1", bill["id"])
    assert [row["order_no"] for row in found] == [again.json()["order_no"]]


@pytest.mark.parametrize("kind", ["http_500", "wrong_signature"])
async def test_a_refund_whose_answer_got_lost_moves_money_once(
    counter: Counter, citizen: Person, kind: str
) -> None:
    bill, order_no = await paid(counter, citizen)
    refund_no = await ask_back(counter, bill, 400)
    await breaks(counter, "refund", kind)
    await counter.tend()
    await works_again(counter)
    await tend_until(counter, refund_no, "done")
    book = await counter.at_the_channel(order_no)
    assert [each["refund_fen"] for each in book["refunds"]] == [400]
    assert (await order_of(order_no))["state"] == "partly_refunded"
    assert await ledger.disagreeing() == []


async def test_a_refund_that_fails_leaves_the_money_ours(counter: Counter, citizen: Person) -> None:
    bill, order_no = await paid(counter, citizen)
    how = {"outcome": "fail", "takes_s": 0}
    (await counter.till.put("/_sandbox/refunds", json=how)).raise_for_status()
    await tend_until(counter, await ask_back(counter, bill, 400), "failed")
    assert (await order_of(order_no))["state"] == "paid"
    kinds = [kind for kind, *_ in await entries_of((await order_of(order_no))["id"])]
    assert kinds == ["paid", "promised", "kept"]
    # Another request is another refund.
    how = {"outcome": "success", "takes_s": 0}
    (await counter.till.put("/_sandbox/refunds", json=how)).raise_for_status()
    await tend_until(counter, await ask_back(counter, bill, 300), "done")
    assert await ledger.disagreeing() == []


async def test_a_refund_that_is_stuck_waits_for_people(counter: Counter, citizen: Person) -> None:
    bill, order_no = await paid(counter, citizen)
    how = {"outcome": "stuck", "takes_s": 0}
    (await counter.till.put("/_sandbox/refunds", json=how)).raise_for_status()
    refund_no = await ask_back(counter, bill, 1000)
    await tend_until(counter, refund_no, "stuck")
    assert (await order_of(order_no))["state"] == "refunding"
    body = {"refund_no": refund_no, "outcome": "success", "deliveries": 3}
    (await counter.till.post("/_sandbox/refund", json=body)).raise_for_status()
    assert {each["status"] for each in await counter.delivered(refund_no)} <= {204}
    async with asyncio.timeout(20):
        while True:
            if (await order_of(order_no))["state"] == "refunded":
                break
            await counter.tend()
            await asyncio.sleep(0.05)
    assert await ledger.disagreeing() == []


async def test_what_cannot_be_asked_stays_pending_and_is_asked_again(
    counter: Counter, citizen: Person
) -> None:
    order_no = await counter.begun(citizen, await counter.a_bill(citizen, 800))
    await counter.pay(order_no)
    counter.api.turn_clock((MONDAY_MORNING + timedelta(hours=1)).isoformat())
    await breaks(counter, "query", "http_500")
    await counter.tend()
    await works_again(counter)
    assert (await order_of(order_no))["state"] == "pending", "it is not closed unasked"
    counter.api.turn_clock((MONDAY_MORNING + timedelta(hours=2)).isoformat())
    await counter.tend()
    assert (await order_of(order_no))["state"] == "paid"
