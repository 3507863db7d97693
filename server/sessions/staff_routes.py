"""Staff over HTTP: signing in, and one's own account."""

from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models.staff import Role
from server.auth import STAFF_AT_ALL, Duty, Principal
from server.errors import TooManyRequests
from server.http.endpoint import endpoint
from server.http.limits import PASSWORD
from server.services import services
from server.sessions import accounts, staff
from server.sessions import tokens as token_pairs
from server.sessions.refusals import (
    AccountLocked,
    NoEnrolmentBegun,
    OtpRequired,
    OtpWrong,
    PasswordUnfit,
    TotpAlreadyEnrolled,
    WrongPassword,
)
from server.sessions.routes import TokenPair, device_of, pair_fields

bp = Blueprint("staff", url_prefix="/api/v1")

PasswordText = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
# A code of six digits, or a recovery code of sixteen and dashes.
Otp = Annotated[str, msgspec.Meta(max_length=32)]


class StaffSession(TokenPair, frozen=True):
    """A member of staff's sign-in.

    She works in the `halls` named, and in all halls of the `levels` named (below the halls named,
    where some are); with neither, in every hall. Until the `duty` is done, nothing else may be;
    refresh the sign-in afterwards.
    """

    role: Role
    halls: list[str]
    levels: list[str]
    duty: Duty | None


class Password(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member of staff's name and password; `otp` where a device is enrolled."""

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    password: PasswordText
    otp: Otp | None = None


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password so far, and the one to be."""

    password: PasswordText
    new_password: Annotated[str, msgspec.Meta(min_length=10, max_length=256)]


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the device shows now."""

    otp: Otp


class OwnAccount(msgspec.Struct, frozen=True):
    """My account. `totp`: a device makes my one-time codes."""

    id: UUID
    username: str
    name: str
    role: Role
    halls: list[str]
    levels: list[str]
    totp: bool
    recovery_codes_left: int
    duty: Duty | None


class Enrolment(msgspec.Struct, frozen=True):
    """The secret for an authenticator, in base 32, and the same as an `otpauth:` URI."""

    secret: str
    otpauth_uri: str


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Codes for when the device is lost: each signs in once. They are told this one time."""

    recovery_codes: list[str]


@endpoint(
    bp,
    "POST",
    "/staff/sessions",
    summary=("工作人员登录", "Sign in as staff"),
    tag="staff",
    body=Password,
    returns=StaffSession,
    refuses=[WrongPassword, OtpRequired, OtpWrong, AccountLocked, TooManyRequests],
)
async def sign_in_staff(request: Request, body: Password) -> StaffSession:
    """Sign in to call numbers or watch a hall.

    Five wrong passwords or codes within a quarter of an hour lock the name for as long.
    """
    room = services(request)
    room.limits.check(PASSWORD, body.username)
    pair = await staff.sign_in(
        staff.Credentials(body.username, body.password, body.otp),
        room.tokens,
        room.sealer,
        device=device_of(request),
    )
    who = pair.who
    assert who.role is not None
    return StaffSession(
        *pair_fields(pair), who.role, sorted(who.halls), sorted(who.levels), who.duty
    )


@endpoint(
    bp,
    "GET",
    "/staff/me",
    summary=("我的账号", "My account"),
    tag="staff",
    guard=STAFF_AT_ALL,
    returns=OwnAccount,
)
async def show_own_account(request: Request, who: Principal) -> OwnAccount:
    """Who I am here, where I work, and what I have to do first."""
    row = await accounts.own_row(who.id)
    return OwnAccount(
        id=row["id"],
        username=row["username"],
        name=row["name"],
        role=Role(row["role"]),
        halls=sorted(row["halls"]),
        levels=sorted(row["levels"] or ()),
        totp=row["totp_confirmed_at"] is not None,
        recovery_codes_left=row["codes_left"],
        duty=token_pairs.duty_of(row),
    )


@endpoint(
    bp,
    "POST",
    "/staff/me/password",
    summary=("修改密码", "Change my password"),
    tag="staff",
    guard=STAFF_AT_ALL,
    body=NewPassword,
    status=204,
    refuses=[WrongPassword, PasswordUnfit, AccountLocked, TooManyRequests],
)
async def change_own_password(request: Request, who: Principal, body: NewPassword) -> None:
    """Choose another password. Everywhere else I am signed out; here refresh the sign-in."""
    room = services(request)
    room.limits.check(PASSWORD, who.id)
    await accounts.change_password(who, body.password, body.new_password, room.feed)


@endpoint(
    bp,
    "POST",
    "/staff/me/totp",
    summary=("绑定动态口令", "Enrol a device for one-time codes"),
    tag="staff",
    guard=STAFF_AT_ALL,
    returns=Enrolment,
    refuses=[TotpAlreadyEnrolled],
)
async def enrol_totp(request: Request, who: Principal) -> Enrolment:
    """Begin: a new secret, which counts once it is confirmed. Beginning again makes another."""
    return Enrolment(*await accounts.begin_enrolment(who, services(request).sealer))


@endpoint(
    bp,
    "POST",
    "/staff/me/totp/confirm",
    summary=("确认动态口令", "Confirm the device"),
    tag="staff",
    guard=STAFF_AT_ALL,
    body=Code,
    returns=RecoveryCodes,
    refuses=[OtpWrong, TotpAlreadyEnrolled, NoEnrolmentBegun, TooManyRequests],
)
async def confirm_totp(request: Request, who: Principal, body: Code) -> RecoveryCodes:
    """Give a code that the device shows; from now on signing in asks for one.

    Where enrolling was a duty, refresh the sign-in: the new access token is free of it.
    """
    room = services(request)
    room.limits.check(PASSWORD, who.id)
    return RecoveryCodes(await accounts.confirm_enrolment(who, body.otp, room.sealer, room.feed))
