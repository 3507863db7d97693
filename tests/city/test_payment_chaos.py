"""Channels tell often, late, at once, wrongly or never, while processes are killed: no fen is lost.

It is a small one, so that the tests stay short. The whole of it, which writes down how much
happened, is
`YITING_CHAOS_ORDERS=2000 pytest -n 0 tests/city/test_payment_chaos.py --junit-xml=chaos.xml`.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tortoise.context import TortoiseContext

from integrations.stores import EmbeddedStores
from models import ledger, orm_config
from models.database import rows
from models.verifying import verify
from tests.city.paying import SPREAD_S, Order, Payer, all_delivered, payers, what_was_told
from tests.city.test_crashes import until_ready
from tests.conftest import City

ORDERS = int(os.environ.get("YITING_CHAOS_ORDERS", "60"))
HALL = "dg-26"
WHOLE = ORDERS >= 1000
# Orders that a killed worker had in hand are looked at again after a minute.
VICTIMS = ("api", "api", "work") if WHOLE else ("api",)
KILL_EVERY_S = 4.0
SETTLED_WITHIN_S = 600.0 if WHOLE else 90.0


@pytest_asyncio.fixture
async def http(city: City) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=city.url, trust_env=False, timeout=30) as http:
        yield http


@pytest_asyncio.fixture
async def till(city: City) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=city.sandbox_url, trust_env=False, timeout=60) as till:
        yield till


@pytest_asyncio.fixture
async def database(city: City) -> AsyncIterator[None]:
    url = EmbeddedStores(city.data_dir).urls.database
    with TortoiseContext() as context:
        await context.init(config=orm_config(url, pool_size=1))
        yield
        await context.connections.close_all()


async def kill_until(city: City, http: httpx.AsyncClient, over: asyncio.Event) -> int:
    """Kill somebody every few seconds, as long as anybody serves; how many."""
    dice, killed = random.Random(7), 0
    while not over.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), KILL_EVERY_S)
        await until_ready(http, within_s=60)
        if pids := city.pids(dice.choice(VICTIMS)):
            # Who has lived longest: else nobody would live long enough to do anything.
            os.kill(pids[0], signal.SIGKILL)
            killed += 1
    return killed


async def pay_all(people: Sequence[Payer]) -> None:
    """All pay at once, each one bill after another, until there are enough orders."""
    made = 0

    async def go_on(payer: Payer) -> None:
        nonlocal made
        while made < ORDERS:
            more = await payer.owe_and_pay()
            made += more

    await asyncio.gather(*(go_on(each) for each in people))


async def ours(orders: Sequence[Order]) -> dict[str, Any]:
    found = await rows(
        "SELECT o.*, b.state AS bill_state, b.settled_by FROM pay_order o"
        " JOIN bill b ON b.id = o.bill_id WHERE o.order_no = ANY($1)",
        [each.order_no for each in orders],
    )
    return {row["order_no"]: row for row in found}


async def until_settled(orders: Sequence[Order]) -> None:
    """Wait until what the channels took is known, and what is too much has gone back."""
    numbers = [each.order_no for each in orders if each.paid]
    async with asyncio.timeout(SETTLED_WITHIN_S):
        while True:
            (left,) = await rows(
                """
                SELECT (SELECT count(*) FROM pay_order WHERE order_no = ANY($1)
                          AND (paid_at IS NULL OR state = 'refunding'))
                     + (SELECT count(*) FROM callback_inbox WHERE state = 'stored') AS many
                """,
                numbers,
            )
            if not left["many"]:
                return
            await asyncio.sleep(0.25)


async def check_with_the_channels(till: httpx.AsyncClient, orders: Sequence[Order]) -> None:
    """Compare each order with the channel's book, and the ledger with all of them together."""
    rows_here, held = await ours(orders), Counter[str]()
    for order in orders:
        here = rows_here[order.order_no]
        found = (await till.get("/_sandbox/orders", params={"order_no": order.order_no})).json()
        (there,) = found["data"]
        assert (there["state"] == "paid") == order.paid == (here["paid_at"] is not None)
        assert there["amount_fen"] == order.fen == here["amount_fen"]
        back = sum(each["refund_fen"] for each in there["refunds"] if each["state"] == "done")
        assert (back, sum(each["refund_fen"] for each in there["refunds"])) == (
            here["refunded_fen"],
            here["refunded_fen"],
        )
        held[f"at_{order.channel}"] += (order.fen if order.paid else 0) - back
    entered = await rows(
        """
        SELECT a.code, coalesce(sum(CASE WHEN e.debit_id = a.code THEN e.amount_fen
                                         ELSE -e.amount_fen END), 0) AS fen
        FROM ledger_account a JOIN ledger_entry e ON a.code IN (e.debit_id, e.credit_id)
        WHERE a.kind = 'asset' AND e.order_id = ANY($1) GROUP BY a.code
        """,
        [row["id"] for row in rows_here.values()],
    )
    assert {row["code"]: int(row["fen"]) for row in entered} == {
        account: fen
        for account, fen in held.items()
        if fen or account in {e["code"] for e in entered}
    }


async def check_each_bill(people: Sequence[Payer]) -> None:
    """Each bill that somebody paid is paid once; everybody sees just that on her phone."""
    for payer in people:
        paid = {each.bill for each in payer.orders if each.paid}
        stands = await ours(payer.orders)
        for bill in {each.bill for each in payer.orders}:
            of_it = [stands[each.order_no] for each in payer.orders if each.bill == bill]
            settling = [row["id"] for row in of_it if row["settles"]]
            assert len(settling) == (bill in paid)
            assert {row["settled_by"] for row in of_it} == {
                *settling,
                *([] if settling else [None]),
            }
        seen: dict[str, str] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = (await payer.who.get(f"/bills?limit=100{cursor}")).json()
            seen |= {each["id"]: each["state"] for each in page["data"]}
            cursor = f"&cursor={page['next_cursor']}" if page.get("next_cursor") else None
        told = {each.bill: "paid" if each.bill in paid else "due" for each in payer.orders}
        assert {bill: seen[bill] for bill in told} == told


@pytest.mark.timeout(3600 if WHOLE else 300)
async def test_whatever_channels_do_and_whoever_dies_no_fen_is_lost(
    city: City,
    http: httpx.AsyncClient,
    till: httpx.AsyncClient,
    database: None,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    await until_ready(http, within_s=60)
    how = {"outcome": "success", "takes_s": 0.2, "deliveries": 3, "until_thanked": True}
    (await till.put("/_sandbox/refunds", json=how)).raise_for_status()
    (before,) = await rows("SELECT seq FROM audit_head")
    people = await payers(city, http, till, HALL, min(ORDERS // 5, 32))
    over = asyncio.Event()
    killing = asyncio.create_task(kill_until(city, http, over))
    try:
        await pay_all(people)
        await asyncio.sleep(SPREAD_S)  # most callbacks are on their way now
    finally:
        over.set()
    killed = await killing
    await all_delivered(till)
    orders = [order for payer in people for order in payer.orders]
    await until_ready(http, within_s=60)
    await until_settled(orders)
    told = await what_was_told(till, orders)
    (audited,) = await rows(
        "SELECT coalesce(sum(coalesce((detail->>'many')::int, 1)), 0) AS many FROM audit_entry"
        " WHERE action = 'callback.refused' AND seq > $1",
        before["seq"],
    )
    assert told.tampered_and_answered <= audited["many"] <= told.tampered
    stands = await ours(orders)
    assert not [each for each in told.thanked if stands[each]["paid_at"] is None]
    await check_with_the_channels(till, orders)
    await check_each_bill(people)
    assert await ledger.disagreeing() == []
    verdict = await verify()
    assert verdict.is_well, [str(one) for kept in verdict.found.kept.values() for one in kept]
    record_testsuite_property("orders", len(orders))
    record_testsuite_property("paid", sum(each.paid for each in orders))
    too_much = sum(row["settles"] is False for row in stands.values())
    record_testsuite_property("paid too much, and back", too_much)
    record_testsuite_property("genuine deliveries", told.genuine)
    record_testsuite_property("tampered deliveries", told.tampered)
    record_testsuite_property("processes killed", killed)
    assert killed
    assert told.tampered_and_answered
