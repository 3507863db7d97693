"""What people call an item, so that its search finds it."""

from tortoise import migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0008_proxies")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Item",
            name="aliases",
            field=ArrayField(element_type="text", null=True),
        ),
    ]
