"""Bundles of items; visits that go through several, and what their tickets tell of them."""

import functools
from json import dumps, loads
from uuid import uuid4

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.visits import Left, VisitState

# The models say db_constraint=False for these; Tortoise 1.1's migrations make them all the same.
UNCHECKED = [
    "ALTER TABLE visit DROP CONSTRAINT visit_hall_id_fkey",
    "ALTER TABLE visit_stop DROP CONSTRAINT visit_stop_item_id_fkey",
]
CHECKED = [
    "ALTER TABLE visit ADD CONSTRAINT visit_hall_id_fkey FOREIGN KEY (hall_id) REFERENCES hall (id)",
    "ALTER TABLE visit_stop ADD CONSTRAINT visit_stop_item_id_fkey"
    " FOREIGN KEY (item_id) REFERENCES item (id)",
]


class Migration(migrations.Migration):
    dependencies = [("models", "0015_counters_and_managers")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Bundle",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("code", fields.CharField(unique=True, max_length=64)),
                ("name", fields.CharField(max_length=80)),
                ("name_en", fields.CharField(max_length=160)),
                ("guide", fields.TextField(unique=False)),
                ("guide_en", fields.TextField(unique=False)),
                (
                    "stops",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                (
                    "form",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
            ],
            options={
                "table": "bundle",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A bundle 一件事: items that belong together in somebody's life, and the form for all of them.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Visit",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=False,
                        to_field="id",
                        related_name="visits",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "citizen",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="citizen_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="visits",
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
                        related_name="visits_for_others",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("proxy_id", fields.UUIDField(null=True)),
                ("person_key", fields.UUIDField(null=True)),
                ("bundle", fields.CharField(null=True, max_length=64)),
                ("day", fields.DateField()),
                ("begun_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("rank_time", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("form", fields.BinaryField(null=True)),
                (
                    "state",
                    fields.CharEnumField(
                        description="OPEN: open\nFINISHED: finished\nCANCELLED: cancelled\nDAY_ENDED: day_ended",
                        enum_type=VisitState,
                        max_length=16,
                    ),
                ),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "visit",
                "app": "models",
                "indexes": [
                    Index(fields=["citizen_id", "id"], name="visit_of_citizen"),
                    Index(fields=["acting_id", "id"], name="visit_of_acting"),
                    Index(fields=["person_key"], name="visit_of_person"),
                    Index(fields=["ended_at", "day"], name="visit_by_end"),
                ],
                "pk_attr": "id",
                "table_description": "One coming to a hall for several items. Whose it is is told as a ticket tells it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="VisitStop",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "visit",
                    fields.ForeignKeyField(
                        "models.Visit",
                        source_field="visit_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="stops",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "item",
                    fields.ForeignKeyField(
                        "models.Item",
                        source_field="item_id",
                        db_constraint=False,
                        to_field="id",
                        related_name="stops",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("place", fields.SmallIntField()),
                ("after", ArrayField(element_type="UUID")),
                ("turn", fields.SmallIntField(null=True)),
                ("ticket_id", fields.UUIDField(null=True, unique=True)),
                ("given_after", fields.UUIDField(null=True)),
                (
                    "left_out",
                    fields.CharEnumField(
                        null=True,
                        description="SKIPPED: skipped\nNOT_OFFERED: not_offered\nALREADY_IN_LINE: already_in_line\nVISIT_ENDED: visit_ended",
                        enum_type=Left,
                        max_length=16,
                    ),
                ),
                ("added_with", fields.UUIDField(null=True)),
            ],
            options={
                "table": "visit_stop",
                "app": "models",
                "indexes": [Index(fields=["visit_id", "place"], name="visit_stop_in_order")],
                "pk_attr": "id",
                "table_description": "An item of a visit. It has a ticket from its turn on; `turn` counts these from 1.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Ticket",
            name="visit_id",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="TicketEvent",
            name="visit_id",
            field=fields.UUIDField(null=True),
        ),
        ops.RunSQL(UNCHECKED, reverse_sql=CHECKED),
    ]
