"""Items may be for residents of a town, and citizens may say where they live."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0017_from_the_phone")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Item",
            name="residents_of",
            field=fields.CharField(max_length=16, db_default="anywhere"),
        ),
        ops.AddField(model_name="Citizen", name="residence", field=fields.BinaryField(null=True)),
        ops.AddField(
            model_name="Citizen",
            name="residence_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
