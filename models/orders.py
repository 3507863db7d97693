"""Orders 支付单: one attempt to pay a bill through one channel. Amounts are whole fen."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction, rows
from models.joined import HER_ID
from scheduler.calendar import SHANGHAI


class OrderState(StrEnum):
    """Where an order stands; the same words as in the API."""

    PENDING = "pending"
    PAID = "paid"
    CLOSED = "closed"
    REFUNDING = "refunding"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


_S = OrderState
# (state, step) -> the states that may follow. What is not in here cannot happen; docs/payments.md
# draws it. Where several may follow, the amounts decide: see `standing`.
STEPS: Final[dict[tuple[OrderState, str], Sequence[OrderState]]] = {
    (_S.PENDING, "pay"): (_S.PAID, _S.REFUNDING),
    (_S.PENDING, "close"): (_S.CLOSED,),
    (_S.CLOSED, "pay"): (_S.REFUNDING,),
    (_S.PAID, "ask_refund"): (_S.REFUNDING,),
    (_S.PARTLY_REFUNDED, "ask_refund"): (_S.REFUNDING,),
    (_S.REFUNDING, "ask_refund"): (_S.REFUNDING,),
    (_S.REFUNDING, "end_refund"): (_S.REFUNDING, _S.PARTLY_REFUNDED, _S.REFUNDED, _S.PAID),
}

# How long an order may be paid.
LASTS: Final = timedelta(minutes=30)
# An order that ends sooner is not handed out again: channels want at least a minute.
NOT_LESS: Final = timedelta(minutes=2)
# When the channel is asked about an order that no callback told of, counted from its placing;
# after the last, as often again as the last step is long.
LADDER: Final = tuple(timedelta(seconds=s) for s in (15, 60, 300, 900, 3600))


def standing(amount_fen: int, refunding_fen: int, refunded_fen: int) -> OrderState:
    """How an order stands that was paid, by what of it goes back and what is back."""
    if refunding_fen:
        return OrderState.REFUNDING
    if not refunded_fen:
        return OrderState.PAID
    return OrderState.REFUNDED if refunded_fen == amount_fen else OrderState.PARTLY_REFUNDED


# The same as a condition of the database on each row.
_STANDING: Final = """
    CASE WHEN paid_at IS NULL THEN state IN ('pending', 'closed')
         WHEN refunding_fen > 0 THEN state = 'refunding'
         WHEN refunded_fen = 0 THEN state = 'paid'
         WHEN refunded_fen = amount_fen THEN state = 'refunded'
         ELSE state = 'partly_refunded' END"""


def next_look(placed_at: datetime, looks: int, close_at: datetime, now: datetime) -> datetime:
    """When to ask the channel next, after so many looks; at the latest when it is to be closed."""
    step = LADDER[min(looks, len(LADDER) - 1)]
    due = placed_at + step if looks < len(LADDER) else now + step
    return min(max(due, now + LADDER[0]), max(close_at, now + LADDER[0]))


class PayOrder(Model):
    """One attempt. A paid one settles its bill, or is a surplus that goes back as a whole."""

    id = fields.UUIDField(primary_key=True)
    # What the channel and we call it by: 8 to 32 of `0-9 A-Z`.
    order_no = fields.CharField(max_length=32, unique=True)
    bill_id = fields.UUIDField()
    amount_fen = fields.BigIntField()
    channel = fields.CharField(max_length=16)
    # Who pays, as the channel knows her: a row of `channel_link`.
    payer_link_id = fields.UUIDField(null=True)
    state = fields.CharEnumField(OrderState, max_length=16)
    placed_at = fields.DatetimeField()
    # What the channel was told, for ever the same; and when we close it, which may be sooner.
    expires_at = fields.DatetimeField()
    close_at = fields.DatetimeField()
    channel_no = fields.CharField(max_length=64, null=True)
    paid_at = fields.DatetimeField(null=True)
    settles = fields.BooleanField(null=True)
    refunding_fen = fields.BigIntField(db_default=0)
    refunded_fen = fields.BigIntField(db_default=0)
    closed_at = fields.DatetimeField(null=True)
    # When the channel is to be asked next, and how often it was.
    look_at = fields.DatetimeField(null=True)
    looks = fields.IntField(db_default=0)

    class Meta:
        table = "pay_order"
        indexes = (Index(fields=("bill_id", "id"), name="order_of_bill"),)
        constraints = (
            UniqueConstraint(
                fields=("bill_id", "channel"),
                name="order_pending_once",
                condition="state = 'pending'",
            ),
            UniqueConstraint(fields=("bill_id",), name="order_settles_once", condition="settles"),
            UniqueConstraint(fields=("channel", "channel_no"), name="order_channel_no_once"),
            UniqueConstraint(fields=("bill_id", "id"), name="order_of_its_bill"),
            CheckConstraint(
                check="refunding_fen >= 0 AND refunded_fen >= 0"
                " AND refunding_fen + refunded_fen <= amount_fen",
                name="order_refunds_within",
            ),
            CheckConstraint(check=_STANDING, name="order_standing"),
            CheckConstraint(
                check="(paid_at IS NULL) = (settles IS NULL)"
                " AND (paid_at IS NOT NULL OR refunding_fen + refunded_fen = 0)",
                name="order_paid_settles",
            ),
            CheckConstraint(
                check="(state = 'pending') = (look_at IS NOT NULL)", name="order_looked_after"
            ),
            CheckConstraint(check="order_no ~ '^[0-9A-Z]{8,32}$'", name="order_no_shape"),
        )


def new_number(prefix: str, now: datetime) -> str:
    """A number that no channel has seen: a word, the day, and what nobody guesses."""
    letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    tail = "".join(secrets.choice(letters) for _ in range(14))
    return f"{prefix}{now.astimezone(SHANGHAI):%Y%m%d}{tail}"


async def place(
    tx: Transaction, bill: Any, channel: str, payer_link: UUID | None, *, now: datetime
) -> Any:
    """The pending order of a bill, whose row is held, for this channel and payer; new where none.

    One that is about to end, or is another payer's, is to be closed first: raises StillPending.
    """
    found = await tx.row(
        "SELECT * FROM pay_order WHERE bill_id = $1 AND channel = $2 AND state = 'pending'",
        bill["id"],
        channel,
    )
    if found is not None:
        if found["payer_link_id"] != payer_link or found["close_at"] < now + NOT_LESS:
            raise StillPending(found["id"])
        return found
    expires = now + LASTS
    return await tx.row(
        """
        INSERT INTO pay_order (id, order_no, bill_id, amount_fen, channel, payer_link_id, state,
            placed_at, expires_at, close_at, look_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $8, $9) RETURNING *
        """,
        uuid7(),
        new_number("YT", now),
        bill["id"],
        bill["amount_fen"],
        channel,
        payer_link,
        now,
        expires,
        now + LADDER[0],
    )


class StillPending(Exception):
    """Another order for the bill and channel must be closed at the channel before."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(order_id)
        self.order_id = order_id


async def close(tx: Transaction, order_id: UUID, *, now: datetime) -> bool:
    """Nobody can pay it any more, says the channel; False where it is paid or closed already."""
    row = await tx.row(
        """
        UPDATE pay_order SET state = 'closed', closed_at = $2, look_at = NULL
        WHERE id = $1 AND state = 'pending' RETURNING id
        """,
        order_id,
        now,
    )
    return row is not None


async def own(order_no: str, citizen_id: UUID) -> Any | None:
    """An order for a bill of hers, or one she took upon her; None where there is none."""
    found = await rows(
        f"""
        SELECT o.*, (SELECT r.number FROM receipt r
                     WHERE r.order_id = o.id AND r.kind = 'paid') AS receipt
        FROM pay_order o JOIN bill b ON b.id = o.bill_id, (SELECT {HER_ID} AS id) her
        WHERE o.order_no = $2 AND her.id IN (b.citizen_id, b.acting_id)
        """,
        citizen_id,
        order_no,
    )
    return found[0] if found else None
