"""Bank counters' batches and their payments."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import UniqueConstraint

from models.bank_batches import PaymentEffect

# Whether a bank's serial came before; and what was brought in stays.
RULES = """
CREATE INDEX bank_payment_serial ON bank_payment (serial) WHERE effect IS NOT NULL;
CREATE INDEX bank_batch_of_day ON bank_batch (day);
CREATE TRIGGER bank_batches_stay BEFORE DELETE OR TRUNCATE ON bank_batch
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
CREATE TRIGGER bank_payments_stay BEFORE DELETE OR TRUNCATE ON bank_payment
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
"""
NO_RULES = """
DROP INDEX bank_payment_serial;
DROP INDEX bank_batch_of_day;
DROP TRIGGER bank_batches_stay ON bank_batch;
DROP TRIGGER bank_payments_stay ON bank_payment;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0031_reconciliation")]

    initial = False

    operations = [
        ops.CreateModel(
            name="BankBatch",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("bank", fields.CharField(max_length=32)),
                ("number", fields.CharField(max_length=64)),
                ("day", fields.DateField()),
                ("fen", fields.BigIntField()),
                ("lines", fields.IntField()),
                ("digest", fields.CharField(max_length=64)),
                ("stored_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("stored_by_id", fields.UUIDField(null=True)),
                (
                    "confirmed_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("confirmed_by_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "bank_batch",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One file of one bank. `digest` is SHA-256 over the file.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="BankPayment",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "batch",
                    fields.ForeignKeyField(
                        "models.BankBatch",
                        source_field="batch_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="payments",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("line", fields.IntField()),
                ("bill_no", fields.CharField(max_length=64)),
                ("fen", fields.BigIntField()),
                ("paid_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("serial", fields.CharField(max_length=64)),
                (
                    "effect",
                    fields.CharEnumField(
                        null=True,
                        description="SETTLES: settles\nSURPLUS: surplus\nUNKNOWN_BILL: unknown_bill\nOTHER_AMOUNT: other_amount\nKNOWN: known",
                        enum_type=PaymentEffect,
                        max_length=12,
                    ),
                ),
                ("order_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "bank_payment",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One payment at a counter; `effect` is there once its batch is confirmed.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "BankBatch", UniqueConstraint(fields=("bank", "number"), name="bank_batch_once")
        ),
        ops.AddConstraint(
            "BankPayment", UniqueConstraint(fields=("batch_id", "line"), name="bank_payment_line")
        ),
        ops.RunSQL(RULES, reverse_sql=NO_RULES),
    ]
