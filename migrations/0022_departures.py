"""From where and how somebody comes to her turn is kept, sealed, for as long as she is to come."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.departures import TravelBasis

# Looked for every few seconds: those who are to come, not all who ever were.
KEPT = "CREATE INDEX departure_kept ON departure (id) WHERE place IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [("models", "0021_waits")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Departure",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("place", fields.BinaryField(null=True)),
                ("travel", fields.CharField(null=True, max_length=8)),
                ("hall_id", fields.UUIDField(null=True)),
                ("travel_s", fields.IntField(null=True)),
                (
                    "travel_basis",
                    fields.CharEnumField(
                        null=True,
                        description="ESTIMATE: estimate\nMAP: map",
                        enum_type=TravelBasis,
                        max_length=8,
                    ),
                ),
                (
                    "told_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "kept_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={"table": "departure", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.RunSQL(KEPT, reverse_sql="DROP INDEX departure_kept"),
    ]
