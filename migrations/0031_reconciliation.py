"""Reconciling: statements compared, their differences as cases, notes about them."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.reconciliation import CaseState, CloseReason, DifferenceKind, Statement

# What was paid, and what went back, on one day; what a person has to look at.
RULES = """
CREATE INDEX order_paid_on ON pay_order (channel, paid_at) WHERE paid_at IS NOT NULL;
CREATE INDEX refund_done_on ON refund (ended_at) WHERE state = 'done';
CREATE INDEX reconciliation_case_unsettled ON reconciliation_case (id)
    WHERE state IN ('waiting', 'open');
CREATE TRIGGER reconciliation_cases_stay BEFORE DELETE OR TRUNCATE ON reconciliation_case
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
CREATE TRIGGER reconciliation_notes_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciliation_note
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
"""
NO_RULES = """
DROP INDEX order_paid_on;
DROP INDEX refund_done_on;
DROP INDEX reconciliation_case_unsettled;
DROP TRIGGER reconciliation_cases_stay ON reconciliation_case;
DROP TRIGGER reconciliation_notes_stay ON reconciliation_note;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0030_notices")]

    initial = False

    operations = [
        ops.CreateModel(
            name="ReconciliationRun",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("channel", fields.CharField(max_length=16)),
                (
                    "statement",
                    fields.CharEnumField(
                        description="TRADES: trades\nFUNDS: funds\nBATCHES: batches",
                        enum_type=Statement,
                        max_length=8,
                    ),
                ),
                ("day", fields.DateField()),
                ("ran_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("lines", fields.BigIntField()),
                ("paid_fen", fields.BigIntField()),
                ("back_fen", fields.BigIntField()),
                ("fees_fen", fields.BigIntField()),
                ("ours", fields.BigIntField()),
                ("ours_paid_fen", fields.BigIntField()),
                ("ours_back_fen", fields.BigIntField()),
            ],
            options={
                "table": "reconciliation_run",
                "app": "models",
                "indexes": [Index(fields=["day"], name="reconciliation_run_of_day")],
                "pk_attr": "id",
                "table_description": "One statement compared with us; compared again, the same row. Sums are fen.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ReconciliationCase",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "run",
                    fields.ForeignKeyField(
                        "models.ReconciliationRun",
                        source_field="run_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="cases",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="MISSING_HERE: missing_here\nMISSING_THERE: missing_there\nDIFFERENT_AMOUNT: different_amount\nDIFFERENT_STATE: different_state",
                        enum_type=DifferenceKind,
                        max_length=16,
                    ),
                ),
                ("is_refund", fields.BooleanField()),
                ("number", fields.CharField(max_length=128)),
                ("channel_no", fields.CharField(max_length=128)),
                ("order_id", fields.UUIDField(null=True)),
                ("refund_id", fields.UUIDField(null=True)),
                ("theirs_fen", fields.BigIntField(null=True)),
                ("ours_fen", fields.BigIntField(null=True)),
                ("theirs_state", fields.CharField(null=True, max_length=16)),
                ("ours_state", fields.CharField(null=True, max_length=16)),
                (
                    "happened_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="WAITING: waiting\nOPEN: open\nREPAIRED: repaired\nAGREED: agreed\nCLOSED: closed",
                        enum_type=CaseState,
                        max_length=8,
                    ),
                ),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_by_id", fields.UUIDField(null=True)),
                (
                    "reason",
                    fields.CharEnumField(
                        null=True,
                        description="SETTLED_OTHERWISE: settled_otherwise\nCHANNEL_ERROR: channel_error\nOUR_ERROR: our_error\nNOT_OURS: not_ours\nEXPLAINED: explained",
                        enum_type=CloseReason,
                        max_length=20,
                    ),
                ),
            ],
            options={
                "table": "reconciliation_case",
                "app": "models",
                "indexes": [
                    Index(fields=["run_id", "id"], name="reconciliation_case_of_run"),
                    Index(fields=["number"], name="reconciliation_case_of_number"),
                ],
                "pk_attr": "id",
                "table_description": "One difference. `number` is ours of an order or a refund, or what the statement calls it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ReconciliationNote",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "case",
                    fields.ForeignKeyField(
                        "models.ReconciliationCase",
                        source_field="case_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="notes",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("by_id", fields.UUIDField()),
                ("text", fields.CharField(max_length=500)),
            ],
            options={
                "table": "reconciliation_note",
                "app": "models",
                "indexes": [Index(fields=["case_id", "id"], name="reconciliation_notes_of_case")],
                "pk_attr": "id",
                "table_description": "What a person wrote down about a case; only ever added.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="StatementElsewhere",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("channel", fields.CharField(max_length=16)),
                (
                    "statement",
                    fields.CharEnumField(
                        description="TRADES: trades\nFUNDS: funds\nBATCHES: batches",
                        enum_type=Statement,
                        max_length=8,
                    ),
                ),
                ("is_refund", fields.BooleanField()),
                ("number", fields.CharField(max_length=128)),
                ("day", fields.DateField()),
            ],
            options={
                "table": "statement_elsewhere",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A line that agrees with us, but stands in the statement of another day than ours.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "ReconciliationRun",
            UniqueConstraint(
                fields=("channel", "statement", "day"), name="reconciliation_run_once"
            ),
        ),
        ops.AddConstraint(
            "ReconciliationCase",
            UniqueConstraint(
                fields=("run_id", "kind", "is_refund", "number", "channel_no"),
                name="reconciliation_case_once",
            ),
        ),
        ops.AddConstraint(
            "ReconciliationCase",
            CheckConstraint(
                check="(state IN ('waiting', 'open')) = (ended_at IS NULL)",
                name="reconciliation_case_until_ended",
            ),
        ),
        ops.AddConstraint(
            "ReconciliationCase",
            CheckConstraint(
                check="(state = 'closed') = (reason IS NOT NULL AND ended_by_id IS NOT NULL)",
                name="reconciliation_case_closed_by_somebody",
            ),
        ),
        ops.AddConstraint(
            "StatementElsewhere",
            UniqueConstraint(
                fields=("channel", "statement", "is_refund", "number"),
                name="statement_elsewhere_once",
            ),
        ),
        ops.RunSQL(RULES, reverse_sql=NO_RULES),
    ]
