"""Bank counters' batches 柜面缴费批次: files that say which bills were paid at a counter.

A batch is stored to be looked at; what each payment would do is told anew each time, and done when
a person confirms it: once, whatever happens. A payment is known by its bank's serial, so one that
two files bring is one payment.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from tortoise import fields
from tortoise.fields.base import OnDelete
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models import orders, refunds, settling
from models.database import Transaction, rows
from models.reconciliation import DifferenceKind, Statement
from models.settling import Effect, Payment

BANK: Final = "bank"


class PaymentEffect(StrEnum):
    """What a payment of a batch does, or did."""

    SETTLES = "settles"
    SURPLUS = "surplus"  # the bill is paid or cancelled: the money is owed back
    UNKNOWN_BILL = "unknown_bill"
    OTHER_AMOUNT = "other_amount"
    KNOWN = "known"  # this bank's serial came in another batch


class BankBatch(Model):
    """One file of one bank. `digest` is SHA-256 over the file."""

    id = fields.UUIDField(primary_key=True)
    bank = fields.CharField(max_length=32)
    number = fields.CharField(max_length=64)
    day = fields.DateField()
    fen = fields.BigIntField()
    lines = fields.IntField()
    digest = fields.CharField(max_length=64)
    stored_at = fields.DatetimeField()
    stored_by_id = fields.UUIDField(null=True)
    confirmed_at = fields.DatetimeField(null=True)
    confirmed_by_id = fields.UUIDField(null=True)

    class Meta:
        table = "bank_batch"
        constraints = (UniqueConstraint(fields=("bank", "number"), name="bank_batch_once"),)


class BankPayment(Model):
    """One payment at a counter; `effect` is there once its batch is confirmed."""

    id = fields.BigIntField(primary_key=True, generated=True)
    batch: fields.ForeignKeyRelation[BankBatch] = fields.ForeignKeyField(
        "models.BankBatch", "payments", on_delete=OnDelete.RESTRICT
    )
    line = fields.IntField()
    bill_no = fields.CharField(max_length=64)
    fen = fields.BigIntField()
    paid_at = fields.DatetimeField()
    serial = fields.CharField(max_length=64)
    effect = fields.CharEnumField(PaymentEffect, max_length=12, null=True)
    order_id = fields.UUIDField(null=True)

    class Meta:
        table = "bank_payment"
        constraints = (UniqueConstraint(fields=("batch_id", "line"), name="bank_payment_line"),)


class Taken(NamedTuple):
    """One payment as the file says it."""

    line: int
    bill_no: str
    fen: int
    paid_at: datetime
    serial: str


class BatchDiffers(ValueError):
    """This bank sent another file under this number."""


# What each payment of a batch would do now. Of several for one bill the first settles it.
_FORESEEN: Final = """
    SELECT p.*, b.id AS bill_id, b.state AS bill_state, b.amount_fen,
        CASE WHEN k.id IS NOT NULL THEN 'known'
             WHEN b.id IS NULL THEN 'unknown_bill'
             WHEN b.amount_fen <> p.fen THEN 'other_amount'
             WHEN b.state <> 'due' OR row_number() OVER (
                 PARTITION BY b.id, p.fen = b.amount_fen ORDER BY p.paid_at, p.line) > 1
             THEN 'surplus' ELSE 'settles' END AS foreseen
    FROM bank_payment p JOIN bank_batch t ON t.id = p.batch_id
    LEFT JOIN bill b ON b.bill_no = p.bill_no
    LEFT JOIN LATERAL (SELECT o.id FROM bank_payment o JOIN bank_batch ot ON ot.id = o.batch_id
        WHERE o.serial = p.serial AND ot.bank = t.bank AND o.batch_id <> t.id
          AND o.effect IS NOT NULL LIMIT 1) k ON true
    WHERE p.batch_id = $1 ORDER BY p.line
"""


async def store(
    tx: Transaction, facts: dict[str, Any], payments: Sequence[Taken], *, now: datetime
) -> Any:
    """Keep a genuine batch to be looked at; its row. The same file again is the same batch.

    `facts` are bank, number, day, fen, digest and stored_by_id. Raises BatchDiffers.
    """
    given = {"id": uuid7(), "lines": len(payments), "stored_at": now, **facts}
    places = ", ".join(f"${nth}" for nth in range(1, len(given) + 1))
    row = await tx.row(
        f"INSERT INTO bank_batch ({', '.join(given)}) VALUES ({places})"
        " ON CONFLICT (bank, number) DO NOTHING RETURNING *",
        *given.values(),
    )
    if row is None:
        sql = "SELECT * FROM bank_batch WHERE bank = $1 AND number = $2"
        found = await tx.row(sql, facts["bank"], facts["number"])
        if found is None or found["digest"] != facts["digest"]:
            raise BatchDiffers
        return found
    await tx.connection.copy_records_to_table(
        "bank_payment",
        records=[(row["id"], *each) for each in payments],
        columns=("batch_id", "line", "bill_no", "fen", "paid_at", "serial"),
    )
    return row


async def foreseen(batch_id: UUID, tx: Transaction | None = None) -> list[Any]:
    """Every payment of a batch with what it would do now, or did, in its file's order."""
    return await rows(_FORESEEN, batch_id, tx=tx)


async def confirm(tx: Transaction, batch_id: UUID, *, by: UUID | None, now: datetime) -> Any:
    """Make true what a batch says, once; its row. What cannot be settled becomes a case."""
    batch = await tx.row("SELECT * FROM bank_batch WHERE id = $1 FOR UPDATE", batch_id)
    assert batch is not None, "batches are never deleted"
    if batch["confirmed_at"] is not None:
        return batch
    # Two batches of one bank may bring one serial: one is confirmed after the other.
    await tx.run("SELECT pg_advisory_xact_lock(hashtext('bank_batch:' || $1))", batch["bank"])
    # All bills before the first receipt takes its number: whoever settles locks in that order.
    await tx.run(
        "SELECT id FROM bill WHERE bill_no IN (SELECT bill_no FROM bank_payment"
        " WHERE batch_id = $1) ORDER BY id FOR UPDATE",
        batch_id,
    )
    found = await foreseen(batch_id, tx)
    for payment in found:
        effect, order_id = await _settle(tx, batch, payment, now)
        await tx.run(
            "UPDATE bank_payment SET effect = $2, order_id = $3 WHERE id = $1",
            payment["id"],
            effect.value,
            order_id,
        )
    confirmed = await tx.row(
        "UPDATE bank_batch SET confirmed_at = $2, confirmed_by_id = $3 WHERE id = $1 RETURNING *",
        batch_id,
        now,
        by,
    )
    await _sum_up(tx, batch, now)
    return confirmed


async def _settle(
    tx: Transaction, batch: Any, payment: Any, now: datetime
) -> tuple[PaymentEffect, UUID | None]:
    """One payment through the one path that settles; what it did, and by which order."""
    effect = PaymentEffect(payment["foreseen"])
    if effect not in (PaymentEffect.SETTLES, PaymentEffect.SURPLUS):
        return effect, None
    bill = await tx.row("SELECT * FROM bill WHERE id = $1 FOR UPDATE", payment["bill_id"])
    order = await orders.place(tx, bill, BANK, None, now=now)
    paid = Payment(order["id"], _channel_no(batch["bank"], payment["serial"]), payment["paid_at"])
    done = await settling.settle(tx, [paid], now=now)
    if done[order["id"]] is Effect.SETTLES:
        return PaymentEffect.SETTLES, order["id"]
    # No channel can give it back: a person has to see to it.
    held = await refunds.lock_order(tx, order["id"])
    refund = await tx.row("SELECT * FROM refund WHERE order_id = $1 FOR UPDATE", order["id"])
    await refunds.conclude(tx, held, refund, "stick", now=now, fault="bank_counter")
    return PaymentEffect.SURPLUS, order["id"]


async def given_back(tx: Transaction, case: Any, *, now: datetime) -> None:
    """A person gave back what a case says was paid too much at a counter; of others nothing."""
    if case["refund_id"] is None:
        return
    order = await refunds.lock_order(tx, case["order_id"])
    if order["channel"] == BANK:
        refund = await tx.row("SELECT * FROM refund WHERE id = $1 FOR UPDATE", case["refund_id"])
        await refunds.conclude(tx, order, refund, "finish", now=now)


def _channel_no(bank: str, serial: str) -> str:
    """One bank's serial among all banks', no longer than a channel's number may be."""
    whole = f"{bank}:{serial}"
    if len(whole) <= 64:
        return whole
    return f"{bank}:{hashlib.sha256(serial.encode()).hexdigest()[:31]}"


_RUN: Final = """
    WITH told AS (
        SELECT count(*) AS many, coalesce(sum(p.fen), 0) AS fen, count(p.order_id) AS ours,
            coalesce(sum(p.fen) FILTER (WHERE p.order_id IS NOT NULL), 0) AS ours_fen
        FROM bank_payment p JOIN bank_batch t ON t.id = p.batch_id
        WHERE t.day = $3 AND p.effect IS NOT NULL AND p.effect <> 'known'
    )
    INSERT INTO reconciliation_run AS r (id, channel, statement, day, ran_at, lines, paid_fen,
        back_fen, fees_fen, ours, ours_paid_fen, ours_back_fen)
    SELECT $1, 'bank', $2, $3, $4, many, fen, 0, 0, ours, ours_fen, 0 FROM told
    ON CONFLICT (channel, statement, day) DO UPDATE SET ran_at = EXCLUDED.ran_at,
        lines = EXCLUDED.lines, paid_fen = EXCLUDED.paid_fen, ours = EXCLUDED.ours,
        ours_paid_fen = EXCLUDED.ours_paid_fen
    RETURNING id
"""
_CASES: Final = """
    INSERT INTO reconciliation_case (id, run_id, kind, is_refund, number, channel_no, order_id,
        refund_id, theirs_fen, ours_fen, theirs_state, ours_state, happened_at, state, opened_at)
    SELECT uuidv7(), $2, CASE p.effect WHEN 'unknown_bill' THEN $4 WHEN 'other_amount' THEN $5
            ELSE $6 END, false, p.bill_no, t.bank || ':' || p.serial, p.order_id, f.id, p.fen,
        b.amount_fen, 'paid', b.state, p.paid_at, 'open', $3
    FROM bank_payment p JOIN bank_batch t ON t.id = p.batch_id
    LEFT JOIN bill b ON b.bill_no = p.bill_no LEFT JOIN refund f ON f.order_id = p.order_id
    WHERE p.batch_id = $1 AND p.effect IN ('unknown_bill', 'other_amount', 'surplus')
    ON CONFLICT (run_id, kind, is_refund, number, channel_no) DO NOTHING
"""


async def _sum_up(tx: Transaction, batch: Any, now: datetime) -> None:
    """Write down the day's batches together, and what a person has to look into."""
    run = await tx.row(_RUN, uuid7(), Statement.BATCHES.value, batch["day"], now)
    assert run is not None
    kinds = (
        DifferenceKind.MISSING_HERE,
        DifferenceKind.DIFFERENT_AMOUNT,
        DifferenceKind.DIFFERENT_STATE,
    )
    await tx.run(_CASES, batch["id"], run["id"], now, *(kind.value for kind in kinds))
