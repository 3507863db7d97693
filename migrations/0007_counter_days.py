"""The day a counter was opened on, so that the day's end closes what nobody closed."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0006_single_sign_on")]

    initial = False

    operations = [
        ops.AddField(model_name="Counter", name="opened_on", field=fields.DateField(null=True)),
        # Those that stand open now: closed with the end of this day.
        ops.RunSQL(
            "UPDATE counter SET opened_on = (now() AT TIME ZONE 'Asia/Shanghai')::date"
            " WHERE state <> 'closed'",
            reverse_sql="SELECT 1",
        ),
    ]
