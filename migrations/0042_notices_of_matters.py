"""Appointments, bills and visits tell of themselves, as moves of tickets do.

Whatever happens to an appointment or a bill takes back what was not sent yet of it, so that nobody
is told what is no longer true. Rows are locked in the order of their ids, as couriers lock them.
"""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.notice_kinds import NoticeKind

KINDS = "\n".join(f"{kind.name}: {kind.value}" for kind in NoticeKind)
ABOUT = """
CREATE INDEX notice_about ON notice (subject_id) WHERE state = 'waiting';
CREATE FUNCTION take_back_notices(subject uuid, why text) RETURNS void LANGUAGE sql AS $$
    WITH untrue AS MATERIALIZED (
        SELECT id FROM notice WHERE subject_id = subject AND state = 'waiting'
        ORDER BY id FOR UPDATE
    )
    UPDATE notice n SET state = 'expired', fault = why, settled_at = now()
    FROM untrue WHERE n.id = untrue.id
$$;
"""
NOT_ABOUT = "DROP FUNCTION take_back_notices(uuid, text); DROP INDEX notice_about;"
# Of a step that only ends what was told of before, such as checking in, there is nothing to tell.
APPOINTMENTS = """
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
NO_APPOINTMENTS = """
DROP TRIGGER notice_of_step ON appointment_event;
DROP FUNCTION notice_of_step();
"""
# Who asks for her own number's bill is paying it; others' bills are news to her.
BILLS = """
CREATE FUNCTION notice_of_bill() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE told timestamptz := CASE NEW.state WHEN 'due' THEN NEW.made_at ELSE NEW.ended_at END;
BEGIN
    PERFORM take_back_notices(NEW.id, NEW.state);
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, ticket_id, hall_id, facts,
                        urgency, happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'bill:' || NEW.id || ':' || NEW.state, person,
           CASE NEW.state WHEN 'due' THEN 'bill_due' ELSE 'bill_paid' END,
           NEW.id, NEW.ticket_id, NEW.hall_id,
           jsonb_build_object('title', NEW.title, 'amount_fen', NEW.amount_fen), 1,
           told, told + interval '3 days', 'waiting', now()
    FROM (SELECT NEW.citizen_id AS person UNION SELECT NEW.acting_id) whom
    WHERE person IS NOT NULL AND NEW.state IN ('due', 'paid')
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER notice_of_bill AFTER INSERT ON bill
    FOR EACH ROW WHEN (NEW.made_by <> 'citizen') EXECUTE FUNCTION notice_of_bill();
CREATE TRIGGER notice_of_bill_ended AFTER UPDATE OF state ON bill
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION notice_of_bill();
CREATE FUNCTION notice_of_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, ticket_id, hall_id, facts,
                        urgency, happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'refund:' || NEW.id, person, 'bill_refunded', b.id, b.ticket_id, b.hall_id,
           jsonb_build_object('title', b.title, 'amount_fen', NEW.amount_fen), 1,
           NEW.ended_at, NEW.ended_at + interval '3 days', 'waiting', now()
    FROM pay_order o JOIN bill b ON b.id = o.bill_id CROSS JOIN LATERAL (
        SELECT b.citizen_id AS person UNION SELECT b.acting_id) whom
    WHERE o.id = NEW.order_id AND person IS NOT NULL
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER notice_of_refund AFTER UPDATE OF state ON refund
    FOR EACH ROW WHEN (NEW.state = 'done' AND OLD.state <> 'done')
    EXECUTE FUNCTION notice_of_refund();
"""
NO_BILLS = """
DROP TRIGGER notice_of_bill ON bill;
DROP TRIGGER notice_of_bill_ended ON bill;
DROP TRIGGER notice_of_refund ON refund;
DROP FUNCTION notice_of_bill();
DROP FUNCTION notice_of_refund();
"""
# Asked once a visit, when nothing of it is left to do; a finish taken back takes it back.
SERVED = """
CREATE FUNCTION notice_of_service() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notice (id, event_key, citizen_id, kind, ticket_id, hall_id, facts, urgency,
                        happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'event:' || NEW.id, t.citizen_id, 'rating_invited', t.id, t.hall_id,
           jsonb_build_object('number', t.number, 'item', t.item_id, 'line', t.line_id), 1,
           NEW.at, NEW.at + interval '1 day', 'waiting', now()
    FROM ticket t
    WHERE t.id = NEW.ticket_id AND t.citizen_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM visit_stop s LEFT JOIN ticket o ON o.id = s.ticket_id
        WHERE s.visit_id = t.visit_id AND s.left_out IS NULL AND s.ticket_id IS DISTINCT FROM t.id
          AND (o.id IS NULL OR o.state IN ('waiting', 'called', 'serving', 'parked')))
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER notice_of_service AFTER INSERT ON ticket_event
    FOR EACH ROW WHEN (NEW.move = 'finish') EXECUTE FUNCTION notice_of_service();
"""
NO_SERVED = """
DROP TRIGGER notice_of_service ON ticket_event;
DROP FUNCTION notice_of_service();
"""


def _kind() -> fields.Field[NoticeKind]:
    return fields.CharEnumField(description=KINDS, enum_type=NoticeKind, max_length=32)


class Migration(migrations.Migration):
    dependencies = [("models", "0040_places_together")]

    initial = False

    operations = [
        ops.AlterField(model_name="Notice", name="kind", field=_kind()),
        ops.AlterField(model_name="NoticeTemplate", name="kind", field=_kind()),
        ops.AddField(model_name="Notice", name="subject_id", field=fields.UUIDField(null=True)),
        ops.RunSQL(ABOUT, reverse_sql=NOT_ABOUT),
        ops.RunSQL(APPOINTMENTS, reverse_sql=NO_APPOINTMENTS),
        ops.RunSQL(BILLS, reverse_sql=NO_BILLS),
        ops.RunSQL(SERVED, reverse_sql=NO_SERVED),
    ]
