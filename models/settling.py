"""Settling: what channels surely were paid becomes true here, once, many at a time.

Bills are locked first and in order, then their orders: who settles one bill from two sides waits,
and finds it settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from models import bills, ledger, receipts, refunds
from models.bills import BillState
from models.collecting import COLLECTS
from models.database import Transaction
from models.ledger import COLLECTED, OWED_BACK, Entry, EntryKind
from models.orders import OrderState
from models.refunds import RefundReason, Wish
from models.tickets import SYSTEM


@dataclass(frozen=True, slots=True)
class Payment:
    """That a channel surely was paid an order; who calls has compared the amount."""

    order_id: UUID
    channel_no: str | None
    paid_at: datetime


class Effect(StrEnum):
    """What a payment does."""

    SETTLES = "settles"
    SURPLUS = "surplus"  # the bill needs it no more: it goes back
    LATE = "late"  # its order was closed: it goes back
    NOTHING = "nothing"  # it was known


def effect_of(order: OrderState, bill: BillState) -> Effect:
    """What a payment does, given where its order and its bill stand."""
    if order not in (OrderState.PENDING, OrderState.CLOSED):
        return Effect.NOTHING
    if order is OrderState.CLOSED:
        return Effect.LATE
    return Effect.SETTLES if bill is BillState.DUE else Effect.SURPLUS


_REASONS: Final = {Effect.SURPLUS: RefundReason.SURPLUS, Effect.LATE: RefundReason.LATE}


async def settle(
    tx: Transaction, payments: Sequence[Payment], *, now: datetime
) -> dict[UUID, Effect]:
    """Settle these payments; what each did, by its order.

    A second one for a bill, and one that comes after its order was closed, is paid all the same
    and goes back: its refund is asked for in the same transaction.
    """
    ids = [each.order_id for each in payments]
    held = {
        row["id"]: BillState(row["state"])
        for row in await tx.rows(
            "SELECT id, state FROM bill"
            " WHERE id IN (SELECT bill_id FROM pay_order WHERE id = ANY($1))"
            " ORDER BY id FOR UPDATE",
            ids,
        )
    }
    orders = {
        row["id"]: row
        for row in await tx.rows(
            "SELECT * FROM pay_order WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids
        )
    }
    effects: dict[UUID, Effect] = {}
    for payment in sorted(payments, key=lambda each: each.paid_at):
        if payment.order_id in effects:
            continue
        order = orders[payment.order_id]
        effect = effect_of(OrderState(order["state"]), held[order["bill_id"]])
        if effect is Effect.SETTLES:
            held[order["bill_id"]] = BillState.PAID
        effects[payment.order_id] = effect
    new = [each for each in _first(payments) if effects[each.order_id] is not Effect.NOTHING]
    if new:
        await _write(tx, new, orders, effects, now)
    return effects


def _first(payments: Sequence[Payment]) -> list[Payment]:
    """Of several payments of one order the earliest."""
    once: dict[UUID, Payment] = {}
    for payment in sorted(payments, key=lambda each: each.paid_at):
        once.setdefault(payment.order_id, payment)
    return list(once.values())


async def _write(
    tx: Transaction,
    payments: Sequence[Payment],
    orders: dict[UUID, Any],
    effects: dict[UUID, Effect],
    now: datetime,
) -> None:
    settling = [effects[each.order_id] is Effect.SETTLES for each in payments]
    paid = await tx.rows(
        """
        UPDATE pay_order o SET state = 'paid', paid_at = r.paid_at, settles = r.settles,
            channel_no = coalesce(r.channel_no, o.channel_no), look_at = NULL
        FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::boolean[])
          AS r (id, channel_no, paid_at, settles)
        WHERE o.id = r.id RETURNING o.*
        """,
        [each.order_id for each in payments],
        [each.channel_no for each in payments],
        [each.paid_at for each in payments],
        settling,
    )
    entries = [_entry(orders[each.order_id], effects[each.order_id]) for each in payments]
    await ledger.enter(tx, entries, now=now)
    settled = [each.order_id for each, settles in zip(payments, settling, strict=True) if settles]
    await tx.run(
        f"""
        UPDATE bill SET state = 'paid', settled_by = o.id, ended_at = $2, collects = {COLLECTS}
        FROM pay_order o WHERE o.id = ANY($1) AND bill.id = o.bill_id
        """,
        settled,
        now,
    )
    await bills.close_soon(tx, [orders[each]["bill_id"] for each in settled], now=now)
    for order in paid:
        effect = effects[order["id"]]
        if effect is not Effect.SETTLES:
            reason = _REASONS[effect]
            wish = Wish(reason.value, order["amount_fen"], reason, SYSTEM, approved=True)
            await refunds.ask(tx, order, wish, now=now)
    # Last, for it holds the counters of numbers that others wait for.
    await receipts.issue(tx, settled, now=now)


def _entry(order: Any, effect: Effect) -> Entry:
    settles = effect is Effect.SETTLES
    return Entry(
        EntryKind.PAID if settles else EntryKind.SURPLUS,
        ledger.at(order["channel"]),
        COLLECTED if settles else OWED_BACK,
        order["amount_fen"],
        order["id"],
    )
