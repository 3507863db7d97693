"""Fees that halls hold, to be found once who paid them has a number again."""

from tortoise import migrations
from tortoise.migrations import operations as ops

HELD = "CREATE INDEX bill_held ON bill (hall_id, item_id) WHERE abandoned = 'held'"
NOT_HELD = "DROP INDEX bill_held"


class Migration(migrations.Migration):
    dependencies = [("models", "0050_campaigns")]

    initial = False

    operations = [ops.RunSQL(HELD, reverse_sql=NOT_HELD)]
