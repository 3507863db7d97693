"""Reconciling 对账: what a channel's statement of a day and our ledger say of the same money.

A statement 对账单 is what a channel wrote down of one day. Each difference is a case: repaired
where the channel says so when asked again, agreed where a later statement explains it, closed by a
person who says why, and open until then. A case is one row however often its day is compared.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction, rows
from models.tickets import WrongState


class Statement(StrEnum):
    """Which of a channel's statements."""

    TRADES = "trades"  # payments and refunds
    FUNDS = "funds"  # what moved on our account with the channel
    BATCHES = "batches"  # what bank counters' files said


class DifferenceKind(StrEnum):
    """How a statement and we differ about one payment or refund."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    DIFFERENT_AMOUNT = "different_amount"
    DIFFERENT_STATE = "different_state"


class CaseState(StrEnum):
    """What became of a difference."""

    WAITING = "waiting"  # so near the day's end that the next statement may have it
    OPEN = "open"
    REPAIRED = "repaired"  # the channel was asked, and what it said is true here now
    AGREED = "agreed"  # another statement, or this one read again, has no such difference
    CLOSED = "closed"  # a person looked into it


class CloseReason(StrEnum):
    """Why a person closed a case."""

    SETTLED_OTHERWISE = "settled_otherwise"  # money was moved by hand, outside
    CHANNEL_ERROR = "channel_error"  # the channel has it wrong and says so
    OUR_ERROR = "our_error"
    NOT_OURS = "not_ours"  # belongs to somebody else's books
    EXPLAINED = "explained"  # both are right


UNSETTLED: Final = ("waiting", "open")


class ReconciliationRun(Model):
    """One statement compared with us; compared again, the same row. Sums are fen."""

    id = fields.UUIDField(primary_key=True)
    channel = fields.CharField(max_length=16)
    statement = fields.CharEnumField(Statement, max_length=8)
    day = fields.DateField()
    ran_at = fields.DatetimeField()
    # What the statement says: how many lines, paid, back, and what the channel kept.
    lines = fields.BigIntField()
    paid_fen = fields.BigIntField()
    back_fen = fields.BigIntField()
    fees_fen = fields.BigIntField()
    # What we say of that day.
    ours = fields.BigIntField()
    ours_paid_fen = fields.BigIntField()
    ours_back_fen = fields.BigIntField()

    class Meta:
        table = "reconciliation_run"
        constraints = (
            UniqueConstraint(
                fields=("channel", "statement", "day"), name="reconciliation_run_once"
            ),
        )
        indexes = (Index(fields=("day",), name="reconciliation_run_of_day"),)


class ReconciliationCase(Model):
    """One difference. `number` is ours of an order or a refund, or what the statement calls it."""

    id = fields.UUIDField(primary_key=True)
    run: fields.ForeignKeyRelation[ReconciliationRun] = fields.ForeignKeyField(
        "models.ReconciliationRun", "cases", on_delete=OnDelete.RESTRICT
    )
    kind = fields.CharEnumField(DifferenceKind, max_length=16)
    is_refund = fields.BooleanField()
    number = fields.CharField(max_length=128)
    channel_no = fields.CharField(max_length=128)
    order_id = fields.UUIDField(null=True)
    refund_id = fields.UUIDField(null=True)
    theirs_fen = fields.BigIntField(null=True)
    ours_fen = fields.BigIntField(null=True)
    theirs_state = fields.CharField(max_length=16, null=True)
    ours_state = fields.CharField(max_length=16, null=True)
    happened_at = fields.DatetimeField(null=True)
    state = fields.CharEnumField(CaseState, max_length=8)
    opened_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    ended_by_id = fields.UUIDField(null=True)
    reason = fields.CharEnumField(CloseReason, max_length=20, null=True)

    class Meta:
        table = "reconciliation_case"
        constraints = (
            UniqueConstraint(
                fields=("run_id", "kind", "is_refund", "number", "channel_no"),
                name="reconciliation_case_once",
            ),
            CheckConstraint(
                check="(state IN ('waiting', 'open')) = (ended_at IS NULL)",
                name="reconciliation_case_until_ended",
            ),
            CheckConstraint(
                check="(state = 'closed') = (reason IS NOT NULL AND ended_by_id IS NOT NULL)",
                name="reconciliation_case_closed_by_somebody",
            ),
        )
        indexes = (
            Index(fields=("run_id", "id"), name="reconciliation_case_of_run"),
            Index(fields=("number",), name="reconciliation_case_of_number"),
        )


class ReconciliationNote(Model):
    """What a person wrote down about a case; only ever added."""

    id = fields.UUIDField(primary_key=True)
    case: fields.ForeignKeyRelation[ReconciliationCase] = fields.ForeignKeyField(
        "models.ReconciliationCase", "notes", on_delete=OnDelete.RESTRICT
    )
    at = fields.DatetimeField()
    by_id = fields.UUIDField()
    text = fields.CharField(max_length=500)

    class Meta:
        table = "reconciliation_note"
        indexes = (Index(fields=("case_id", "id"), name="reconciliation_notes_of_case"),)


class StatementElsewhere(Model):
    """A line that agrees with us, but stands in the statement of another day than ours."""

    id = fields.BigIntField(primary_key=True, generated=True)
    channel = fields.CharField(max_length=16)
    statement = fields.CharEnumField(Statement, max_length=8)
    is_refund = fields.BooleanField()
    number = fields.CharField(max_length=128)
    day = fields.DateField()

    class Meta:
        table = "statement_elsewhere"
        constraints = (
            UniqueConstraint(
                fields=("channel", "statement", "is_refund", "number"),
                name="statement_elsewhere_once",
            ),
        )


async def lock_case(tx: Transaction, case_id: UUID) -> Any | None:
    """Hold a case's row."""
    return await tx.row("SELECT * FROM reconciliation_case WHERE id = $1 FOR UPDATE", case_id)


async def close(
    tx: Transaction, case: Any, reason: CloseReason, *, by: UUID, now: datetime
) -> None:
    """A person has looked into it. Raises WrongState unless it is unsettled."""
    if case["state"] not in UNSETTLED:
        raise WrongState(f"close from {case['state']}", CaseState(case["state"]))
    await tx.run(
        "UPDATE reconciliation_case SET state = 'closed', reason = $2, ended_by_id = $3,"
        " ended_at = $4 WHERE id = $1",
        case["id"],
        reason.value,
        by,
        now,
    )


async def note(tx: Transaction, case_id: UUID, text: str, *, by: UUID, now: datetime) -> UUID:
    """Write down something about a case."""
    made: UUID = uuid7()
    await tx.run(
        "INSERT INTO reconciliation_note (id, case_id, at, by_id, text)"
        " VALUES ($1, $2, $3, $4, $5)",
        made,
        case_id,
        now,
        by,
        text,
    )
    return made


async def repaired(case_id: UUID, *, now: datetime) -> bool:
    """The channel was asked and what it said is true here now; False where it was ended before."""
    found = await rows(
        "UPDATE reconciliation_case SET state = 'repaired', ended_at = $2"
        " WHERE id = $1 AND state = ANY($3) RETURNING id",
        case_id,
        now,
        list(UNSETTLED),
    )
    return bool(found)


async def repairable(run_id: UUID, after: UUID | None, most: int) -> list[Any]:
    """Differences that asking the channel may mend: it was paid, or a refund ended, unknown here.

    By their ids, after this one.
    """
    return await rows(
        """
        SELECT * FROM reconciliation_case
        WHERE run_id = $1 AND state = 'open' AND ($2::uuid IS NULL OR id > $2)
          AND (kind = 'missing_here' AND order_id IS NOT NULL AND NOT is_refund
               OR kind = 'different_state' AND refund_id IS NOT NULL)
        ORDER BY id LIMIT $3
        """,
        run_id,
        after,
        most,
    )
