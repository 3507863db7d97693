"""Citizens, and the channels they come in by."""

from tortoise import fields
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model


class Citizen(Model):
    """One real person. `level` is how surely we know her: 0 signed in … 3 real name and face."""

    id = fields.UUIDField(primary_key=True)
    level = fields.SmallIntField(default=0)
    created_at = fields.DatetimeField()
    # Sealed, see models/knowing.py; an index is a keyed hash of the number, to look it up by.
    name = fields.BinaryField(null=True)
    id_type = fields.CharField(max_length=24, null=True)
    id_number = fields.BinaryField(null=True)
    id_index = fields.CharField(max_length=64, null=True, unique=True)
    real_name_at = fields.DatetimeField(null=True)
    phone = fields.BinaryField(null=True)
    # Not unique: a number that changed hands does not make two people one.
    phone_index = fields.CharField(max_length=64, null=True)
    phone_verified_at = fields.DatetimeField(null=True)
    # The code of the town or village where she says that she lives, sealed, and since when.
    residence = fields.BinaryField(null=True)
    residence_at = fields.DatetimeField(null=True)

    class Meta:
        table = "citizen"
        indexes = (Index(fields=("phone_index",), name="citizen_phone"),)


class CitizenAlias(Model):
    """An id that was a citizen's until her accounts were joined; her tokens may still bear it.

    Whoever joins a citizen into a third one moves her aliases along, so that one look-up is enough.
    """

    id = fields.UUIDField(primary_key=True)
    citizen: fields.ForeignKeyRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "aliases", on_delete=OnDelete.RESTRICT
    )
    joined_at = fields.DatetimeField()

    class Meta:
        table = "citizen_alias"
        indexes = (Index(fields=("citizen_id",), name="citizen_alias_of"),)


class ChannelLink(Model):
    """That a platform's user of one of our apps is this citizen."""

    id = fields.UUIDField(primary_key=True)
    citizen: fields.ForeignKeyRelation[Citizen] = fields.ForeignKeyField("models.Citizen", "links")
    platform = fields.CharField(max_length=16)
    app_id = fields.CharField(max_length=64)
    subject = fields.CharField(max_length=128)
    union_subject = fields.CharField(max_length=128, null=True)
    # What the platform called her before, such as Alipay's user_id.
    legacy_subject = fields.CharField(max_length=128, null=True)
    created_at = fields.DatetimeField()
    # What was proven through this channel; the citizen's own level may come from another one.
    level = fields.SmallIntField(default=0, db_default=0)

    class Meta:
        table = "channel_link"
        constraints = (
            UniqueConstraint(fields=("platform", "app_id", "subject"), name="channel_subject_once"),
        )
        indexes = (
            Index(fields=("citizen_id",), name="channel_link_of"),
            Index(fields=("platform", "app_id", "legacy_subject"), name="channel_legacy_subject"),
        )
