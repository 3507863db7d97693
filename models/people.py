"""Citizens, and the channels they come in by."""

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model


class Citizen(Model):
    """One real person. `level` is how surely we know her: 0 signed in … 3 real name and face."""

    id = fields.UUIDField(primary_key=True)
    level = fields.SmallIntField(default=0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "citizen"


class ChannelLink(Model):
    """That a platform's user of one of our apps is this citizen."""

    id = fields.UUIDField(primary_key=True)
    citizen: fields.ForeignKeyRelation[Citizen] = fields.ForeignKeyField("models.Citizen", "links")
    platform = fields.CharField(max_length=16)
    app_id = fields.CharField(max_length=64)
    subject = fields.CharField(max_length=128)
    union_subject = fields.CharField(max_length=128, null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "channel_link"
        constraints = (
            UniqueConstraint(fields=("platform", "app_id", "subject"), name="channel_subject_once"),
        )
