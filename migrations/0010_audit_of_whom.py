"""Reading the audit log by whom somebody acted for."""

from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0009_item_aliases")]

    initial = False

    operations = [
        ops.AddIndex(
            model_name="AuditEntry",
            index=Index(fields=["on_behalf_of", "seq"], name="audit_of_whom"),
        ),
    ]
