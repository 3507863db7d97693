"""What people let be used of them and for what, what is known of those who do, and who was told."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.consents import Purpose


def _purpose(*, null: bool = False) -> fields.Field[Purpose]:
    return fields.CharEnumField(
        description="DOCUMENTS: documents\nSERVICES: services\nPOLICIES: policies",
        enum_type=Purpose,
        max_length=12,
        null=null,
    )


class Migration(migrations.Migration):
    dependencies = [("models", "0048_claims_refused")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Consent",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("citizen_id", fields.UUIDField()),
                ("purpose", _purpose()),
                ("groups", fields.SmallIntField()),
                ("given_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "consent",
                "app": "models",
                "indexes": [Index(fields=["citizen_id"], name="consent_of")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Consent", UniqueConstraint(fields=("purpose", "citizen_id"), name="consent_once")
        ),
        ops.AddConstraint(
            "Consent",
            CheckConstraint(check="groups BETWEEN 0 AND 127", name="consent_known_groups"),
        ),
        ops.CreateModel(
            name="Trait",
            fields=[
                ("citizen_id", fields.UUIDField(primary_key=True)),
                ("born", fields.DateField(null=True)),
                ("residence", fields.CharField(null=True, max_length=16)),
                ("household", fields.SmallIntField(null=True)),
                ("youngest_born", fields.DateField(null=True)),
                ("has_company", fields.BooleanField(null=True)),
                ("learned_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "trait", "app": "models", "pk_attr": "citizen_id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Certificate",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("citizen_id", fields.UUIDField()),
                ("kind", fields.CharField(max_length=32)),
                ("expires_on", fields.DateField(null=True)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "certificate",
                "app": "models",
                "indexes": [Index(fields=["expires_on"], name="certificate_expiring")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Certificate", UniqueConstraint(fields=("citizen_id", "kind"), name="certificate_once")
        ),
        ops.CreateModel(
            name="TopicFollow",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("citizen_id", fields.UUIDField()),
                ("topic", fields.CharField(max_length=32)),
            ],
            options={
                "table": "topic_follow",
                "app": "models",
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "TopicFollow",
            UniqueConstraint(fields=("citizen_id", "topic"), name="topic_follow_once"),
        ),
        ops.CreateModel(
            name="Matched",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                ("citizen_id", fields.UUIDField()),
                ("rule", fields.CharField(max_length=48)),
                ("occasion", fields.CharField(max_length=80)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "matched",
                "app": "models",
                "indexes": [Index(fields=["at"], name="matched_when")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Matched",
            UniqueConstraint(fields=("citizen_id", "rule", "occasion"), name="matched_once"),
        ),
        ops.AddField(model_name="Notice", name="purpose", field=_purpose(null=True)),
    ]
