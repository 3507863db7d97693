"""What is said of a paper to bring is said in English, too.

Empty where a city was sown before: there the Chinese words stand until its files are sown again.
"""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0056_cases")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Material",
            name="note_en",
            field=fields.CharField(max_length=600, db_default=""),
        ),
    ]
