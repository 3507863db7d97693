"""People who work in the halls."""

from enum import StrEnum

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class Role(StrEnum):
    """What a member of staff may do; each may do all that the one before may, in her halls."""

    CLERK = "clerk"
    HALL_MANAGER = "hall_manager"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


class Staff(Model):
    """A member of staff. `halls` are hall codes; empty means every hall."""

    id = fields.UUIDField(primary_key=True)
    username = fields.CharField(max_length=64, unique=True)
    name = fields.CharField(max_length=80)
    password_hash = fields.CharField(max_length=200)
    role = fields.CharEnumField(Role, max_length=16)
    halls = ArrayField(element_type="text")
    # Demo accounts share one printed password: `serve` refuses to start while any exists.
    demo = fields.BooleanField(default=False)
    disabled = fields.BooleanField(default=False)

    class Meta:
        table = "staff"
