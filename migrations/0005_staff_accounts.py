from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.staff import Role


class Migration(migrations.Migration):
    dependencies = [("models", "0004_audit_log")]

    initial = False

    operations = [
        ops.CreateModel(
            name="PasswordTries",
            fields=[
                (
                    "name_digest",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("failed_at", ArrayField(element_type="TIMESTAMPTZ")),
                (
                    "locked_until",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "changed_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "password_tries",
                "app": "models",
                "pk_attr": "name_digest",
                "table_description": "Wrong passwords of late for one user name, whether or not anybody has it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RecoveryCode",
            fields=[
                (
                    "digest",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("staff_id", fields.UUIDField(db_index=True)),
            ],
            options={
                "table": "recovery_code",
                "app": "models",
                "pk_attr": "digest",
                "table_description": "A code that stands in for the device once, stored as its SHA-256; gone when used.",
            },
            bases=["Model"],
        ),
        ops.AddIndex(
            model_name="RefreshToken",
            index=Index(fields=["sign_in_id"]),
        ),
        ops.AlterModelOptions(
            name="Staff",
            options={
                "table": "staff",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A member of staff.",
            },
        ),
        ops.AlterField(
            model_name="Staff",
            name="role",
            field=fields.CharEnumField(
                description="CLERK: clerk\nHALL_MANAGER: hall_manager\nSUPERVISOR: supervisor\nADMIN: admin\nAUDITOR: auditor",
                enum_type=Role,
                max_length=16,
            ),
        ),
        ops.AddField(
            model_name="Staff",
            name="levels",
            field=ArrayField(null=True, element_type="TEXT"),
        ),
        ops.AddField(
            model_name="Staff",
            name="password_expires_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Staff",
            name="totp_confirmed_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Staff",
            name="totp_secret",
            field=fields.BinaryField(null=True),
        ),
        ops.AddField(
            model_name="Staff",
            name="totp_step",
            field=fields.BigIntField(null=True),
        ),
    ]
