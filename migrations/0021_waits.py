"""What people are told about their waits, what came true, and what is learned from it, is kept."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.promises import Basis, Told

# Looked for every few seconds: those of today, not all that ever were.
OPEN = "CREATE INDEX promise_open ON promise (hall_id) WHERE settled_at IS NULL"


class Migration(migrations.Migration):
    dependencies = [("models", "0018_residence")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Promise",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("ticket_id", fields.UUIDField()),
                ("hall_id", fields.UUIDField()),
                ("line_id", fields.UUIDField()),
                ("day", fields.DateField()),
                (
                    "told",
                    fields.CharEnumField(
                        description="ISSUE: issue\nNEAR: near", enum_type=Told, max_length=8
                    ),
                ),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ahead", fields.IntField()),
                ("p10_s", fields.IntField()),
                ("p50_s", fields.IntField()),
                ("p90_s", fields.IntField()),
                (
                    "basis",
                    fields.CharEnumField(
                        description="LIVE: live\nUSUAL: usual\nNONE: none",
                        enum_type=Basis,
                        max_length=8,
                    ),
                ),
                ("wait_s", fields.IntField(null=True)),
                (
                    "settled_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "promise",
                "app": "models",
                "indexes": [Index(fields=["hall_id", "day"], name="promise_of_day")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Promise", UniqueConstraint(fields=("ticket_id", "told"), name="promise_once")
        ),
        ops.AddConstraint(
            "Promise",
            CheckConstraint(
                check="0 <= p10_s AND p10_s <= p50_s AND p50_s <= p90_s", name="promise_in_order"
            ),
        ),
        ops.RunSQL(OPEN, reverse_sql="DROP INDEX promise_open"),
        ops.CreateModel(
            name="WaitState",
            fields=[
                ("code", fields.CharField(primary_key=True, max_length=16)),
                ("taken_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("state", fields.BinaryField()),
            ],
            options={"table": "wait_state", "app": "models", "pk_attr": "code"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WaitLessons",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("day", fields.DateField(db_index=True)),
                ("code", fields.CharField(max_length=16)),
                ("lessons", fields.BinaryField()),
            ],
            options={"table": "wait_lessons", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WaitTrees",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("kind", fields.CharField(max_length=16)),
                ("grown_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("learned_from", fields.IntField()),
                ("trees", fields.BinaryField()),
            ],
            options={"table": "wait_trees", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
