"""What was away when she should have come; papers ticked off; how often a booking changed."""

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations import operations as ops

from models.outages import OutageKind


class Migration(migrations.Migration):
    dependencies = [("models", "0035_department_bills")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Outage",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "kind",
                    fields.CharEnumField(
                        description="LINE_CLOSED: line_closed\nSERVICE_DOWN: service_down",
                        enum_type=OutageKind,
                        max_length=16,
                    ),
                ),
                ("hall_id", fields.UUIDField(null=True)),
                ("line_id", fields.UUIDField(null=True, db_index=True)),
                ("since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "outage", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WorkerPulse",
            fields=[
                ("id", fields.SmallIntField(primary_key=True, generated=False)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("real_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "worker_pulse", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddField("Appointment", "revision", fields.IntField(db_default=0)),
        ops.AddField("Appointment", "papers", ArrayField(db_default=[], element_type="text")),
        ops.AddField(
            "VisitStop",
            "slot_start",
            fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
