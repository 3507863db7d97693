"""Items that are paid for before one is called, and the line in which whoever has paid waits."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

# Only those few that are to go on are looked at, once a second.
COLLECTS = "CREATE INDEX bill_collects ON bill (ended_at) WHERE collects"
NO_COLLECTS = "DROP INDEX bill_collects"


class Migration(migrations.Migration):
    # The last of two that were made side by side.
    dependencies = [("models", "0041_notices_together"), ("models", "0044_ratings")]

    initial = False

    operations = [
        ops.AddField("Item", "pay_first", fields.BooleanField(db_default=False)),
        ops.AddField("Offering", "paid_line_id", fields.UUIDField(null=True)),
        ops.AddField("Bill", "collects", fields.BooleanField(db_default=False)),
        ops.RunSQL(COLLECTS, reverse_sql=NO_COLLECTS),
    ]
