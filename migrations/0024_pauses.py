"""A counter that pauses may say until when."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0023_appointments")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Counter",
            name="paused_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
