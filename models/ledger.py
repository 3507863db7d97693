"""The ledger 账本: money that moved, from one account to another. Amounts are whole fen.

Each entry takes its amount from one account (credit) and gives it to another (debit), in one row:
so the accounts balance whatever is written, and no entry is half. A trigger refuses to change or
delete one. Unique keys see to it that one payment, and each step of one refund, is entered once.

| account | kind | what is on it |
|---|---|---|
| `at_wechat`, `at_alipay`, … | asset | what a channel holds for us |
| `collected` | income | what bills were settled with |
| `owed_back` | liability | what is on its way back to people |
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.database import Transaction, rows


class AccountKind(StrEnum):
    """On which side of the ledger an account stands."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"


COLLECTED: Final = "collected"
OWED_BACK: Final = "owed_back"
CHANNELS: Final = ("wechat", "alipay", "unionpay", "bank")
ACCOUNTS: Final[dict[str, AccountKind]] = {
    **{f"at_{channel}": AccountKind.ASSET for channel in CHANNELS},
    COLLECTED: AccountKind.INCOME,
    OWED_BACK: AccountKind.LIABILITY,
}


class EntryKind(StrEnum):
    """Why money moved."""

    PAID = "paid"  # an order settled its bill
    SURPLUS = "surplus"  # it was paid, and there was nothing to settle
    PROMISED = "promised"  # of what settled a bill, some is to go back
    RETURNED = "returned"  # it has gone back
    KEPT = "kept"  # it could not go back, and is ours as before


class LedgerAccount(Model):
    """An account; the migration names them all."""

    code = fields.CharField(primary_key=True, max_length=24)
    kind = fields.CharEnumField(AccountKind, max_length=12)

    class Meta:
        table = "ledger_account"


class LedgerEntry(Model):
    """Money that moved. Only ever added; a trigger refuses the rest."""

    id = fields.BigIntField(primary_key=True, generated=True)
    at = fields.DatetimeField()
    kind = fields.CharEnumField(EntryKind, max_length=12)
    debit: fields.ForeignKeyRelation[LedgerAccount] = fields.ForeignKeyField(
        "models.LedgerAccount", "debits"
    )
    credit: fields.ForeignKeyRelation[LedgerAccount] = fields.ForeignKeyField(
        "models.LedgerAccount", "credits"
    )
    amount_fen = fields.BigIntField()
    order_id = fields.UUIDField()
    refund_id = fields.UUIDField(null=True)

    class Meta:
        table = "ledger_entry"
        indexes = (
            Index(fields=("order_id",), name="entries_of_order"),
            Index(fields=("at",), name="entries_of_day"),
        )
        constraints = (
            CheckConstraint(check="amount_fen > 0", name="entry_moves_something"),
            CheckConstraint(check="debit_id <> credit_id", name="entry_has_two_sides"),
            CheckConstraint(
                check="(kind IN ('paid', 'surplus')) = (refund_id IS NULL)", name="entry_is_of"
            ),
        )


class Entry(NamedTuple):
    """An entry to be made."""

    kind: EntryKind
    debit: str
    credit: str
    amount_fen: int
    order_id: UUID
    refund_id: UUID | None = None


def at(channel: str) -> str:
    """The account of what a channel holds for us."""
    return f"at_{channel}"


async def enter(tx: Transaction, entries: Sequence[Entry], *, now: datetime) -> None:
    """Write entries down, in the transaction in which what they tell of becomes true."""
    if not entries:
        return
    await tx.run(
        """
        INSERT INTO ledger_entry (at, kind, debit_id, credit_id, amount_fen, order_id, refund_id)
        SELECT $1, kind, debit, credit, fen, order_id, refund_id
        FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::uuid[], $7::uuid[])
          AS e (kind, debit, credit, fen, order_id, refund_id)
        """,
        now,
        [each.kind.value for each in entries],
        [each.debit for each in entries],
        [each.credit for each in entries],
        [each.amount_fen for each in entries],
        [each.order_id for each in entries],
        [each.refund_id for each in entries],
    )


async def balances(tx: Transaction | None = None) -> dict[str, int]:
    """What is on each account, debits less credits: together always nothing."""
    found = await rows(
        """
        SELECT a.code,
               coalesce((SELECT sum(amount_fen) FROM ledger_entry WHERE debit_id = a.code), 0)
             - coalesce((SELECT sum(amount_fen) FROM ledger_entry WHERE credit_id = a.code), 0)
               AS fen
        FROM ledger_account a ORDER BY a.code
        """,
        tx=tx,
    )
    return {row["code"]: int(row["fen"]) for row in found}


# Orders whose row says otherwise than the ledger does: none, ever.
_DISAGREEING: Final = """
    WITH told AS (
        SELECT o.id,
            CASE WHEN o.paid_at IS NULL THEN 0 ELSE o.amount_fen - o.refunded_fen END AS held,
            CASE WHEN NOT coalesce(o.settles, false) THEN 0 ELSE o.amount_fen - o.refunded_fen
                - coalesce((SELECT sum(r.amount_fen) FROM refund r WHERE r.order_id = o.id
                            AND r.state IN ('approved', 'pending', 'stuck')), 0) END AS collected,
            coalesce((SELECT sum(r.amount_fen) FROM refund r
                      WHERE r.order_id = o.id AND r.state = 'done'), 0) AS refunded,
            coalesce((SELECT sum(r.amount_fen) FROM refund r WHERE r.order_id = o.id
                      AND r.state IN ('asked', 'approved', 'pending', 'stuck')), 0) AS refunding,
            o.refunded_fen, o.refunding_fen, o.channel, o.order_no, o.settles, o.bill_id
        FROM pay_order o WHERE o.paid_at IS NOT NULL
           OR EXISTS (SELECT 1 FROM ledger_entry e WHERE e.order_id = o.id)
    ), entered AS (
        SELECT told.*,
            coalesce((SELECT sum(CASE WHEN e.debit_id = 'at_' || told.channel THEN e.amount_fen
                                      WHEN e.credit_id = 'at_' || told.channel THEN -e.amount_fen
                                      ELSE 0 END) FROM ledger_entry e
                      WHERE e.order_id = told.id), 0) AS held_here,
            coalesce((SELECT sum(CASE WHEN e.credit_id = 'collected' THEN e.amount_fen
                                      WHEN e.debit_id = 'collected' THEN -e.amount_fen
                                      ELSE 0 END) FROM ledger_entry e
                      WHERE e.order_id = told.id), 0) AS collected_here
        FROM told
    )
    SELECT order_no FROM entered
    WHERE held <> held_here OR collected <> collected_here
       OR refunded <> refunded_fen OR refunding <> refunding_fen
       OR settles AND NOT EXISTS (
            SELECT 1 FROM bill b WHERE b.id = bill_id AND b.settled_by = entered.id)
    ORDER BY order_no LIMIT 100
"""


async def disagreeing(tx: Transaction | None = None) -> list[str]:
    """The numbers of orders about which ledger, order, refunds and bill disagree; at most 100."""
    return [row["order_no"] for row in await rows(_DISAGREEING, tx=tx)]
