"""The hall books for who comes to its desk or telephones; some places may be kept for that."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

_COUNT = """
CREATE OR REPLACE FUNCTION count_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'a place is taken or given up, never changed';
    ELSIF TG_OP = 'INSERT' THEN
        UPDATE slot SET
            taken = taken + (NEW.part = 'everybody')::int,
            taken_elders = taken_elders + (NEW.part = 'elders')::int,
            {one_more}
        WHERE id = NEW.slot_id AND state = 'open';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the slot is closed or gone'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'slot_open';
        END IF;
    ELSE
        UPDATE slot SET
            taken = taken - (OLD.part = 'everybody')::int,
            taken_elders = taken_elders - (OLD.part = 'elders')::int,
            {one_less}
            capacity = greatest(planned, least(capacity, CASE WHEN capacity > planned THEN
                taken - (OLD.part = 'everybody')::int + {kept} - overbooking
                ELSE capacity END))
        WHERE id = OLD.slot_id;
    END IF;
    RETURN NULL;
END $$;
"""
_COMPANIES_MORE = "taken_companies = taken_companies + (NEW.part = 'companies')::int"
_COMPANIES_LESS = "taken_companies = taken_companies - (OLD.part = 'companies')::int,"
COUNT = _COUNT.format(
    one_more=_COMPANIES_MORE + ",\n            taken_desk = taken_desk + (NEW.part = 'desk')::int",
    one_less=_COMPANIES_LESS + "\n            taken_desk = taken_desk - (OLD.part = 'desk')::int,",
    kept="for_elders + for_companies + for_desk",
)
BEFORE = _COUNT.format(
    one_more=_COMPANIES_MORE, one_less=_COMPANIES_LESS, kept="for_elders + for_companies"
)
# Forgotten some days after they are over: few of all there ever were.
SHOWN = "CREATE INDEX appointment_shown ON appointment (ended_at) WHERE shown_as IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [("models", "0024_pauses")]

    initial = False

    operations = [
        ops.AddField("Appointment", "shown_as", fields.CharField(null=True, max_length=16)),
        ops.AddField("Appointment", "name", fields.BinaryField(null=True)),
        ops.AddField("Appointment", "phone", fields.BinaryField(null=True)),
        ops.AddField("Slot", "for_desk", fields.SmallIntField(db_default=0)),
        ops.AddField("Slot", "taken_desk", fields.SmallIntField(db_default=0)),
        ops.AddField("SlotPlan", "desk_percent", fields.SmallIntField(null=True)),
        ops.RemoveConstraint("Slot", "slot_room"),
        ops.AddConstraint(
            "Slot",
            CheckConstraint(
                check="taken >= 0 AND taken + for_elders + for_companies + for_desk <= capacity + overbooking",
                name="slot_room",
            ),
        ),
        ops.AddConstraint(
            "Slot",
            CheckConstraint(
                check="taken_desk >= 0 AND taken_desk <= for_desk", name="slot_room_desk"
            ),
        ),
        ops.RunSQL(COUNT, reverse_sql=BEFORE),
        ops.RunSQL(SHOWN, reverse_sql="DROP INDEX appointment_shown"),
    ]
