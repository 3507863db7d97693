"""An item may need others to be done before."""

from tortoise import migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0026_payments")]

    initial = False

    operations = [
        ops.AddField("Item", "requires", ArrayField(db_default=[], element_type="text")),
    ]
