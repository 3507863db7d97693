"""A fee whose number was given up or missed: marked by the event itself, decided by the worker."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.bills import Abandoned

# An item's fee alone: what a clerk asked for is the clerk's to give back. Who comes back, or whose
# number is taken up again, has not abandoned anything.
MARK = """
CREATE INDEX bill_abandoned ON bill (abandoned_at)
    WHERE abandoned_at IS NOT NULL AND abandoned IS NULL;
CREATE FUNCTION bill_of_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bill SET abandoned_at = CASE WHEN NEW.state IN ('cancelled', 'missed') THEN NEW.at END
    WHERE ticket_id = NEW.ticket_id AND source = 'ticket' AND abandoned IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER bill_of_ended AFTER INSERT ON ticket_event
    FOR EACH ROW WHEN (NEW.move IN ('cancel', 'lapse', 'miss', 'merge', 'return', 'undo'))
    EXECUTE FUNCTION bill_of_ended();
"""
NO_MARK = """
DROP TRIGGER bill_of_ended ON ticket_event;
DROP FUNCTION bill_of_ended();
DROP INDEX bill_abandoned;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0033_receipts")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Bill",
            name="abandoned_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Bill",
            name="abandoned",
            field=fields.CharEnumField(
                description="CANCELLED: cancelled\nREFUNDED: refunded\nHELD: held",
                enum_type=Abandoned,
                null=True,
                max_length=12,
            ),
        ),
        ops.RunSQL(MARK, reverse_sql=NO_MARK),
    ]
