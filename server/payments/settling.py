"""What callbacks said becomes true here: many pieces of news in one transaction, each once.

A process settles what it stored itself at once, all that came meanwhile together. What a process
that died has left is found by the worker: the rows alone tell what is due.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog

from models import inbox, settling
from models.database import Transaction, rows, transaction
from models.inbox import NewsState
from models.orders import OrderState
from models.settling import Payment
from server.clock import Clock
from server.faults import is_store_fault
from server.payments import refunding

log = structlog.get_logger()

MOST_AT_ONCE: Final = 100
# What nobody has settled for so long was left by a process that died.
LEFT_AFTER_S: Final = 2.0


class Settler:
    """Settles what this process has stored, one batch after the other."""

    def __init__(self, clock: Callable[[], Clock]) -> None:
        self._clock = clock
        self._waiting: list[int] = []
        self._come = asyncio.Event()

    def told(self, news_id: int) -> None:
        """Settle this soon."""
        self._waiting.append(news_id)
        self._come.set()

    async def run_forever(self) -> None:
        """Settle what is told, until cancelled. What a fault leaves undone the worker finds."""
        while True:
            await self._come.wait()
            self._come.clear()
            while self._waiting:
                ids, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                try:
                    await settle_news(self._clock().now(), ids=ids)
                except Exception as fault:
                    if not is_store_fault(fault):
                        log.error("news_not_settled", fault=type(fault).__name__)
                    else:
                        log.warning("news_not_settled", fault=type(fault).__name__)


async def settle_news(now: datetime, *, ids: Sequence[int] | None = None) -> int:
    """Settle these, or what was left by others; how many pieces of news."""
    try:
        return await _settle_together(now, ids)
    except Exception as fault:
        if is_store_fault(fault):
            raise
        # One of them cannot be: it shall not keep the others.
        log.warning("settled_one_by_one", fault=type(fault).__name__)
    return await _settle_apart(now, ids)


async def _settle_apart(now: datetime, ids: Sequence[int] | None) -> int:
    if ids is None:
        found = await rows(
            "SELECT id FROM callback_inbox WHERE state = 'stored' ORDER BY id LIMIT $1",
            MOST_AT_ONCE,
        )
        ids = [row["id"] for row in found]
    done = 0
    for each in ids:
        try:
            done += await _settle_together(now, [each])
        except Exception as fault:
            if is_store_fault(fault):
                raise
            log.error("news_not_settled", news=each, fault=type(fault).__name__)
            async with transaction() as tx:
                await inbox.finish(tx, [each], NewsState.ASK)
    return done


async def _settle_together(now: datetime, ids: Sequence[int] | None) -> int:
    wait_s = LEFT_AFTER_S if ids is None else 0.0
    async with transaction() as tx:
        news = await inbox.claim(tx, MOST_AT_ONCE, ids=ids, wait_s=wait_s)
        of_orders = [each for each in news if each["order_id"]]
        of_refunds = [each for each in news if each["refund_id"]]
        if of_orders:
            await _settle_orders(tx, of_orders, now)
    for each in of_refunds:
        await _end_refund(each, now)
    return len(news)


async def _settle_orders(tx: Transaction, news: Sequence[Any], now: datetime) -> None:
    """Settle what was paid; what does not fit what is known is to be asked of the channel."""
    paid = [each for each in news if each["said"] == "paid"]
    payments = [
        Payment(each["order_id"], each["channel_no"], each["happened_at"] or now) for each in paid
    ]
    effects = await settling.settle(tx, payments, now=now) if payments else {}
    known = await tx.rows(
        "SELECT id, state, channel_no FROM pay_order WHERE id = ANY($1)",
        [each["order_id"] for each in news],
    )
    orders = {row["id"]: row for row in known}
    fits = [each["id"] for each in news if _fits(each, orders[each["order_id"]])]
    await inbox.finish(tx, fits, NewsState.SETTLED)
    doubted = {each["id"] for each in news} - set(fits)
    await inbox.finish(tx, list(doubted), NewsState.ASK)
    if doubted:
        log.warning("news_doubted", many=len(doubted), settled=len(effects))


def _fits(news: Any, order: Any) -> bool:
    """Whether what the news say is how the order stands here, now that they are settled."""
    state = OrderState(order["state"])
    is_paid = state not in (OrderState.PENDING, OrderState.CLOSED)
    if news["said"] == "paid":
        return is_paid and news["channel_no"] in (None, order["channel_no"])
    # A channel may call an order closed once all of it went back; that it is unpaid tells nothing.
    return news["said"] != "closed" or state is not OrderState.PENDING


async def _end_refund(news: Any, now: datetime) -> None:
    """How a refund ended; what contradicts what is known is left to asking the channel."""
    (refund,) = await rows("SELECT * FROM refund WHERE id = $1", news["refund_id"])
    step = refunding.STEPS.get(news["said"])
    if step is not None:
        fits = await refunding.conclude(refund, step, now, channel_refund_no=news["channel_no"])
        if not fits:
            log.error("refund_news_contradict", refund=refund["refund_no"], said=news["said"])
    async with transaction() as tx:
        await inbox.finish(tx, [news["id"]], NewsState.SETTLED if step else NewsState.DROPPED)


async def waiting_news() -> int:
    """How much news is stored and not settled yet."""
    (found,) = await rows("SELECT count(*) AS many FROM callback_inbox WHERE state = 'stored'")
    return int(found["many"])


async def is_settled(order_id: UUID) -> bool:
    """Whether all that was stored about an order is settled."""
    found = await rows(
        "SELECT 1 FROM callback_inbox WHERE order_id = $1 AND state IN ('stored', 'ask') LIMIT 1",
        order_id,
    )
    return not found
