"""Who has booked may be told when to leave: how long before her slot."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0027_prerequisites")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Departure",
            name="lead_s",
            field=fields.IntField(null=True),
        ),
    ]
