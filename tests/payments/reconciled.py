"""Statements compared, for tests: payments that somebody made, and lies planted in statements."""

import asyncio
from datetime import date
from typing import Any
from uuid import uuid4

from models import refunds
from models.database import rows, transaction
from models.refunds import RefundReason, Wish
from models.tickets import SYSTEM
from scheduler.calendar import SHANGHAI
from server.payments.looking import look
from server.reconciling.day import Outcome, Reconciled, reconcile_day
from tests.payments.counter import Counter, order_of
from tests.payments.money import row_of


def a_stranger() -> str:
    """The number of a payment that nobody made here."""
    return f"P{uuid4().hex[:20].upper()}"


def today(counter: Counter) -> date:
    return counter.api.services.clock.now().astimezone(SHANGHAI).date()


async def reconciled(counter: Counter, channel: str = "wechat", **how: Any) -> Reconciled:
    room = counter.api.services
    found = await reconcile_day(
        room.platforms.payments, today(counter), now=room.clock.now(), only=[channel], **how
    )
    assert all(one.outcome is Outcome.COMPARED for one in found)
    return found[0]


async def plant(
    counter: Counter,
    *differences: dict[str, Any],
    channel: str = "wechat",
    statement: str = "trades",
) -> None:
    planted = {
        "channel": channel,
        "day": str(today(counter)),
        "differences": list(differences),
        "statement": statement,
    }
    (await counter.till.put("/_sandbox/bills/differences", json=planted)).raise_for_status()


async def cases_of(number: str) -> list[tuple[str, str]]:
    """What is kept about a number: how it differs, and what became of that."""
    found = await rows(
        "SELECT kind, state FROM reconciliation_case WHERE number = $1 ORDER BY id", number
    )
    return [(row["kind"], row["state"]) for row in found]


async def begun(counter: Counter, fen: int = 1500, channel: str = "wechat") -> str:
    """The number of a payment that somebody made, and of which no callback told us."""
    who = await counter.api.citizen()
    order_no = await counter.begun(who, await counter.a_bill(who, fen), channel)
    await counter.pay(order_no)
    return order_no


async def paid(counter: Counter, fen: int = 1500, channel: str = "wechat") -> str:
    """The number of a payment that somebody made, and that we know of."""
    order_no = await begun(counter, fen, channel)
    room = counter.api.services
    assert await look(await order_of(order_no), room.platforms.payments, room.clock.now())
    assert (await order_of(order_no))["state"] == "paid"
    return order_no


async def given_back(counter: Counter, order_no: str, fen: int) -> str:
    """The number of a refund that has ended at the channel, and here."""
    order = await order_of(order_no)
    wish = Wish("1", fen, RefundReason.OVERCHARGED, SYSTEM, approved=True)
    now = counter.api.services.clock.now()
    async with transaction() as tx:
        row, _ = await refunds.ask(tx, await refunds.lock_order(tx, order["id"]), wish, now=now)
    async with asyncio.timeout(20):
        while (await row_of("refund", row["id"]))["state"] != "done":
            await rows(
                "UPDATE refund SET try_at = $2 WHERE id = $1 AND try_at IS NOT NULL", row["id"], now
            )
            await counter.tend()
    return str(row["refund_no"])
