"""Receipts 票据: that a bill was paid, and red ones 红字 for what went back of it.

They are numbered without gaps, each issuer's of a year by itself: the counter is a row that stays
locked until the transaction ends in which the money moved, so what is rolled back takes no number.
Whoever issues does it last in its transaction, for others wait. Nobody is named on the row.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction
from scheduler.calendar import SHANGHAI

# Who issues where a bill tells of no department and no hall.
CITY: Final = ("city", "政务服务统一支付平台")
# Nobody guesses 100 bits; in letters that nobody mistakes, as somebody may type them.
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH: Final = 20


class ReceiptKind(StrEnum):
    """What a receipt is for."""

    PAID = "paid"
    RED = "red"  # some of what was paid has gone back


class ReceiptCounter(Model):
    """How many receipts an issuer has issued in a year; also the lock of its next number."""

    # `issuer-year`, as its numbers begin.
    series = fields.CharField(primary_key=True, max_length=40)
    last_nth = fields.BigIntField()

    class Meta:
        table = "receipt_counter"


class Receipt(Model):
    """One receipt. Only ever added; a trigger refuses the rest."""

    id = fields.UUIDField(primary_key=True)
    number = fields.CharField(max_length=60, unique=True)
    series = fields.CharField(max_length=40)
    nth = fields.BigIntField()
    kind = fields.CharEnumField(ReceiptKind, max_length=8)
    # As it was called then.
    issuer_name = fields.CharField(max_length=80)
    bill_id = fields.UUIDField()
    order_id = fields.UUIDField()
    refund_id = fields.UUIDField(null=True, unique=True)
    original_id = fields.UUIDField(null=True)
    # Above nothing; of a red one, what went back.
    amount_fen = fields.BigIntField()
    # What leads to the public page that checks it; only who has seen it knows it.
    code = fields.CharField(max_length=CODE_LENGTH, unique=True)
    issued_at = fields.DatetimeField()

    class Meta:
        table = "receipt"
        indexes = (
            Index(fields=("bill_id", "id"), name="receipt_of_bill"),
            Index(fields=("original_id",), name="receipt_reversed"),
        )
        constraints = (
            UniqueConstraint(fields=("series", "nth"), name="receipt_number_once"),
            UniqueConstraint(
                fields=("order_id",), name="receipt_paid_once", condition="kind = 'paid'"
            ),
            CheckConstraint(check="amount_fen > 0 AND nth > 0", name="receipt_over_something"),
            CheckConstraint(
                check="(kind = 'red') = (refund_id IS NOT NULL)"
                " AND (kind = 'red') = (original_id IS NOT NULL)",
                name="receipt_red_of_another",
            ),
        )


# Each takes the next numbers of its series, in the order of `place`, and locks their counters in
# the order of their names, so that nobody waits for each other.
_ISSUE: Final = """
    WITH asked AS (
        SELECT *, row_number() OVER (PARTITION BY series ORDER BY place) AS here,
               count(*) OVER (PARTITION BY series) AS together
        FROM ({asked}) each
    ), counted AS (
        INSERT INTO receipt_counter (series, last_nth)
        SELECT series, count(*) FROM asked GROUP BY series ORDER BY series
        ON CONFLICT (series) DO UPDATE SET last_nth = receipt_counter.last_nth + EXCLUDED.last_nth
        RETURNING series, last_nth AS last
    )
    INSERT INTO receipt (id, number, series, nth, kind, issuer_name, bill_id, order_id, refund_id,
        original_id, amount_fen, code, issued_at)
    SELECT ($2::uuid[])[place], series || '-' || lpad((last - together + here)::text, 8, '0'),
           series, last - together + here, kind, issuer_name, bill_id, order_id, refund_id,
           original_id, amount_fen, ($3::text[])[place], $4
    FROM asked JOIN counted USING (series)
"""
# What is left for an issuer's code in `series`, beside a hyphen and the year.
_LONGEST: Final = 35
_PAID: Final = f"""
    SELECT o.place, 'paid' AS kind, coalesce(d.name, h.name, c.name, '{CITY[1]}') AS issuer_name,
           coalesce(d.code, h.code, CASE WHEN length(c.code) <= {_LONGEST} THEN c.code
               ELSE left(c.code, {_LONGEST} - 9) || '-' || left(md5(c.code), 8) END,
               '{CITY[0]}') || '-' || $5::text AS series,
           b.id AS bill_id, o.order_id, NULL::uuid AS refund_id, NULL::uuid AS original_id,
           b.amount_fen
    FROM unnest($1::uuid[]) WITH ORDINALITY AS o (order_id, place)
    JOIN bill b ON b.settled_by = o.order_id
    LEFT JOIN item i ON i.id = b.item_id LEFT JOIN department d ON d.id = i.department_id
    LEFT JOIN hall h ON h.id = b.hall_id
    LEFT JOIN sso_client c ON b.made_by = 'department' AND c.id = b.made_by_id
"""
_RED: Final = """
    SELECT r.place, regexp_replace(p.series, '[0-9]+$', $5) AS series, 'red' AS kind,
           p.issuer_name, p.bill_id, p.order_id, r.refund_id, p.id AS original_id,
           refund.amount_fen
    FROM unnest($1::uuid[]) WITH ORDINALITY AS r (refund_id, place)
    JOIN refund ON refund.id = r.refund_id
    JOIN receipt p ON p.order_id = refund.order_id AND p.kind = 'paid'
"""


async def issue(tx: Transaction, order_ids: Sequence[UUID], *, now: datetime) -> None:
    """A receipt for each bill that one of these orders has settled in this transaction.

    The issuer is the department of the bill's item, or else its hall, or the department's system
    that asked for it.
    """
    await _issue(tx, _PAID, order_ids, now)


async def reverse(tx: Transaction, refund_id: UUID, *, now: datetime) -> None:
    """A red receipt for a refund that has gone back, by who issued the original.

    None for what never settled a bill: there was no receipt for it.
    """
    await _issue(tx, _RED, [refund_id], now)


async def _issue(tx: Transaction, asked: str, ids: Sequence[UUID], now: datetime) -> None:
    if ids:
        await tx.run(
            _ISSUE.format(asked=asked),
            ids,
            [uuid7() for _ in ids],
            [_code() for _ in ids],
            now,
            str(now.astimezone(SHANGHAI).year),
        )


def _code() -> str:
    # There are 32 letters, so a byte's lower five bits favour none.
    return "".join(_LETTERS[byte & 31] for byte in secrets.token_bytes(CODE_LENGTH))
