"""Numbers with a fee: the counter sees whether it is paid, and what nobody came for goes back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from models.database import rows
from scheduler.discipline import Rules
from server.payments.abandoning import look_after_abandoned
from server.payments.carrying import look_after_held
from tests.conftest import MONDAY_MORNING
from tests.payments.counter import Counter
from tests.people import Person


async def paid(counter: Counter, who: Person) -> dict[str, Any]:
    """The bill of a number of hers, paid."""
    bill = await counter.a_bill(who)
    order_no = await counter.begun(who, bill)
    await counter.pay(order_no, deliveries=1)
    async with asyncio.timeout(30):
        while (await bill_of(who))["state"] != "paid":
            await counter.tend()
    return bill


async def bill_of(who: Person) -> dict[str, Any]:
    found: dict[str, Any] = (await who.get("/bills")).json()["data"][0]
    return found


async def decided(counter: Counter, later_min: float = 0) -> None:
    counter.api.turn_clock((MONDAY_MORNING + timedelta(minutes=later_min)).isoformat())
    await look_after_abandoned(counter.api.services.clock.now())


async def told(who: Person) -> list[str]:
    """What she was told about her fee, the latest first."""
    found = (await who.get("/notices")).json()["data"]
    return [one["kind"] for one in found if one["kind"] in {"bill_going_back", "bill_held"}]


async def test_a_fee_goes_back_once_its_number_is_given_up(counter: Counter) -> None:
    who = await counter.api.citizen()
    bill = await paid(counter, who)
    await decided(counter)
    assert (await bill_of(who))["abandoned"] is None
    assert (await who.post(f"/tickets/{bill['ticket']}/cancel")).status_code == 200
    await asyncio.gather(*(decided(counter) for _ in range(4)))
    assert (await bill_of(who))["abandoned"] == "refunded"
    assert await told(who) == ["bill_going_back"]
    async with asyncio.timeout(30):
        while (await bill_of(who))["payment"] != "refunded":
            await counter.tend()
    found = await rows(
        "SELECT request_no, amount_fen FROM refund WHERE order_id = "
        "(SELECT settled_by FROM bill WHERE bill_no = $1)",
        bill["bill_no"],
    )
    assert [tuple(row) for row in found] == [("abandoned", bill["amount_fen"])]


async def test_a_hall_may_hold_it_instead(counter: Counter) -> None:
    who = await counter.api.citizen()
    bill = await paid(counter, who)
    hall = counter.hall
    await rows("UPDATE hall SET rules = rules || '{\"refund_abandoned\": 0}' WHERE code = $1", hall)
    try:
        await who.post(f"/tickets/{bill['ticket']}/cancel")
        await decided(counter)
    finally:
        await rows("UPDATE hall SET rules = rules - 'refund_abandoned' WHERE code = $1", hall)
    held = await bill_of(who)
    assert (held["abandoned"], held["payment"]) == ("held", "paid")
    assert await told(who) == ["bill_held"]


@pytest.fixture
async def holds(counter: Counter) -> AsyncIterator[None]:
    """The hall holds what was paid for numbers that are given up."""
    hall = counter.hall
    await rows("UPDATE hall SET rules = rules || '{\"refund_abandoned\": 0}' WHERE code = $1", hall)
    yield
    await rows("UPDATE hall SET rules = rules - 'refund_abandoned' WHERE code = $1", hall)


async def held(counter: Counter, who: Person) -> dict[str, Any]:
    """A bill of hers that she paid, for a number that she gave up."""
    bill = await paid(counter, who)
    assert (await who.post(f"/tickets/{bill['ticket']}/cancel")).status_code == 200
    await decided(counter)
    assert (await bill_of(who))["abandoned"] == "held"
    return bill


@pytest.mark.usefixtures("holds")
async def test_what_is_held_goes_with_her_next_number(counter: Counter) -> None:
    who = await counter.api.citizen()
    bill = await held(counter, who)
    stranger = (await (await counter.api.citizen()).take(counter.hall, bill["item"])).json()
    taken = (await who.take(counter.hall, bill["item"])).json()
    done = await asyncio.gather(*(look_after_held() for _ in range(4)))
    assert sum(done) == 1
    found = await bill_of(who)
    assert (found["id"], found["ticket"], found["abandoned"], found["payment"]) == (
        bill["id"],
        taken["id"],
        None,
        "paid",
    )
    again = await who.post("/bills", {"ticket": taken["id"]})
    assert (again.json()["id"], again.json()["state"]) == (bill["id"], "paid")
    assert not await rows("SELECT 1 FROM bill WHERE ticket_id = $1", stranger["id"])
    # Given up once more it is held once more.
    assert (await who.post(f"/tickets/{taken['id']}/cancel")).status_code == 200
    await decided(counter)
    assert (await bill_of(who))["abandoned"] == "held"


@pytest.mark.usefixtures("holds")
async def test_who_asks_for_her_bill_at_once_is_not_asked_to_pay_twice(counter: Counter) -> None:
    who = await counter.api.citizen()
    bill = await held(counter, who)
    taken = (await who.take(counter.hall, bill["item"])).json()
    clerk = await counter.api.clerk(counter.hall)
    carrying = asyncio.create_task(look_after_held())
    replies = await asyncio.gather(
        *(who.post("/bills", {"ticket": taken["id"]}) for _ in range(3)),
        clerk.post(f"/halls/{counter.hall}/bills", {"ticket": taken["id"]}),
    )
    await carrying
    assert [each.status_code for each in replies] == [201] * 4, [each.text for each in replies]
    assert {(each.json()["id"], each.json()["state"]) for each in replies} == {(bill["id"], "paid")}


@pytest.mark.usefixtures("holds")
async def test_what_was_given_back_in_part_is_left_to_staff(counter: Counter) -> None:
    who = await counter.api.citizen()
    bill = await held(counter, who)
    clerk = await counter.api.clerk(counter.hall)
    body = {"request_no": "1", "amount_fen": 1, "reason": "overcharged"}
    asked = await clerk.post(f"/halls/{counter.hall}/bills/{bill['id']}/refunds", body)
    assert asked.status_code == 201, asked.text
    taken = (await who.take(counter.hall, bill["item"])).json()
    assert await look_after_held() == 0
    own = (await who.post("/bills", {"ticket": taken["id"]})).json()
    assert own["id"] != bill["id"]
    assert own["state"] == "due"


async def test_what_was_not_paid_is_asked_for_no_more(counter: Counter) -> None:
    who = await counter.api.citizen()
    bill = await counter.a_bill(who)
    await who.post(f"/tickets/{bill['ticket']}/cancel")
    await decided(counter)
    after = await bill_of(who)
    assert (after["abandoned"], after["state"]) == ("cancelled", "cancelled")
    again = await who.post("/bills", {"ticket": bill["ticket"]})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


async def test_who_was_missed_may_come_back_before_it_is_decided(counter: Counter) -> None:
    who = await counter.api.citizen()
    bill = await paid(counter, who)
    item = counter.api.services.directory.item(bill["item"])
    line = counter.api.services.directory.hall(counter.hall).offers[item.code]
    clerk = await counter.api.clerk(counter.hall)
    at = f"/halls/{counter.hall}/counters"
    code = next(
        one["code"] for one in (await clerk.get(at)).json()["data"] if line in one["skills"]
    )
    assert (await clerk.post(f"{at}/{code}/open", {"take_over": True})).status_code == 200
    assert (await clerk.post(f"{at}/{code}/call-next")).json()["id"] == bill["ticket"]
    seen = (await clerk.get(f"{at}/{code}/payment")).json()
    assert (seen["paid"], seen["fee_fen"], seen["ticket"]) == (
        "paid",
        item.fee_fen,
        bill["ticket"],
    )
    assert [one["id"] for one in seen["bills"]] == [bill["id"]]
    assert (await clerk.post(f"{at}/{code}/miss")).status_code == 200
    assert (await clerk.get(f"{at}/{code}/payment")).status_code == 404
    await decided(counter, 1)
    assert (await bill_of(who))["abandoned"] is None
    await decided(counter, Rules().grace_min + 2)
    assert (await bill_of(who))["abandoned"] == "refunded"
