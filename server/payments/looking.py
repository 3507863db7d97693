"""Asking channels how orders stand, and making that true here; closing what nobody paid in time.

No transaction is open while a channel is asked.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from integrations.ports_payment import (
    ChannelOrder,
    ChannelRefused,
    ChannelUnavailable,
    OutcomeUnknown,
    PaymentChannel,
)
from models import inbox, orders, settling
from models.audit import Entry, record
from models.database import rows, transaction
from models.inbox import NewsState
from models.orders import OrderState
from models.settling import Payment
from models.tickets import SYSTEM
from server.faults import is_store_fault
from server.payments.channels import order_ref

log = structlog.get_logger()

Channels = Mapping[str, PaymentChannel]
# Whoever looks after an order has it for so long; then another may.
LEASE: Final = timedelta(seconds=60)
_AT_ONCE: Final = 20
NOT_ANSWERED: Final = (ChannelUnavailable, OutcomeUnknown, ChannelRefused)


async def look_after_orders(channels: Channels, now: datetime) -> int:
    """Ask about each order whose time has come; how many."""
    due = await rows(
        """
        UPDATE pay_order SET look_at = $1::timestamptz + $2::interval WHERE id IN (
            SELECT id FROM pay_order WHERE state = 'pending' AND look_at <= $1
            ORDER BY look_at LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING *
        """,
        now,
        LEASE,
        _AT_ONCE,
    )
    for order in due:
        await look(order, channels, now)
    return len(due)


async def ask_about_doubts(channels: Channels, now: datetime) -> int:
    """Ask about orders of which callbacks said what does not fit; how many."""
    doubted = await rows(
        """
        SELECT o.* FROM pay_order o
        WHERE o.id IN (SELECT order_id FROM callback_inbox
                       WHERE state = 'ask' AND order_id IS NOT NULL ORDER BY id LIMIT $1)
        """,
        _AT_ONCE,
    )
    for order in doubted:
        if await look(order, channels, now):
            async with transaction() as tx:
                await inbox.answered(tx, NewsState.SETTLED, order_id=order["id"])
    return len(doubted)


async def look(order: Any, channels: Channels, now: datetime) -> bool:
    """Ask the channel about one order and learn what it says; False where it does not answer."""
    channel = channels.get(order["channel"])
    try:
        if channel is None:
            return False
        told = await channel.query(order_ref(order))
        if told.state in ("unpaid", "absent") and now >= order["close_at"]:
            told = await _closed(channel, order, told)
        await learn(order, told, now)
    except NOT_ANSWERED as fault:
        log.warning("order_not_looked_up", order=order["order_no"], fault=type(fault).__name__)
        return False
    except Exception as fault:
        if is_store_fault(fault):
            raise
        # One that cannot be settled keeps no other from it: a person has to see.
        log.error("order_not_looked_up", order=order["order_no"], fault=type(fault).__name__)
        return False
    finally:
        await _look_again(order, now)
    return True


async def close(order: Any, channels: Channels, now: datetime) -> bool:
    """See to it at the channel that nobody can pay an order any more; whether that is so now.

    Where it is paid already it is settled, and nobody can pay it again.
    """
    channel = channels.get(order["channel"])
    if channel is None:
        return False
    try:
        await learn(order, await _closed(channel, order, None), now)
    except NOT_ANSWERED as fault:
        log.warning("order_not_closed", order=order["order_no"], fault=type(fault).__name__)
        return False
    (found,) = await rows("SELECT state FROM pay_order WHERE id = $1", order["id"])
    return OrderState(found["state"]) is not OrderState.PENDING


async def _closed(channel: PaymentChannel, order: Any, told: ChannelOrder | None) -> ChannelOrder:
    """Close it, and say how it stands then. A channel that knows of none can have none paid."""
    state = await channel.close(order_ref(order))
    if state == "paid" or (state == "unpaid" and told is None):
        return await channel.query(order_ref(order))
    if state == "absent":
        state = "closed"
    return ChannelOrder(order_no=order["order_no"], state=state)


async def learn(order: Any, told: ChannelOrder, now: datetime) -> None:
    """Make true here what a channel surely says of an order."""
    if told.state == "paid":
        if told.amount_fen != order["amount_fen"]:
            await _differs(order)
            return
        payment = Payment(order["id"], told.channel_no, told.paid_at or now)
        async with transaction() as tx:
            effects = await settling.settle(tx, [payment], now=now)
        log.info("order_looked_up", order=order["order_no"], effect=effects[order["id"]].value)
    elif told.state == "closed" and order["state"] == OrderState.PENDING.value:
        async with transaction() as tx:
            await orders.close(tx, order["id"], now=now)


async def _differs(order: Any) -> None:
    """The channel says that another amount was paid than we asked for: a person has to see."""
    log.error("order_paid_differently", order=order["order_no"])
    async with transaction() as tx:
        detail = {"reason": "amount_differs"}
        await record(tx, Entry(SYSTEM, "order.differs", "order", order["order_no"], detail=detail))


async def _look_again(order: Any, now: datetime) -> None:
    """When to look next, where it is pending still."""
    looks = order["looks"] + 1
    at = orders.next_look(order["placed_at"], looks, order["close_at"], now)
    await rows(
        "UPDATE pay_order SET look_at = $2, looks = $3 WHERE id = $1 AND state = 'pending'",
        order["id"],
        at,
        looks,
    )


async def order_by(order_id: UUID) -> Any:
    """An order's row."""
    (found,) = await rows("SELECT * FROM pay_order WHERE id = $1", order_id)
    return found
