"""Kiosks, what is kept of whoever takes a number at the hall, and who may follow a ticket."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.sessions import PersonKind


class Migration(migrations.Migration):
    dependencies = [("models", "0013_days_edges")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Follow",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("ticket_id", fields.UUIDField()),
                ("day", fields.DateField()),
                ("code_digest", fields.CharField(null=True, unique=True, max_length=64)),
                (
                    "citizen",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="citizen_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="follows",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "made_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "ended_at",
                    fields.DatetimeField(
                        null=True, db_index=True, auto_now=False, auto_now_add=False
                    ),
                ),
            ],
            options={
                "table": "follow",
                "app": "models",
                "indexes": [Index(fields=["ticket_id"], name="follow_of_ticket")],
                "pk_attr": "id",
                "table_description": "A code of a ticket, stored as its SHA-256, or a citizen who follows it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Kiosk",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="kiosks",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=40)),
                ("token_digest", fields.CharField(unique=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_by", fields.UUIDField()),
                (
                    "last_seen_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "revoked_at",
                    fields.DatetimeField(
                        null=True, db_index=True, auto_now=False, auto_now_add=False
                    ),
                ),
            ],
            options={
                "table": "kiosk",
                "app": "models",
                "indexes": [Index(fields=["hall_id", "id"], name="kiosk_of_hall")],
                "pk_attr": "id",
                "table_description": "A machine, and the SHA-256 of the token that it bears. One that is revoked stays, as a past.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TicketHolder",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("name", fields.BinaryField(null=True)),
                ("phone", fields.BinaryField(null=True)),
                (
                    "kept_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "ticket_holder",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Name and phone of the holder of the ticket with this id, as they were given; sealed.",
            },
            bases=["Model"],
        ),
        # Tortoise 1.1 forgets constraints when it creates a table.
        ops.AddConstraint(
            "Follow",
            CheckConstraint(
                check="(code_digest IS NULL) <> (citizen_id IS NULL)", name="follow_code_or_citizen"
            ),
        ),
        ops.AddConstraint(
            "Follow",
            UniqueConstraint(
                fields=("citizen_id", "ticket_id"),
                name="follow_once",
                condition="ended_at IS NULL AND citizen_id IS NOT NULL",
            ),
        ),
        ops.AddConstraint(
            "Kiosk",
            UniqueConstraint(
                fields=("hall_id", "name"), name="kiosk_name_once", condition="revoked_at IS NULL"
            ),
        ),
        ops.AlterField(
            model_name="SignIn",
            name="person_kind",
            field=fields.CharEnumField(
                description="CITIZEN: citizen\nSTAFF: staff\nKIOSK: kiosk",
                enum_type=PersonKind,
                max_length=16,
            ),
        ),
        ops.AddField(
            model_name="Ticket",
            name="shown_as",
            field=fields.CharField(null=True, max_length=16),
        ),
    ]
