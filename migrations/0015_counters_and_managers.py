"""Own lines and helped ones, who staffs a counter, overflow, announcements, emergency calls."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import UniqueConstraint

from models.tickets import Move


class Migration(migrations.Migration):
    dependencies = [("models", "0014_at_the_hall")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="alerts",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "counter",
                    fields.ForeignKeyField(
                        "models.Counter",
                        source_field="counter_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="alerts",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("note", fields.CharField(null=True, max_length=200)),
                ("raised_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("raised_by", fields.UUIDField()),
                ("calls", fields.IntField()),
                (
                    "acknowledged_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("acknowledged_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "alert",
                "app": "models",
                "indexes": [Index(fields=["hall_id", "id"])],
                "pk_attr": "id",
                "table_description": "A clerk's emergency call. It stands until a manager has acknowledged it.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Alert",
            UniqueConstraint(
                fields=("counter_id",),
                name="alert_open_once",
                condition="acknowledged_at IS NULL",
            ),
        ),
        ops.CreateModel(
            name="Announcement",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="announcements",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("text", fields.CharField(max_length=200)),
                ("text_en", fields.CharField(null=True, max_length=400)),
                ("zone", fields.CharField(null=True, max_length=40)),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("made_by", fields.UUIDField()),
                ("until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "announcement",
                "app": "models",
                "indexes": [Index(fields=["hall_id", "until"])],
                "pk_attr": "id",
                "table_description": "What a hall tells everybody on its board, until a moment.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Counter",
            name="helps",
            field=ArrayField(db_default=[], element_type="TEXT"),
        ),
        ops.AddField(
            model_name="Counter",
            name="skills_version",
            field=fields.IntField(db_default=0),
        ),
        ops.AddField(
            model_name="Counter",
            name="staffed_by",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="Counter",
            name="staffed_since",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Line",
            name="help_after_min",
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name="Line",
            name="overflow",
            field=ArrayField(db_default=[], element_type="TEXT"),
        ),
        ops.AddField(
            model_name="Line",
            name="overflow_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AlterField(
            model_name="TicketEvent",
            name="move",
            field=fields.CharEnumField(
                description="ISSUE: issue\nCALL: call\nSTART: start\nFINISH: finish\nMISS: miss\nCANCEL: cancel\nLAPSE: lapse\nRECALL: recall\nPARK: park\nRESUME: resume\nRETURN: return\nTRANSFER: transfer\nRETURN_TO_LINE: return_to_line\nMOVE: move\nREROUTE: reroute\nSTAY: stay\nLET_PASS: let_pass\nCLAIM: claim\nCONFIRM: confirm\nMERGE: merge\nUNDO: undo",
                enum_type=Move,
                max_length=16,
            ),
        ),
    ]
