"""When what a receipt tells happened: it is of an attempt that was under way then, and of no other.

Receipts are matched with attempts when they come, so that none is looked for by whom it tells of.
"""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0055_fees_held")]

    initial = False

    operations = [
        ops.AddField(
            model_name="NoticeReceipt",
            name="told_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.RemoveIndex(
            model_name="NoticeReceipt",
            fields=["channel", "subject", "template_id", "received_at"],
        ),
    ]
