"""Who may act for whom; tickets taken for somebody, and events that say for whom."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import UniqueConstraint

from models.proxies import Proof, ProxyKind, ProxyState

# Partial, so that tickets which people take for themselves cost nothing more.
INDEXES = [
    "CREATE INDEX ticket_of_acting ON ticket (acting_id, id) WHERE acting_id IS NOT NULL",
    "CREATE INDEX ticket_of_person ON ticket (person_key) WHERE person_key IS NOT NULL",
]
WITHOUT_INDEXES = ["DROP INDEX ticket_of_acting", "DROP INDEX ticket_of_person"]


class Migration(migrations.Migration):
    dependencies = [("models", "0007_counter_days")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Proxy",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "citizen",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="citizen_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="proxies",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "principal",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="principal_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="spoken_for_by",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="SPOUSE: spouse\nCHILD: child\nPARENT: parent\nOTHER: other\nCOMPANY: company",
                        enum_type=ProxyKind,
                        max_length=16,
                    ),
                ),
                (
                    "proof",
                    fields.CharEnumField(
                        description="CONSENT: consent\nDECLARATION: declaration",
                        enum_type=Proof,
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="ASKED: asked\nACTIVE: active\nENDED: ended",
                        enum_type=ProxyState,
                        max_length=16,
                    ),
                ),
                ("name", fields.BinaryField(null=True)),
                ("id_type", fields.CharField(null=True, max_length=24)),
                ("id_number", fields.BinaryField(null=True)),
                ("id_index", fields.CharField(null=True, max_length=64)),
                ("shown_as", fields.CharField(null=True, max_length=120)),
                ("refused", fields.BooleanField(default=False)),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("active_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "proxy",
                "app": "models",
                "indexes": [
                    Index(fields=["id_index"], name="proxy_by_number"),
                    Index(fields=["principal_id"], name="proxy_of_principal"),
                ],
                "pk_attr": "id",
                "table_description": "That a citizen acts for somebody.",
            },
            bases=["Model"],
        ),
        # Tortoise 1.1 forgets constraints when it creates a table.
        ops.AddConstraint(
            "Proxy", UniqueConstraint(fields=("citizen_id", "id_index"), name="proxy_once")
        ),
        ops.AddField(
            model_name="Ticket",
            name="acting",
            field=fields.ForeignKeyField(
                "models.Citizen",
                source_field="acting_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="tickets_for_others",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.AddField(
            model_name="Ticket",
            name="person_key",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="Ticket",
            name="proxy_id",
            field=fields.UUIDField(null=True),
        ),
        ops.AddConstraint(
            model_name="Ticket",
            constraint=UniqueConstraint(
                fields=("person_key", "item_id"),
                name="ticket_open_once_for",
                condition="ended_at IS NULL AND person_key IS NOT NULL",
            ),
        ),
        ops.AddField(
            model_name="TicketEvent",
            name="on_behalf_of",
            field=fields.UUIDField(null=True),
        ),
        ops.RunSQL(INDEXES, reverse_sql=WITHOUT_INDEXES),
    ]
