"""Steps of one statement tell of themselves together."""

from tortoise import migrations
from tortoise.migrations import operations as ops

# What is booked, held or offered has just come to be: nothing was told of it that could be untrue.
TOGETHER = """
DROP TRIGGER notice_of_step ON appointment_event;
DROP FUNCTION notice_of_step();
CREATE FUNCTION notices_of_steps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM take_back_notices(appointment_id, step) FROM fresh
    WHERE step NOT IN ('hold', 'book', 'offer', 'pardon');
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, hall_id, facts, urgency,
                        happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'step:' || e.id, person,
           CASE e.step WHEN 'book' THEN 'appointment_booked'
               WHEN 'confirm' THEN 'appointment_booked'
               WHEN 'offer' THEN 'appointment_offered'
               WHEN 'cancel' THEN 'appointment_cancelled'
               WHEN 'miss' THEN 'appointment_missed'
               ELSE CASE WHEN e.actor_kind = 'citizen' THEN 'appointment_changed'
                    ELSE 'appointment_moved' END END,
           a.id, a.hall_id,
           jsonb_strip_nulls(jsonb_build_object('item', a.item_id, 'slot', e.slot_start,
               'until', CASE WHEN e.step = 'offer' THEN a.held_until END)),
           1, e.at,
           CASE WHEN e.step = 'offer' THEN a.held_until
                WHEN e.step IN ('cancel', 'miss') THEN e.at + interval '3 days'
                ELSE greatest(e.slot_start, e.at) END,
           'waiting', now()
    FROM fresh e CROSS JOIN LATERAL (
        SELECT * FROM appointment WHERE id = e.appointment_id OFFSET 0
    ) a CROSS JOIN LATERAL (
        SELECT a.citizen_id AS person UNION SELECT a.acting_id
    ) whom
    WHERE person IS NOT NULL
      AND (e.step <> 'cancel' OR e.detail IS NOT NULL OR a.booked_at IS NOT NULL)
      AND e.step IN ('book', 'confirm', 'offer', 'reschedule', 'cancel', 'miss')
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER notices_of_steps AFTER INSERT ON appointment_event
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION notices_of_steps();
"""
APART = """
DROP TRIGGER notices_of_steps ON appointment_event;
DROP FUNCTION notices_of_steps();
CREATE FUNCTION notice_of_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM take_back_notices(NEW.appointment_id, NEW.step);
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, hall_id, facts, urgency,
                        happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'step:' || NEW.id, person,
           CASE NEW.step WHEN 'book' THEN 'appointment_booked'
               WHEN 'confirm' THEN 'appointment_booked'
               WHEN 'offer' THEN 'appointment_offered'
               WHEN 'cancel' THEN 'appointment_cancelled'
               WHEN 'miss' THEN 'appointment_missed'
               ELSE CASE WHEN NEW.actor_kind = 'citizen' THEN 'appointment_changed'
                    ELSE 'appointment_moved' END END,
           a.id, a.hall_id,
           jsonb_strip_nulls(jsonb_build_object('item', a.item_id, 'slot', NEW.slot_start,
               'until', CASE WHEN NEW.step = 'offer' THEN a.held_until END)),
           1, NEW.at,
           CASE WHEN NEW.step = 'offer' THEN a.held_until
                WHEN NEW.step IN ('cancel', 'miss') THEN NEW.at + interval '3 days'
                ELSE greatest(NEW.slot_start, NEW.at) END,
           'waiting', now()
    FROM appointment a CROSS JOIN LATERAL (
        SELECT a.citizen_id AS person UNION SELECT a.acting_id) whom
    WHERE a.id = NEW.appointment_id AND person IS NOT NULL
      AND (NEW.step <> 'cancel' OR NEW.detail IS NOT NULL OR a.booked_at IS NOT NULL)
      AND NEW.step IN ('book', 'confirm', 'offer', 'reschedule', 'cancel', 'miss')
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER notice_of_step AFTER INSERT ON appointment_event
    FOR EACH ROW WHEN (NEW.step NOT IN ('hold', 'pardon')) EXECUTE FUNCTION notice_of_step();
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0044_ratings")]

    initial = False

    operations = [ops.RunSQL(TOGETHER, reverse_sql=APART)]
