"""What became of an attempt is not known: such are few, and looked for whenever one is begun."""

from tortoise import migrations
from tortoise.migrations import operations as ops

OPEN = """
CREATE INDEX attempt_open ON notice_attempt (channel, subject, template_id)
    WHERE result IS NULL OR result = 'unsure';
CREATE INDEX notice_settled ON notice (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX notice_receipt_old ON notice_receipt (received_at);
"""
NOT_OPEN = "DROP INDEX attempt_open, notice_settled, notice_receipt_old"


class Migration(migrations.Migration):
    dependencies = [("models", "0042_notices_of_matters")]

    initial = False

    operations = [ops.RunSQL(OPEN, reverse_sql=NOT_OPEN)]
