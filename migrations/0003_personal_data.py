"""What is known of a citizen, sealed; ids that were joined into another; platforms' former ids."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0002_indexes_and_jobs")]

    operations = [
        ops.CreateModel(
            name="CitizenAlias",
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
                        related_name="aliases",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("joined_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "citizen_alias",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An id that was a citizen's until her accounts were joined; her tokens may still bear it.",
            },
            bases=["Model"],
        ),
        # Foreign keys make no index in PostgreSQL.
        ops.AddIndex(
            model_name="CitizenAlias", index=Index(fields=["citizen_id"], name="citizen_alias_of")
        ),
        ops.AddIndex(
            model_name="ChannelLink", index=Index(fields=["citizen_id"], name="channel_link_of")
        ),
        ops.AddField(
            model_name="ChannelLink",
            name="legacy_subject",
            field=fields.CharField(null=True, max_length=128),
        ),
        ops.AddIndex(
            model_name="ChannelLink",
            index=Index(
                fields=["platform", "app_id", "legacy_subject"], name="channel_legacy_subject"
            ),
        ),
        ops.AddField(model_name="Citizen", name="name", field=fields.BinaryField(null=True)),
        ops.AddField(
            model_name="Citizen", name="id_type", field=fields.CharField(null=True, max_length=24)
        ),
        ops.AddField(model_name="Citizen", name="id_number", field=fields.BinaryField(null=True)),
        ops.AddField(
            model_name="Citizen",
            name="id_index",
            field=fields.CharField(null=True, unique=True, max_length=64),
        ),
        ops.AddField(
            model_name="Citizen",
            name="real_name_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(model_name="Citizen", name="phone", field=fields.BinaryField(null=True)),
        ops.AddField(
            model_name="Citizen",
            name="phone_index",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(
            model_name="Citizen",
            name="phone_verified_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddIndex(
            model_name="Citizen", index=Index(fields=["phone_index"], name="citizen_phone")
        ),
    ]
