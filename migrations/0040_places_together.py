"""Places taken by one statement are counted together; what must move is found at once."""

from tortoise import migrations
from tortoise.migrations import operations as ops

# As before, whoever writes a place locks its slot's row, and a CHECK there refuses one too many.
# Several slots are locked in the order of time, as everybody does.
COUNT = """
DROP TRIGGER count_place ON appointment_place;
DROP FUNCTION count_place();
CREATE FUNCTION count_taken() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    counted int;
BEGIN
    PERFORM 1 FROM slot WHERE id = ANY(ARRAY(SELECT slot_id FROM fresh))
    ORDER BY starts_at, id FOR NO KEY UPDATE;
    UPDATE slot SET
        taken = taken + more.everybody,
        taken_elders = taken_elders + more.elders,
        taken_companies = taken_companies + more.companies,
        taken_desk = taken_desk + more.desk
    FROM (SELECT slot_id, count(*) FILTER (WHERE part = 'everybody') AS everybody,
                 count(*) FILTER (WHERE part = 'elders') AS elders,
                 count(*) FILTER (WHERE part = 'companies') AS companies,
                 count(*) FILTER (WHERE part = 'desk') AS desk
          FROM fresh GROUP BY slot_id) more
    WHERE slot.id = more.slot_id AND slot.state = 'open';
    GET DIAGNOSTICS counted = ROW_COUNT;
    IF counted < (SELECT count(DISTINCT slot_id) FROM fresh) THEN
        RAISE EXCEPTION 'the slot is closed or gone'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'slot_open';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION count_given_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM slot WHERE id = ANY(ARRAY(SELECT slot_id FROM gone))
    ORDER BY starts_at, id FOR NO KEY UPDATE;
    UPDATE slot SET
        taken = taken - less.everybody,
        taken_elders = taken_elders - less.elders,
        taken_companies = taken_companies - less.companies,
        taken_desk = taken_desk - less.desk,
        capacity = greatest(planned, least(capacity, CASE WHEN capacity > planned THEN
            taken - less.everybody + for_elders + for_companies + for_desk - overbooking
            ELSE capacity END))
    FROM (SELECT slot_id, count(*) FILTER (WHERE part = 'everybody') AS everybody,
                 count(*) FILTER (WHERE part = 'elders') AS elders,
                 count(*) FILTER (WHERE part = 'companies') AS companies,
                 count(*) FILTER (WHERE part = 'desk') AS desk
          FROM gone GROUP BY slot_id) less
    WHERE slot.id = less.slot_id;
    RETURN NULL;
END $$;
CREATE FUNCTION no_change_of_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a place is taken or given up, never changed';
END $$;
CREATE TRIGGER count_taken AFTER INSERT ON appointment_place
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION count_taken();
CREATE TRIGGER count_given_up AFTER DELETE ON appointment_place
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_given_up();
CREATE TRIGGER no_change BEFORE UPDATE ON appointment_place
    FOR EACH ROW EXECUTE FUNCTION no_change_of_places();
CREATE INDEX appointment_must_move ON appointment (hall_id) WHERE must_move AND state = 'booked';
"""
BEFORE = """
DROP INDEX appointment_must_move;
DROP TRIGGER count_taken ON appointment_place;
DROP TRIGGER count_given_up ON appointment_place;
DROP TRIGGER no_change ON appointment_place;
DROP FUNCTION count_taken();
DROP FUNCTION count_given_up();
DROP FUNCTION no_change_of_places();
CREATE FUNCTION count_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'a place is taken or given up, never changed';
    ELSIF TG_OP = 'INSERT' THEN
        UPDATE slot SET
            taken = taken + (NEW.part = 'everybody')::int,
            taken_elders = taken_elders + (NEW.part = 'elders')::int,
            taken_companies = taken_companies + (NEW.part = 'companies')::int,
            taken_desk = taken_desk + (NEW.part = 'desk')::int
        WHERE id = NEW.slot_id AND state = 'open';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the slot is closed or gone'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'slot_open';
        END IF;
    ELSE
        UPDATE slot SET
            taken = taken - (OLD.part = 'everybody')::int,
            taken_elders = taken_elders - (OLD.part = 'elders')::int,
            taken_companies = taken_companies - (OLD.part = 'companies')::int,
            taken_desk = taken_desk - (OLD.part = 'desk')::int,
            capacity = greatest(planned, least(capacity, CASE WHEN capacity > planned THEN
                taken - (OLD.part = 'everybody')::int + for_elders + for_companies + for_desk
                - overbooking ELSE capacity END))
        WHERE id = OLD.slot_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_place AFTER INSERT OR UPDATE OR DELETE ON appointment_place
    FOR EACH ROW EXECUTE FUNCTION count_place();
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0036_outages")]

    initial = False

    operations = [ops.RunSQL(COUNT, reverse_sql=BEFORE)]
