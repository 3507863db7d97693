"""Themes of the catalogue have an English name, as everything else that is shown.

Empty where a city was sown before: there the Chinese name stands until its files are sown again.
"""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0059_receipts_told_at")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Item",
            name="theme_name_en",
            field=fields.CharField(max_length=160, db_default=""),
        ),
    ]
