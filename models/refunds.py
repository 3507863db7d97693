"""Refunds 退款: money that goes back, their states and what each step enters in the ledger.

Whoever calls holds the order's row. What is asked for is reserved on it at once, so that all
refunds together are never more than was paid: a CHECK on that row refuses one fen too many.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models import ledger, receipts
from models.database import Transaction
from models.ledger import COLLECTED, OWED_BACK, Entry, EntryKind
from models.orders import OrderState, new_number, standing
from models.tickets import Actor, WrongState


class RefundState(StrEnum):
    """Where a refund stands."""

    ASKED = "asked"  # a manager is to approve it
    REJECTED = "rejected"
    APPROVED = "approved"  # the channel is to be asked
    PENDING = "pending"  # the channel has it
    DONE = "done"
    FAILED = "failed"  # it did not go back, and will not under this number
    STUCK = "stuck"  # the channel cannot reach her account: a person has to see to it


class RefundReason(StrEnum):
    """Why money goes back."""

    SURPLUS = "surplus"  # the bill was settled by another order, or was cancelled
    LATE = "late"  # paid after the order was closed
    OVERCHARGED = "overcharged"
    NOT_SERVED = "not_served"
    WITHDRAWN = "withdrawn"  # she needs it no more
    OTHER = "other"


_S = RefundState
# (state, step) -> next state. What is not in here cannot happen; docs/payments.md draws it.
STEPS: Final[dict[tuple[RefundState, str], RefundState]] = {
    (_S.ASKED, "approve"): _S.APPROVED,
    (_S.ASKED, "reject"): _S.REJECTED,
    (_S.APPROVED, "send"): _S.PENDING,
    (_S.APPROVED, "finish"): _S.DONE,
    (_S.APPROVED, "fail"): _S.FAILED,
    (_S.APPROVED, "stick"): _S.STUCK,
    (_S.PENDING, "finish"): _S.DONE,
    (_S.PENDING, "fail"): _S.FAILED,
    (_S.PENDING, "stick"): _S.STUCK,
    (_S.STUCK, "finish"): _S.DONE,
    (_S.STUCK, "fail"): _S.FAILED,
}
# As long as it is in one of these, its amount is reserved on the order.
UNDER_WAY: Final = frozenset({_S.ASKED, _S.APPROVED, _S.PENDING, _S.STUCK})
# When the channel is asked again how a refund stands, after so many times.
LADDER: Final = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 3600))


class Refund(Model):
    """So much of one order goes back. `request_no` is its asker's: the same again is this one."""

    id = fields.UUIDField(primary_key=True)
    refund_no = fields.CharField(max_length=32, unique=True)
    order_id = fields.UUIDField()
    request_no = fields.CharField(max_length=64)
    amount_fen = fields.BigIntField()
    reason = fields.CharEnumField(RefundReason, max_length=16)
    state = fields.CharEnumField(RefundState, max_length=12)
    asked_at = fields.DatetimeField()
    asked_by = fields.CharField(max_length=16)
    asked_by_id = fields.UUIDField(null=True)
    decided_at = fields.DatetimeField(null=True)
    decided_by_id = fields.UUIDField(null=True)
    # When the channel was first asked, the same in every question ever after.
    sent_at = fields.DatetimeField(null=True)
    channel_refund_no = fields.CharField(max_length=64, null=True)
    ended_at = fields.DatetimeField(null=True)
    try_at = fields.DatetimeField(null=True)
    tries = fields.IntField(db_default=0)
    # Why the channel would not, in our word for it.
    fault = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "refund"
        constraints = (
            UniqueConstraint(fields=("order_id", "request_no"), name="refund_once"),
            CheckConstraint(check="amount_fen > 0", name="refund_amount"),
            CheckConstraint(
                check="(state IN ('done', 'failed', 'rejected')) = (ended_at IS NOT NULL)",
                name="refund_until_ended",
            ),
            CheckConstraint(
                check="(state IN ('approved', 'pending')) = (try_at IS NOT NULL)",
                name="refund_looked_after",
            ),
            CheckConstraint(
                check="state <> 'pending' OR sent_at IS NOT NULL", name="refund_sent_when_pending"
            ),
            CheckConstraint(
                check="(state IN ('asked', 'approved', 'rejected') OR sent_at IS NOT NULL)",
                name="refund_sent_before_it_ends",
            ),
        )
        indexes = (Index(fields=("order_id", "id"), name="refund_of_order"),)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked to go back, and by whom. `approved`: nobody need be asked."""

    request_no: str
    amount_fen: int
    reason: RefundReason
    actor: Actor
    approved: bool


class TooMuch(ValueError):
    """More than is left of what was paid."""


class RequestReused(ValueError):
    """This request number stands for a refund of another amount or reason."""


async def lock_order(tx: Transaction, order_id: UUID) -> Any:
    """Hold an order's row."""
    row = await tx.row("SELECT * FROM pay_order WHERE id = $1 FOR UPDATE", order_id)
    assert row is not None, "orders are never deleted"
    return row


async def ask(tx: Transaction, order: Any, wish: Wish, *, now: datetime) -> tuple[Any, bool]:
    """Reserve and write down a refund of an order whose row is held; the row, and whether new.

    Raises TooMuch, RequestReused, or WrongState for an order that was never paid.
    """
    found = await tx.row(
        "SELECT * FROM refund WHERE order_id = $1 AND request_no = $2",
        order["id"],
        wish.request_no,
    )
    if found is not None:
        if (found["amount_fen"], found["reason"]) != (wish.amount_fen, wish.reason.value):
            raise RequestReused
        return found, False
    if order["paid_at"] is None:
        state = OrderState(order["state"])
        raise WrongState(f"refund from {state}", state)
    if wish.amount_fen > order["amount_fen"] - order["refunding_fen"] - order["refunded_fen"]:
        raise TooMuch
    row = await tx.row(
        """
        INSERT INTO refund (id, refund_no, order_id, request_no, amount_fen, reason, state,
            asked_at, asked_by, asked_by_id, try_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *
        """,
        uuid7(),
        new_number("RF", now),
        order["id"],
        wish.request_no,
        wish.amount_fen,
        wish.reason.value,
        (RefundState.APPROVED if wish.approved else RefundState.ASKED).value,
        now,
        wish.actor.kind,
        wish.actor.id,
        now if wish.approved else None,
    )
    assert row is not None
    await _move(tx, order["id"], refunding=wish.amount_fen)
    if wish.approved and order["settles"]:
        await _enter(tx, row, EntryKind.PROMISED, debit=COLLECTED, credit=OWED_BACK, now=now)
    return row, True


async def decide(
    tx: Transaction, order: Any, refund: Any, *, approve: bool, by: UUID, now: datetime
) -> None:
    """A manager approves or rejects what was asked. Raises WrongState when that is done."""
    after = step(refund, "approve" if approve else "reject")
    await tx.run(
        """
        UPDATE refund SET state = $2, decided_at = $3, decided_by_id = $4,
            try_at = $5, ended_at = $6
        WHERE id = $1
        """,
        refund["id"],
        after.value,
        now,
        by,
        now if approve else None,
        None if approve else now,
    )
    if not approve:
        await _move(tx, order["id"], refunding=-refund["amount_fen"])
    elif order["settles"]:
        await _enter(tx, refund, EntryKind.PROMISED, debit=COLLECTED, credit=OWED_BACK, now=now)


async def conclude(
    tx: Transaction,
    order: Any,
    refund: Any,
    what: str,
    *,
    now: datetime,
    channel_refund_no: str | None = None,
    fault: str | None = None,
) -> bool:
    """How the channel says a refund ended: `finish`, `fail` or `stick`.

    False where that is known already; nothing is done then. Raises WrongState for what
    contradicts what is known.
    """
    state = RefundState(refund["state"])
    if state is {"finish": _S.DONE, "fail": _S.FAILED, "stick": _S.STUCK}[what]:
        return False
    after = step(refund, what)
    await tx.run(
        """
        UPDATE refund SET state = $2, try_at = NULL, sent_at = coalesce(sent_at, $3),
            ended_at = $4, channel_refund_no = coalesce($5, channel_refund_no), fault = $6
        WHERE id = $1
        """,
        refund["id"],
        after.value,
        now,
        None if after is _S.STUCK else now,
        channel_refund_no,
        fault,
    )
    amount = refund["amount_fen"]
    if after is _S.DONE:
        await _move(tx, order["id"], refunding=-amount, refunded=amount)
        at = ledger.at(order["channel"])
        await _enter(tx, refund, EntryKind.RETURNED, debit=OWED_BACK, credit=at, now=now)
        await receipts.reverse(tx, refund["id"], now=now)
    elif after is _S.FAILED:
        await _move(tx, order["id"], refunding=-amount)
        if order["settles"]:
            await _enter(tx, refund, EntryKind.KEPT, debit=OWED_BACK, credit=COLLECTED, now=now)
    return True


def step(refund: Any, what: str) -> RefundState:
    """The state that follows. Raises WrongState when the step is not possible from here."""
    state = RefundState(refund["state"])
    try:
        return STEPS[state, what]
    except KeyError:
        raise WrongState(f"{what} from {state}", state) from None


async def _move(tx: Transaction, order_id: UUID, *, refunding: int, refunded: int = 0) -> None:
    """Reserve on the order, or give free; its state follows from the amounts."""
    row = await tx.row(
        "SELECT amount_fen, refunding_fen, refunded_fen FROM pay_order WHERE id = $1", order_id
    )
    assert row is not None
    going, gone = row["refunding_fen"] + refunding, row["refunded_fen"] + refunded
    await tx.run(
        "UPDATE pay_order SET refunding_fen = $2, refunded_fen = $3, state = $4 WHERE id = $1",
        order_id,
        going,
        gone,
        standing(row["amount_fen"], going, gone).value,
    )


async def _enter(
    tx: Transaction, refund: Any, kind: EntryKind, *, debit: str, credit: str, now: datetime
) -> None:
    entry = Entry(kind, debit, credit, refund["amount_fen"], refund["order_id"], refund["id"])
    await ledger.enter(tx, [entry], now=now)
