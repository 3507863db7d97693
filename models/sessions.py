"""Sign-ins and their refresh tokens. Times here are real time, never the business clock."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model


class PersonKind(StrEnum):
    """What kind of person signed in, or which machine bears a token."""

    CITIZEN = "citizen"
    STAFF = "staff"
    KIOSK = "kiosk"


class SignIn(Model):
    """One sign-in on one device: the family of all tokens that come from it."""

    id = fields.UUIDField(primary_key=True)
    person_kind = fields.CharEnumField(PersonKind, max_length=16)
    person_id = fields.UUIDField(db_index=True)
    channel = fields.CharField(max_length=16)
    # Which of a citizen's channel links she came in by. One that is gone has proven nothing, and no
    # foreign key looks for its sign-ins.
    link_id = fields.UUIDField(null=True)
    device = fields.CharField(max_length=200)
    started_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True, db_index=True)
    end_reason = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "sign_in"


class RefreshToken(Model):
    """A refresh token, stored as its SHA-256; used once."""

    digest = fields.CharField(max_length=64, primary_key=True)
    sign_in: fields.ForeignKeyRelation[SignIn] = fields.ForeignKeyField(
        "models.SignIn", "refresh_tokens"
    )
    issued_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refresh_token"
        indexes = (("sign_in_id",),)


class PageSession(Model):
    """A browser's session on our pages, stored as its SHA-256."""

    digest = fields.CharField(max_length=64, primary_key=True)
    sign_in: fields.ForeignKeyRelation[SignIn] = fields.ForeignKeyField(
        "models.SignIn", "page_sessions"
    )
    issued_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "page_session"
        indexes = (("sign_in_id",),)
