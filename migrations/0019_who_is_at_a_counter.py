"""Boards show who is at a counter, which their tickets tell: nobody looks for calls any more."""

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0018_residence")]

    initial = False

    operations = [
        ops.RunSQL(
            "DROP INDEX ticket_event_call",
            reverse_sql="CREATE INDEX ticket_event_call ON ticket_event"
            " (hall_id, at DESC, id DESC) WHERE move IN ('call', 'recall')",
        ),
    ]
