"""What people are to be told is written with what causes it, sent by couriers, and kept to be read.

Moves of tickets write theirs by a trigger on their events: the statement that moves a ticket stays
one statement, and no move can forget to tell. Nothing is announced by NOTIFY: committing one takes
a lock of the whole server, which would put the calls of all halls in one row.
"""

import functools
from json import dumps, loads
from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.notice_kinds import NoticeKind
from models.notices import AttemptResult, NoticeState

# Couriers look at what waits, not at all that was ever told.
DUE = """
CREATE INDEX notice_due ON notice (urgency, try_after) WHERE state = 'waiting';
CREATE INDEX notice_unread ON notice (citizen_id) WHERE read_at IS NULL;
CREATE INDEX notice_dead ON notice (id) WHERE state = 'dead';
"""
# Whoever holds the ticket is told, and whoever took it for her. A move that is taken back takes
# back what was not sent yet.
TURNS = """
CREATE FUNCTION notice_of_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.move = 'undo' THEN
        UPDATE notice SET state = 'expired', fault = 'undone', settled_at = now()
        WHERE event_key = 'event:' || NEW.undoes AND state = 'waiting';
        RETURN NULL;
    END IF;
    INSERT INTO notice (id, event_key, citizen_id, kind, ticket_id, hall_id, facts, urgency,
                        while_state, happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'event:' || NEW.id, person,
           CASE NEW.move WHEN 'call' THEN 'ticket_called' WHEN 'recall' THEN 'ticket_recalled'
               WHEN 'miss' THEN 'ticket_missed' ELSE 'ticket_sent_on' END,
           t.id, t.hall_id,
           jsonb_strip_nulls(jsonb_build_object(
               'number', t.number, 'item', t.item_id, 'line', t.line_id,
               'counter', CASE WHEN NEW.move IN ('call', 'recall') THEN (
                   SELECT code FROM counter WHERE id = t.counter_id) END)),
           0, NEW.state, NEW.at,
           NEW.at + CASE WHEN NEW.move IN ('call', 'recall') THEN interval '30 minutes'
                    ELSE interval '2 hours' END,
           'waiting', now()
    FROM ticket t CROSS JOIN LATERAL (
        SELECT t.citizen_id AS person UNION SELECT t.acting_id) whom
    WHERE t.id = NEW.ticket_id AND person IS NOT NULL
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER notice_of_move AFTER INSERT ON ticket_event
    FOR EACH ROW WHEN (NEW.move IN ('call', 'recall', 'miss', 'transfer', 'undo'))
    EXECUTE FUNCTION notice_of_move();
"""
NO_TURNS = """
DROP TRIGGER notice_of_move ON ticket_event;
DROP FUNCTION notice_of_move();
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0029_pages")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("event_key", fields.CharField(max_length=80)),
                ("citizen_id", fields.UUIDField()),
                (
                    "kind",
                    fields.CharEnumField(
                        description="TICKET_CALLED: ticket_called\nTICKET_RECALLED: ticket_recalled\nTICKET_MISSED: ticket_missed\nTICKET_SENT_ON: ticket_sent_on\nTURN_NEAR: turn_near\nLEAVE_NOW: leave_now\nBETTER_HALL: better_hall\nCOUNTER_OPENED: counter_opened\nLINE_DELAYED: line_delayed\nHALL_CLOSING: hall_closing",
                        enum_type=NoticeKind,
                        max_length=32,
                    ),
                ),
                ("ticket_id", fields.UUIDField(null=True, db_index=True)),
                ("hall_id", fields.UUIDField(null=True)),
                (
                    "facts",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("urgency", fields.SmallIntField()),
                ("while_state", fields.CharField(null=True, max_length=16)),
                ("happened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("useful_until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "state",
                    fields.CharEnumField(
                        description="WAITING: waiting\nSENT: sent\nKEPT: kept\nEXPIRED: expired\nDEAD: dead",
                        enum_type=NoticeState,
                        max_length=8,
                    ),
                ),
                ("channel", fields.CharField(null=True, max_length=12)),
                ("fault", fields.CharField(null=True, max_length=64)),
                ("try_after", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("tries", fields.SmallIntField(db_default=0)),
                ("settled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("read_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "notice",
                "app": "models",
                "indexes": [Index(fields=["citizen_id", "id"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NoticeAttempt",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("notice_id", fields.UUIDField(db_index=True)),
                ("channel", fields.CharField(max_length=12)),
                ("subject", fields.CharField(null=True, max_length=128)),
                ("template_id", fields.CharField(max_length=64)),
                ("begun_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "result",
                    fields.CharEnumField(
                        null=True,
                        description="ACCEPTED: accepted\nREFUSED: refused\nFAILED: failed\nUNSURE: unsure",
                        enum_type=AttemptResult,
                        max_length=8,
                    ),
                ),
                ("code", fields.CharField(null=True, max_length=64)),
                ("message_no", fields.CharField(null=True, max_length=128)),
            ],
            options={
                "table": "notice_attempt",
                "app": "models",
                "indexes": [Index(fields=["channel", "message_no"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NoticePreference",
            fields=[
                (
                    "citizen_id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("english", fields.BooleanField()),
                (
                    "channels",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                (
                    "muted",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("quiet_from", fields.SmallIntField()),
                ("quiet_to", fields.SmallIntField()),
                ("ahead", fields.SmallIntField(null=True)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "notice_preference",
                "app": "models",
                "pk_attr": "citizen_id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NoticeReceipt",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("channel", fields.CharField(max_length=12)),
                ("message_no", fields.CharField(max_length=128)),
                ("subject", fields.CharField(null=True, max_length=128)),
                ("template_id", fields.CharField(null=True, max_length=64)),
                ("code", fields.CharField(null=True, max_length=64)),
                ("received_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "notice_receipt",
                "app": "models",
                "indexes": [Index(fields=["channel", "subject", "template_id", "received_at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NoticeTemplate",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="TICKET_CALLED: ticket_called\nTICKET_RECALLED: ticket_recalled\nTICKET_MISSED: ticket_missed\nTICKET_SENT_ON: ticket_sent_on\nTURN_NEAR: turn_near\nLEAVE_NOW: leave_now\nBETTER_HALL: better_hall\nCOUNTER_OPENED: counter_opened\nLINE_DELAYED: line_delayed\nHALL_CLOSING: hall_closing",
                        enum_type=NoticeKind,
                        max_length=32,
                    ),
                ),
                ("channel", fields.CharField(max_length=12)),
                ("english", fields.BooleanField()),
                ("version", fields.IntField()),
                ("template_id", fields.CharField(max_length=64)),
                ("page", fields.CharField(max_length=200)),
                (
                    "patterns",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("text", fields.CharField(max_length=500)),
                ("saved_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("saved_by", fields.UUIDField()),
            ],
            options={
                "table": "notice_template",
                "app": "models",
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PlatformEvent",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("platform", fields.CharField(max_length=12)),
                ("event_key", fields.CharField(max_length=160)),
                (
                    "received_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "platform_event",
                "app": "models",
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Subscription",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("platform", fields.CharField(max_length=12)),
                ("subject", fields.CharField(max_length=128)),
                ("template_id", fields.CharField(max_length=64)),
                ("credits", fields.SmallIntField()),
                ("lasting", fields.BooleanField(db_default=False)),
                ("by_app", fields.IntField(db_default=0)),
                ("by_push", fields.IntField(db_default=0)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "subscription",
                "app": "models",
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Notice",
            UniqueConstraint(fields=("event_key", "citizen_id", "kind"), name="notice_once"),
        ),
        ops.AddConstraint(
            "Notice",
            CheckConstraint(
                check="(state = 'waiting') = (settled_at IS NULL)", name="notice_until_settled"
            ),
        ),
        ops.AddConstraint(
            "NoticeReceipt",
            UniqueConstraint(fields=("channel", "message_no"), name="notice_receipt_once"),
        ),
        ops.AddConstraint(
            "NoticeTemplate",
            UniqueConstraint(
                fields=("kind", "channel", "english", "version"), name="notice_template_version"
            ),
        ),
        ops.AddConstraint(
            "NoticeTemplate",
            CheckConstraint(check="version > 0", name="notice_template_after_files"),
        ),
        ops.AddConstraint(
            "PlatformEvent",
            UniqueConstraint(fields=("platform", "event_key"), name="platform_event_once"),
        ),
        ops.AddConstraint(
            "Subscription",
            UniqueConstraint(
                fields=("platform", "subject", "template_id"), name="subscription_once"
            ),
        ),
        ops.AddConstraint(
            "Subscription",
            CheckConstraint(check="credits >= 0", name="subscription_never_overdrawn"),
        ),
        ops.RunSQL(DUE, reverse_sql="DROP INDEX notice_due, notice_unread, notice_dead"),
        ops.RunSQL(TURNS, reverse_sql=NO_TURNS),
    ]
