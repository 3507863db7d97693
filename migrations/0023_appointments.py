"""Appointments: slots and their plans, bookings with their places, who waits for one, blocks."""

import functools
from json import dumps, loads
from uuid import uuid4

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.appointments import AppointmentState, Pardon, Step
from models.slots import Part, SlotState, WaitlistState

# A place is one row; the trigger moves the counters of its slot, whose CHECKs refuse one too many.
# Of a slot with more booked than planned, what is given up goes to nobody.
PLACES = """
CREATE TABLE appointment_place (
    appointment_id uuid NOT NULL,
    slot_id uuid NOT NULL,
    part text NOT NULL,
    PRIMARY KEY (appointment_id, slot_id)
);
CREATE INDEX place_of_slot ON appointment_place (slot_id);
CREATE FUNCTION count_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'a place is taken or given up, never changed';
    ELSIF TG_OP = 'INSERT' THEN
        UPDATE slot SET
            taken = taken + (NEW.part = 'everybody')::int,
            taken_elders = taken_elders + (NEW.part = 'elders')::int,
            taken_companies = taken_companies + (NEW.part = 'companies')::int
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
            capacity = greatest(planned, least(capacity, CASE WHEN capacity > planned THEN
                taken - (OLD.part = 'everybody')::int + for_elders + for_companies - overbooking
                ELSE capacity END))
        WHERE id = OLD.slot_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_place AFTER INSERT OR UPDATE OR DELETE ON appointment_place
    FOR EACH ROW EXECUTE FUNCTION count_place();
CREATE FUNCTION no_truncate_of_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'places are given up one by one, so that slots count them';
END $$;
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON appointment_place
    EXECUTE FUNCTION no_truncate_of_places();
CREATE TABLE appointment_once (
    person uuid NOT NULL,
    item_id uuid NOT NULL,
    day date NOT NULL,
    appointment_id uuid NOT NULL,
    PRIMARY KEY (person, item_id, day)
);
CREATE INDEX once_of_appointment ON appointment_once (appointment_id);
"""
NO_PLACES = """
DROP TABLE appointment_once;
DROP TABLE appointment_place;
DROP FUNCTION count_place();
DROP FUNCTION no_truncate_of_places();
"""
# What is looked for again and again, and is little of all there ever was.
LOOKED_FOR = """
CREATE UNIQUE INDEX slot_once ON slot (line_id, item_id, starts_at) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX slot_plan_once ON slot_plan (line_id, item_id) NULLS NOT DISTINCT;
CREATE INDEX appointment_held ON appointment (held_until) WHERE state IN ('held', 'offered');
CREATE INDEX appointment_due ON appointment (slot_start) WHERE state = 'booked';
CREATE INDEX waitlist_waiting ON waitlist (line_id, day, id) WHERE state = 'waiting';
"""
NOT_LOOKED_FOR = """
DROP INDEX slot_once;
DROP INDEX slot_plan_once;
DROP INDEX appointment_held;
DROP INDEX appointment_due;
DROP INDEX waitlist_waiting;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("models", "0022_departures"),
    ]

    initial = False

    operations = [
        ops.CreateModel(
            name="Appointment",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("hall_id", fields.UUIDField()),
                ("line_id", fields.UUIDField()),
                ("item_id", fields.UUIDField()),
                ("items", ArrayField(db_default=[], element_type="UUID")),
                (
                    "citizen",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="citizen_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="appointments",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "acting",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="acting_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="appointments_for_others",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("proxy_id", fields.UUIDField(null=True)),
                ("person_key", fields.UUIDField(null=True)),
                (
                    "part",
                    fields.CharEnumField(
                        description="EVERYBODY: everybody\nELDERS: elders\nCOMPANIES: companies",
                        enum_type=Part,
                        max_length=12,
                    ),
                ),
                ("day", fields.DateField()),
                ("slot_start", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("slot_end", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "state",
                    fields.CharEnumField(
                        description="HELD: held\nOFFERED: offered\nBOOKED: booked\nCHECKED_IN: checked_in\nMISSED: missed\nCANCELLED: cancelled\nEXPIRED: expired",
                        enum_type=AppointmentState,
                        max_length=12,
                    ),
                ),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("held_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("booked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("check_in_code", fields.CharField(unique=True, max_length=16)),
                ("ticket_id", fields.UUIDField(null=True, unique=True)),
                ("waitlist_id", fields.UUIDField(null=True)),
                ("must_move", fields.BooleanField(db_default=False)),
                (
                    "pardoned_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "pardon",
                    fields.CharEnumField(
                        null=True,
                        description="SICK_CHILD: sick_child\nILLNESS: illness\nTRAFFIC: traffic\nOUR_FAULT: our_fault\nOTHER: other",
                        enum_type=Pardon,
                        max_length=12,
                    ),
                ),
                ("version", fields.BigIntField()),
            ],
            options={
                "table": "appointment",
                "app": "models",
                "indexes": [
                    Index(fields=["citizen_id", "id"], name="appointment_of_citizen"),
                    Index(fields=["acting_id", "id"], name="appointment_of_acting"),
                    Index(fields=["person_key"], name="appointment_of_person"),
                    Index(fields=["hall_id", "day", "slot_start"], name="appointment_of_hall"),
                ],
                "pk_attr": "id",
                "table_description": "A place booked in one slot, or in several in a row. Whose it is is told as a ticket tells it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AppointmentEvent",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("appointment_id", fields.UUIDField()),
                ("hall_id", fields.UUIDField()),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "step",
                    fields.CharEnumField(
                        description="HOLD: hold\nBOOK: book\nOFFER: offer\nCONFIRM: confirm\nEXPIRE: expire\nRESCHEDULE: reschedule\nCANCEL: cancel\nCHECK_IN: check_in\nMISS: miss\nPARDON: pardon",
                        enum_type=Step,
                        max_length=12,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="HELD: held\nOFFERED: offered\nBOOKED: booked\nCHECKED_IN: checked_in\nMISSED: missed\nCANCELLED: cancelled\nEXPIRED: expired",
                        enum_type=AppointmentState,
                        max_length=12,
                    ),
                ),
                ("slot_start", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("actor_kind", fields.CharField(max_length=16)),
                ("actor_id", fields.UUIDField(null=True)),
                ("on_behalf_of", fields.UUIDField(null=True)),
                ("detail", fields.CharField(null=True, max_length=80)),
            ],
            options={
                "table": "appointment_event",
                "app": "models",
                "indexes": [Index(fields=["appointment_id", "id"])],
                "pk_attr": "id",
                "table_description": "One thing that happened to an appointment: who, when, what, for which slot. Never changed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="BookingBlock",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("person", fields.UUIDField(db_index=True)),
                ("hall_id", fields.UUIDField(db_index=True)),
                ("since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("appeal", fields.BinaryField(null=True)),
                (
                    "appealed_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("decided_by", fields.UUIDField(null=True)),
                ("granted", fields.BooleanField(null=True)),
            ],
            options={
                "table": "booking_block",
                "app": "models",
                "pk_attr": "id",
                "table_description": "That somebody may not book until a moment, as she missed too often; ended by a pardon.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Slot",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("hall_id", fields.UUIDField()),
                ("line_id", fields.UUIDField()),
                ("item_id", fields.UUIDField(null=True)),
                ("day", fields.DateField()),
                ("starts_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ends_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "state",
                    fields.CharEnumField(
                        description="OPEN: open\nCLOSED: closed", enum_type=SlotState, max_length=8
                    ),
                ),
                ("planned", fields.SmallIntField()),
                ("capacity", fields.SmallIntField()),
                ("overbooking", fields.SmallIntField(db_default=0)),
                ("for_elders", fields.SmallIntField(db_default=0)),
                ("for_companies", fields.SmallIntField(db_default=0)),
                ("taken", fields.SmallIntField(db_default=0)),
                ("taken_elders", fields.SmallIntField(db_default=0)),
                ("taken_companies", fields.SmallIntField(db_default=0)),
                ("serves", fields.FloatField(db_default=0)),
                ("walk_ins", fields.FloatField(db_default=0)),
                ("overridden", fields.BooleanField(db_default=False)),
            ],
            options={
                "table": "slot",
                "app": "models",
                "indexes": [
                    Index(fields=["hall_id", "starts_at"], name="slot_of_hall"),
                    Index(fields=["line_id", "starts_at"], name="slot_of_line"),
                ],
                "pk_attr": "id",
                "table_description": "So many places from one moment to another in a line, or for one item that has its own.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SlotPlan",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("hall_id", fields.UUIDField(db_index=True)),
                ("line_id", fields.UUIDField()),
                ("item_id", fields.UUIDField(null=True)),
                ("slot_min", fields.SmallIntField(null=True)),
                ("counters", fields.SmallIntField(null=True)),
                ("share_percent", fields.SmallIntField(null=True)),
                ("places", fields.SmallIntField(null=True)),
                ("elders_percent", fields.SmallIntField(null=True)),
                ("companies_percent", fields.SmallIntField(null=True)),
                (
                    "hours",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
            ],
            options={
                "table": "slot_plan",
                "app": "models",
                "pk_attr": "id",
                "table_description": "How a manager plans the slots of a line, or of one item apart; what is null is as usual.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Waitlist",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("hall_id", fields.UUIDField()),
                ("line_id", fields.UUIDField()),
                ("item_id", fields.UUIDField()),
                (
                    "citizen",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="citizen_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="waitlist",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "acting",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="acting_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="waitlist_for_others",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("proxy_id", fields.UUIDField(null=True)),
                ("person_key", fields.UUIDField(null=True)),
                (
                    "part",
                    fields.CharEnumField(
                        description="EVERYBODY: everybody\nELDERS: elders\nCOMPANIES: companies",
                        enum_type=Part,
                        max_length=12,
                    ),
                ),
                ("day", fields.DateField()),
                ("many", fields.SmallIntField()),
                ("starts_from", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "state",
                    fields.CharEnumField(
                        description="WAITING: waiting\nOFFERED: offered\nBOOKED: booked\nPASSED: passed\nLEFT: left\nOVER: over",
                        enum_type=WaitlistState,
                        max_length=8,
                    ),
                ),
                ("joined_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("appointment_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "waitlist",
                "app": "models",
                "indexes": [
                    Index(fields=["citizen_id", "id"], name="waitlist_of_citizen"),
                    Index(fields=["acting_id", "id"], name="waitlist_of_acting"),
                    Index(fields=["person_key"], name="waitlist_of_person"),
                ],
                "pk_attr": "id",
                "table_description": "Somebody who waits for a place at a hall on a day between two moments, in order of ids.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Appointment",
            CheckConstraint(
                check="(ended_at IS NULL) = (state IN ('held', 'offered', 'booked'))",
                name="appointment_open_until_ended",
            ),
        ),
        ops.AddConstraint(
            "Appointment",
            CheckConstraint(
                check="state NOT IN ('held', 'offered') OR held_until IS NOT NULL",
                name="appointment_held_until",
            ),
        ),
        ops.AddConstraint(
            "Appointment",
            CheckConstraint(check="slot_end > slot_start", name="appointment_has_time"),
        ),
        ops.AddConstraint(
            "Slot",
            CheckConstraint(
                check="taken >= 0 AND taken + for_elders + for_companies <= capacity + overbooking",
                name="slot_room",
            ),
        ),
        ops.AddConstraint(
            "Slot",
            CheckConstraint(
                check="taken_elders >= 0 AND taken_elders <= for_elders", name="slot_room_elders"
            ),
        ),
        ops.AddConstraint(
            "Slot",
            CheckConstraint(
                check="taken_companies >= 0 AND taken_companies <= for_companies",
                name="slot_room_companies",
            ),
        ),
        ops.AddConstraint(
            "Slot",
            CheckConstraint(
                check="planned >= 0 AND capacity >= planned AND overbooking >= 0",
                name="slot_planned",
            ),
        ),
        ops.AddConstraint(
            "Slot", CheckConstraint(check="ends_at > starts_at", name="slot_has_time")
        ),
        ops.AddConstraint(
            "Waitlist",
            UniqueConstraint(
                fields=("citizen_id", "item_id", "day"),
                name="waitlist_once",
                condition="state IN ('waiting', 'offered')",
            ),
        ),
        ops.AddConstraint(
            "Waitlist",
            UniqueConstraint(
                fields=("person_key", "item_id", "day"),
                name="waitlist_once_for",
                condition="state IN ('waiting', 'offered') AND person_key IS NOT NULL",
            ),
        ),
        ops.RunSQL(PLACES, reverse_sql=NO_PLACES),
        ops.RunSQL(LOOKED_FOR, reverse_sql=NOT_LOOKED_FOR),
    ]
