"""The audit log: entries chained by hash, the head of the chain, and its witnesses."""

from functools import partial
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

PROTECTION = [
    "INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, repeat('0', 64))",
    """
    CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is append only' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE FUNCTION audit_head_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.id <> OLD.id OR NEW.seq <> OLD.seq + 1 THEN
            RAISE EXCEPTION 'the audit log is append only' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    "CREATE TRIGGER audit_witness_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_witness"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    "CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    "CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head"
    " FOR EACH ROW EXECUTE FUNCTION audit_head_goes_forward()",
    # Else `SET session_replication_role = replica` would turn them off without a trace.
    "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_append_only",
    "ALTER TABLE audit_witness ENABLE ALWAYS TRIGGER audit_witness_append_only",
    "ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_stays",
    "ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_forward",
    # One row, changed at every entry: room for its next versions on the same page.
    "ALTER TABLE audit_head SET (fillfactor = 10)",
]
WITHOUT_PROTECTION = [
    "DROP FUNCTION audit_append_only CASCADE",
    "DROP FUNCTION audit_head_goes_forward CASCADE",
]


class Migration(migrations.Migration):
    dependencies = [("models", "0003_personal_data")]

    operations = [
        ops.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "seq",
                    fields.BigIntField(
                        primary_key=True, generated=False, unique=True, db_index=True
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("actor_kind", fields.CharField(max_length=16)),
                ("actor_id", fields.UUIDField(null=True)),
                ("on_behalf_of", fields.UUIDField(null=True)),
                ("action", fields.CharField(max_length=64)),
                ("subject_kind", fields.CharField(max_length=32)),
                ("subject_id", fields.CharField(null=True, max_length=64)),
                (
                    "detail",
                    fields.JSONField(encoder=partial(dumps, separators=(",", ":")), decoder=loads),
                ),
                ("previous", fields.CharField(max_length=64)),
                ("hash", fields.CharField(max_length=64)),
            ],
            options={
                "table": "audit_entry",
                "app": "models",
                "indexes": [
                    Index(fields=["subject_id", "seq"], name="audit_of_subject"),
                    Index(fields=["actor_id", "seq"], name="audit_of_actor"),
                ],
                "pk_attr": "seq",
                "table_description": "One look at, or change to, personal data. Only ever added; a trigger refuses the rest.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditHead",
            fields=[
                (
                    "id",
                    fields.SmallIntField(
                        primary_key=True, generated=False, unique=True, db_index=True
                    ),
                ),
                ("seq", fields.BigIntField()),
                ("hash", fields.CharField(max_length=64)),
            ],
            options={
                "table": "audit_head",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The one row that says how long the chain is and how it ends; locked by whoever adds to it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditWitness",
            fields=[
                (
                    "seq",
                    fields.BigIntField(
                        primary_key=True, generated=False, unique=True, db_index=True
                    ),
                ),
                ("hash", fields.CharField(max_length=64)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("mac", fields.CharField(max_length=64)),
            ],
            options={
                "table": "audit_witness",
                "app": "models",
                "pk_attr": "seq",
                "table_description": "That the chain once ended so, signed with a key that the database does not have.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(PROTECTION, reverse_sql=WITHOUT_PROTECTION),
    ]
