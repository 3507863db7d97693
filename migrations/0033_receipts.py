"""Receipts and the counters that number them; also for what was paid before there were any."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.receipts import ReceiptKind

RULES = """
ALTER TABLE receipt ADD CONSTRAINT receipt_of_a_bill
    FOREIGN KEY (bill_id, order_id) REFERENCES pay_order (bill_id, id);
ALTER TABLE receipt ADD CONSTRAINT receipt_of_a_refund
    FOREIGN KEY (refund_id) REFERENCES refund (id);
ALTER TABLE receipt ADD CONSTRAINT receipt_of_an_original
    FOREIGN KEY (original_id) REFERENCES receipt (id);
CREATE TRIGGER receipts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON receipt
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
ALTER TABLE receipt ENABLE ALWAYS TRIGGER receipts_stay;
CREATE TRIGGER counters_stay BEFORE DELETE OR TRUNCATE ON receipt_counter
    FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
"""
NO_RULES = """
ALTER TABLE receipt DROP CONSTRAINT receipt_of_a_bill;
DROP TRIGGER receipts_stay ON receipt;
DROP TRIGGER counters_stay ON receipt_counter;
"""
# What was paid, and what went back of it, in the order in which it happened.
BEFORE = """
INSERT INTO receipt (id, number, series, nth, kind, issuer_name, bill_id, order_id, refund_id,
    original_id, amount_fen, code, issued_at)
SELECT id, series || '-' || lpad(nth::text, 8, '0'), series, nth, kind, issuer_name, bill_id,
       order_id, refund_id, CASE WHEN kind = 'red' THEN original END, amount_fen,
       upper(left(replace(gen_random_uuid()::text, '-', ''), 20)), at
FROM (
    SELECT told.*,
           CASE kind WHEN 'paid' THEN original ELSE gen_random_uuid() END AS id,
           row_number() OVER (PARTITION BY series ORDER BY at, kind, refund_id) AS nth
    FROM (
        WITH settled AS MATERIALIZED (
            SELECT b.id AS bill_id, o.id AS order_id, o.amount_fen, b.ended_at,
                   gen_random_uuid() AS original, coalesce(d.code, h.code, 'city') AS issuer,
                   coalesce(d.name, h.name, '政务服务统一支付平台') AS issuer_name
            FROM bill b JOIN pay_order o ON o.id = b.settled_by
            LEFT JOIN item i ON i.id = b.item_id LEFT JOIN department d ON d.id = i.department_id
            LEFT JOIN hall h ON h.id = b.hall_id
        ), happened AS (
            SELECT s.*, 'paid' AS kind, NULL::uuid AS refund_id, s.amount_fen AS fen,
                   s.ended_at AS at FROM settled s
            UNION ALL
            SELECT s.*, 'red', r.id, r.amount_fen, r.ended_at
            FROM settled s JOIN refund r ON r.order_id = s.order_id AND r.state = 'done'
        )
        SELECT bill_id, order_id, refund_id, original, kind, fen AS amount_fen, issuer_name, at,
               issuer || '-' || to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYY') AS series
        FROM happened
    ) told
) numbered;
INSERT INTO receipt_counter (series, last_nth) SELECT series, max(nth) FROM receipt GROUP BY series;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0032_bank_batches")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Receipt",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("number", fields.CharField(unique=True, max_length=60)),
                ("series", fields.CharField(max_length=40)),
                ("nth", fields.BigIntField()),
                (
                    "kind",
                    fields.CharEnumField(
                        description="PAID: paid\nRED: red", enum_type=ReceiptKind, max_length=8
                    ),
                ),
                ("issuer_name", fields.CharField(max_length=80)),
                ("bill_id", fields.UUIDField()),
                ("order_id", fields.UUIDField()),
                ("refund_id", fields.UUIDField(null=True, unique=True)),
                ("original_id", fields.UUIDField(null=True)),
                ("amount_fen", fields.BigIntField()),
                ("code", fields.CharField(unique=True, max_length=20)),
                ("issued_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "receipt",
                "app": "models",
                "indexes": [
                    Index(fields=["bill_id", "id"], name="receipt_of_bill"),
                    Index(fields=["original_id"], name="receipt_reversed"),
                ],
                "pk_attr": "id",
                "table_description": "One receipt. Only ever added; a trigger refuses the rest.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ReceiptCounter",
            fields=[
                (
                    "series",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40),
                ),
                ("last_nth", fields.BigIntField()),
            ],
            options={
                "table": "receipt_counter",
                "app": "models",
                "pk_attr": "series",
                "table_description": "How many receipts an issuer has issued in a year; also the lock of its next number.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Receipt", UniqueConstraint(fields=("series", "nth"), name="receipt_number_once")
        ),
        ops.AddConstraint(
            "Receipt",
            UniqueConstraint(
                fields=("order_id",), name="receipt_paid_once", condition="kind = 'paid'"
            ),
        ),
        ops.AddConstraint(
            "Receipt",
            CheckConstraint(check="amount_fen > 0 AND nth > 0", name="receipt_over_something"),
        ),
        ops.AddConstraint(
            "Receipt",
            CheckConstraint(
                check="(kind = 'red') = (refund_id IS NOT NULL) AND (kind = 'red') = (original_id IS NOT NULL)",
                name="receipt_red_of_another",
            ),
        ),
        ops.RunSQL(BEFORE, reverse_sql=""),
        ops.RunSQL(RULES, reverse_sql=NO_RULES),
    ]
