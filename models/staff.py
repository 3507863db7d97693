"""People who work in the halls. Times here are real time, never the business clock."""

from enum import StrEnum

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class Role(StrEnum):
    """What a member of staff may do. No role implies another: routes name those they admit."""

    CLERK = "clerk"
    HALL_MANAGER = "hall_manager"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Staff(Model):
    """A member of staff.

    `halls` are hall codes. `levels` (`city`, `town`, `village`) add all halls of these levels:
    those below the halls named, or everywhere when none is. Both empty means every hall.
    """

    id = fields.UUIDField(primary_key=True)
    username = fields.CharField(max_length=64, unique=True)
    name = fields.CharField(max_length=80)
    password_hash = fields.CharField(max_length=200)
    # A password that somebody else made: to be changed at once, and no good after this.
    password_expires_at = fields.DatetimeField(null=True)
    role = fields.CharEnumField(Role, max_length=16)
    halls = ArrayField(element_type="text")
    levels = ArrayField(element_type="text", null=True)
    # The secret of the device that makes her one-time codes, sealed; confirmed by a first code.
    totp_secret = fields.BinaryField(null=True)
    totp_confirmed_at = fields.DatetimeField(null=True)
    # The step (of 30 s, since 1970) of the code used last: it and those before are used up.
    totp_step = fields.BigIntField(null=True)
    # Demo accounts share one printed password: `serve` refuses to start while any can sign in.
    demo = fields.BooleanField(default=False)
    disabled = fields.BooleanField(default=False)

    class Meta:
        table = "staff"


class RecoveryCode(Model):
    """A code that stands in for the device once, stored as its SHA-256; gone when used."""

    digest = fields.CharField(max_length=64, primary_key=True)
    staff_id = fields.UUIDField(db_index=True)

    class Meta:
        table = "recovery_code"


class PasswordTries(Model):
    """Wrong passwords of late for one user name, whether or not anybody has it.

    The name is kept as its SHA-256: people type their passwords into the wrong field.
    """

    name_digest = fields.CharField(max_length=64, primary_key=True)
    failed_at = ArrayField(element_type="timestamptz")
    locked_until = fields.DatetimeField(null=True)
    changed_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "password_tries"
