"""Where staff sent somebody on from, on her ticket; what a counter said when it called again."""

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0019_who_is_at_a_counter")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Ticket",
            name="sent_from",
            field=fields.CharField(null=True, max_length=200),
        ),
        ops.AddField(
            model_name="Alert",
            name="later_notes",
            field=ArrayField(element_type="text", db_default=[]),
        ),
        # What events told until now: the last time that staff gave her another number, unless it
        # was taken back or she has gone to another hall herself since.
        ops.RunSQL(
            """
            UPDATE ticket SET sent_from = last.detail
            FROM (
                SELECT DISTINCT ON (e.ticket_id) e.ticket_id, e.move, e.detail
                FROM ticket_event e
                WHERE e.move IN ('transfer', 'reroute', 'move') AND e.line_id IS NOT NULL
                  AND NOT EXISTS (
                    SELECT 1 FROM ticket_event u
                    WHERE u.ticket_id = e.ticket_id AND u.undoes = e.id)
                ORDER BY e.ticket_id, e.id DESC
            ) last
            WHERE ticket.id = last.ticket_id AND last.move <> 'move'
            """,
            reverse_sql="SELECT 1",
        ),
    ]
