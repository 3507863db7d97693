"""Clients, consents, grants and tokens of single sign-on for departments' systems."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import UniqueConstraint

from models.sso import TokenKind


class Migration(migrations.Migration):
    dependencies = [("models", "0005_staff_accounts")]

    initial = False

    operations = [
        ops.CreateModel(
            name="SsoClient",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("code", fields.CharField(unique=True, max_length=40)),
                ("name", fields.CharField(max_length=80)),
                ("name_en", fields.CharField(null=True, max_length=80)),
                ("sector", fields.CharField(max_length=80)),
                ("scopes", ArrayField(element_type="TEXT")),
                ("full_name", fields.BooleanField(default=False)),
                ("redirect_uris", ArrayField(element_type="TEXT")),
                ("post_logout_redirect_uris", ArrayField(element_type="TEXT")),
                ("login_uri", fields.CharField(null=True, max_length=500)),
                ("public", fields.BooleanField(default=False)),
                ("secret_digest", fields.CharField(null=True, max_length=64)),
                ("old_secret_digest", fields.CharField(null=True, max_length=64)),
                (
                    "old_secret_until",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("disabled", fields.BooleanField(default=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sso_client",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A department's system that citizens may sign in to. `code` is its `client_id` in OAuth.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SsoConsent",
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
                        related_name="sso_consents",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "client",
                    fields.ForeignKeyField(
                        "models.SsoClient",
                        source_field="client_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="consents",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("facts", ArrayField(element_type="TEXT")),
                ("given_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sso_consent",
                "app": "models",
                "pk_attr": "id",
                "table_description": "That a citizen lets a client know these facts; asked again only for others.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SsoSubject",
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
                        related_name="sso_subjects",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("sector", fields.CharField(max_length=80)),
                ("subject", fields.CharField(max_length=64)),
            ],
            options={
                "table": "sso_subject",
                "app": "models",
                "pk_attr": "id",
                "table_description": "As whom a sector knows a citizen: kept, so that it outlives the joining of accounts.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SsoGrant",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "client",
                    fields.ForeignKeyField(
                        "models.SsoClient",
                        source_field="client_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="grants",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "sign_in",
                    fields.ForeignKeyField(
                        "models.SignIn",
                        source_field="sign_in_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="sso_grants",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("session_id", fields.UUIDField(db_index=True)),
                ("sid", fields.CharField(max_length=64)),
                ("subject", fields.CharField(max_length=64)),
                ("scopes", ArrayField(element_type="TEXT")),
                ("facts", ArrayField(element_type="TEXT")),
                ("level", fields.SmallIntField()),
                ("methods", ArrayField(element_type="TEXT")),
                ("auth_time", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "issued_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "redeemed_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("end_reason", fields.CharField(null=True, max_length=40)),
            ],
            options={
                "table": "sso_grant",
                "app": "models",
                "indexes": [Index(fields=["sign_in_id"], name="sso_grant_of_sign_in")],
                "pk_attr": "id",
                "table_description": "One signing-in of a citizen to a client: the family of all tokens that come from one code.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SsoToken",
            fields=[
                (
                    "digest",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                (
                    "grant",
                    fields.ForeignKeyField(
                        "models.SsoGrant",
                        source_field="grant_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="tokens",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="ACCESS: access\nREFRESH: refresh",
                        enum_type=TokenKind,
                        max_length=8,
                    ),
                ),
                ("scopes", ArrayField(element_type="TEXT")),
                ("issued_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "expires_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sso_token",
                "app": "models",
                "indexes": [Index(fields=["grant_id"], name="sso_token_of_grant")],
                "pk_attr": "digest",
                "table_description": "An access or refresh token of a grant, stored as its SHA-256; a refresh token is used once.",
            },
            bases=["Model"],
        ),
        # Tortoise 1.1 forgets constraints when it creates a table.
        ops.AddConstraint(
            "SsoConsent",
            UniqueConstraint(fields=("citizen_id", "client_id"), name="sso_consent_once"),
        ),
        ops.AddConstraint(
            "SsoSubject",
            UniqueConstraint(fields=("citizen_id", "sector"), name="sso_subject_once"),
        ),
    ]
