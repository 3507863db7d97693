"""What people were told by rules, once for each occasion, whatever becomes of the notice."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model


class Matched(Model):
    """That a rule concerned somebody on an occasion, and she was told. Business time."""

    id = fields.BigIntField(primary_key=True, generated=True)
    citizen_id = fields.UUIDField()
    rule = fields.CharField(max_length=48)
    # Tells one occasion from the next: a year, the day that a certificate expires, say.
    occasion = fields.CharField(max_length=80)
    at = fields.DatetimeField()

    class Meta:
        table = "matched"
        constraints = (
            UniqueConstraint(fields=("citizen_id", "rule", "occasion"), name="matched_once"),
        )
        indexes = (Index(fields=("at",), name="matched_when"),)
