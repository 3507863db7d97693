"""Pages in a browser: a session whose cookie no script can read."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0028_leaving_for_slots")]

    initial = False

    operations = [
        ops.CreateModel(
            name="PageSession",
            fields=[
                (
                    "digest",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                (
                    "sign_in",
                    fields.ForeignKeyField(
                        "models.SignIn",
                        source_field="sign_in_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="page_sessions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("issued_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "expires_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "page_session",
                "app": "models",
                "indexes": [Index(fields=["sign_in_id"])],
                "pk_attr": "digest",
                "table_description": "A browser's session on our pages, stored as its SHA-256.",
            },
            bases=["Model"],
        ),
    ]
