"""Single sign-on for departments' systems: clients, consents, grants and their tokens.

Times here are real time, never the business clock.
"""

from enum import StrEnum

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.people import Citizen
from models.sessions import SignIn


class Fact(StrEnum):
    """One thing about a citizen that a department's system may learn from us."""

    SUBJECT = "subject"
    MASKED_NAME = "masked_name"
    FULL_NAME = "full_name"
    PHONE = "phone"
    ID_NUMBER = "id_number"


class TokenKind(StrEnum):
    """What a token of a grant is for."""

    ACCESS = "access"
    REFRESH = "refresh"


class SsoClient(Model):
    """A department's system that citizens may sign in to. `code` is its `client_id` in OAuth.

    Clients of one `sector` are told the same subject for the same citizen. A public client has no
    secret. `scopes` are those it may ask for; `full_name` makes `profile` the name unmasked.
    """

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=40, unique=True)
    name = fields.CharField(max_length=80)
    name_en = fields.CharField(max_length=80, null=True)
    sector = fields.CharField(max_length=80)
    scopes = ArrayField(element_type="text")
    full_name = fields.BooleanField(default=False)
    redirect_uris = ArrayField(element_type="text")
    post_logout_redirect_uris = ArrayField(element_type="text")
    # Where the client's own sign-in begins (OpenID Connect Core 4); mini-programs open it.
    login_uri = fields.CharField(max_length=500, null=True)
    public = fields.BooleanField(default=False)
    # Whether it may ask citizens for money.
    may_bill = fields.BooleanField(db_default=False)
    # Whether it may open cases of citizens, and tell how they go.
    may_handle_cases = fields.BooleanField(db_default=False)
    secret_digest = fields.CharField(max_length=64, null=True)
    # The secret before, while the department moves to the new one.
    old_secret_digest = fields.CharField(max_length=64, null=True)
    old_secret_until = fields.DatetimeField(null=True)
    disabled = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()
    changed_at = fields.DatetimeField()

    class Meta:
        table = "sso_client"


class SsoConsent(Model):
    """That a citizen lets a client know these facts; asked again only for others."""

    id = fields.UUIDField(primary_key=True)
    citizen: fields.ForeignKeyRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "sso_consents"
    )
    client: fields.ForeignKeyRelation[SsoClient] = fields.ForeignKeyField(
        "models.SsoClient", "consents"
    )
    facts = ArrayField(element_type="text")
    given_at = fields.DatetimeField()

    class Meta:
        table = "sso_consent"
        constraints = (
            UniqueConstraint(fields=("citizen_id", "client_id"), name="sso_consent_once"),
        )


class SsoSubject(Model):
    """As whom a sector knows a citizen: kept, so that it outlives the joining of accounts."""

    id = fields.UUIDField(primary_key=True)
    citizen: fields.ForeignKeyRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "sso_subjects"
    )
    sector = fields.CharField(max_length=80)
    subject = fields.CharField(max_length=64)

    class Meta:
        table = "sso_subject"
        constraints = (UniqueConstraint(fields=("citizen_id", "sector"), name="sso_subject_once"),)


class SsoGrant(Model):
    """One signing-in of a citizen to a client: the family of all tokens that come from one code.

    It is over when it has ended, or its sign-in has, or its client is disabled. `session_id` is
    the browser's session, `sid` what the client is told of it. `subject`, `level` and `auth_time`
    stay what the client was told first.
    """

    id = fields.UUIDField(primary_key=True)
    client: fields.ForeignKeyRelation[SsoClient] = fields.ForeignKeyField(
        "models.SsoClient", "grants"
    )
    sign_in: fields.ForeignKeyRelation[SignIn] = fields.ForeignKeyField(
        "models.SignIn", "sso_grants"
    )
    session_id = fields.UUIDField(db_index=True)
    sid = fields.CharField(max_length=64)
    subject = fields.CharField(max_length=64)
    scopes = ArrayField(element_type="text")
    facts = ArrayField(element_type="text")
    level = fields.SmallIntField()
    methods = ArrayField(element_type="text")
    auth_time = fields.DatetimeField()
    issued_at = fields.DatetimeField(db_index=True)
    redeemed_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    end_reason = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "sso_grant"
        indexes = (Index(fields=("sign_in_id",), name="sso_grant_of_sign_in"),)


class SsoToken(Model):
    """An access or refresh token of a grant, stored as its SHA-256; a refresh token is used once.

    `scopes` may be fewer than the grant's: a refresh may ask for less.
    """

    digest = fields.CharField(max_length=64, primary_key=True)
    grant: fields.ForeignKeyRelation[SsoGrant] = fields.ForeignKeyField("models.SsoGrant", "tokens")
    kind = fields.CharEnumField(TokenKind, max_length=8)
    scopes = ArrayField(element_type="text")
    issued_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sso_token"
        indexes = (Index(fields=("grant_id",), name="sso_token_of_grant"),)
