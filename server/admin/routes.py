"""Administration over HTTP: accounts of staff."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType
from sanic import Blueprint, Request

from models.staff import Role
from scheduler.calendar import SHANGHAI
from server.admin import staff
from server.admin.refusals import OwnAccount, UsernameTaken
from server.admin.staff import USERNAME
from server.auth import ACCOUNTS_ADMIN, Principal
from server.errors import FieldFault, InvalidRequest, NotFound
from server.http.endpoint import endpoint
from server.services import services

bp = Blueprint("admin", url_prefix="/api/v1/admin")
ACCOUNT = "/staff/<username:str>"

Username = Annotated[str, msgspec.Meta(pattern=USERNAME, max_length=64)]
PersonName = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Halls = Annotated[list[str], msgspec.Meta(max_length=200)]
Levels = Annotated[list[Literal["city", "town", "village"]], msgspec.Meta(max_length=3)]


class AccountView(msgspec.Struct, frozen=True):
    """An account. `totp`: a device is enrolled; `one_time_password`: not yet changed for her own.

    She works in the `halls` named, and in all halls of the `levels` named (below the halls named,
    where some are); with neither, in every hall.
    """

    id: UUID
    username: str
    name: str
    role: Role
    halls: list[str]
    levels: list[str]
    disabled: bool
    demo: bool
    totp: bool
    one_time_password: bool


class AccountPage(msgspec.Struct, frozen=True):
    """A page of accounts; ask for the next with `cursor`."""

    data: list[AccountView]
    next_cursor: str | None


class GivenPassword(msgspec.Struct, frozen=True):
    """A password to hand over, told this one time; good until `expires_at`, for changing it."""

    account: AccountView
    one_time_password: str
    expires_at: datetime


class AccountsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which accounts: of a role, or named for a hall."""

    role: Role | None = None
    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    cursor: Username | None = None


class NewAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new account; without halls and levels, of every hall."""

    username: Username
    name: PersonName
    role: Role
    halls: Halls = []
    levels: Levels = []


class AccountChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is not named stays."""

    name: PersonName | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    halls: Halls | UnsetType = UNSET
    levels: Levels | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


@endpoint(
    bp,
    "GET",
    "/staff",
    summary=("工作人员账号", "Accounts of staff"),
    tag="admin",
    guard=ACCOUNTS_ADMIN,
    query=AccountsQuery,
    returns=AccountPage,
)
async def list_accounts(request: Request, who: Principal, query: AccountsQuery) -> AccountPage:
    """Accounts in the order of their user names, a page at a time."""
    found = await staff.page_of_accounts(
        after=query.cursor or "", role=query.role, hall=query.hall, limit=query.limit + 1
    )
    data = [account_view(row) for row in found[: query.limit]]
    return AccountPage(data, data[-1].username if len(found) > query.limit else None)


@endpoint(
    bp,
    "POST",
    "/staff",
    summary=("新建账号", "Make an account"),
    tag="admin",
    guard=ACCOUNTS_ADMIN,
    body=NewAccount,
    returns=GivenPassword,
    status=201,
    refuses=[UsernameTaken],
)
async def create_account(request: Request, who: Principal, body: NewAccount) -> GivenPassword:
    """Make an account with a one-time password, which she has to change when she signs in.

    The password is kept nowhere, so a request that is repeated cannot be answered again: the name
    is taken, and a new password can be asked for.
    """
    _require_halls(request, body.halls)
    new = staff.NewAccount(body.username, body.name, body.role, set(body.halls), set(body.levels))
    return _given(await staff.create_account(new, by=who.id))


@endpoint(
    bp,
    "PATCH",
    ACCOUNT,
    summary=("修改账号", "Change an account"),
    tag="admin",
    guard=ACCOUNTS_ADMIN,
    body=AccountChange,
    returns=AccountView,
    refuses=[NotFound, OwnAccount],
)
async def change_account(
    request: Request, who: Principal, username: str, body: AccountChange
) -> AccountView:
    """Change the name, the role, where she works, or whether she may sign in at all.

    Anything but her name ends her sign-ins at once, on every worker.
    """
    changes: dict[str, Any] = {
        name: sorted(set(value)) if isinstance(value, list) else value
        for name, value in msgspec.structs.asdict(body).items()
        if value is not UNSET
    }
    _require_halls(request, changes.get("halls", ()))
    room = services(request)
    return account_view(await staff.change_account(username, changes, by=who.id, feed=room.feed))


@endpoint(
    bp,
    "POST",
    ACCOUNT + "/password",
    summary=("重置密码", "Reset a password"),
    tag="admin",
    guard=ACCOUNTS_ADMIN,
    returns=GivenPassword,
    refuses=[NotFound, OwnAccount],
)
async def reset_password(request: Request, who: Principal, username: str) -> GivenPassword:
    """Give her a one-time password. A lock is taken off, and her sign-ins end."""
    room = services(request)
    return _given(await staff.reset_password(username, by=who.id, feed=room.feed))


@endpoint(
    bp,
    "DELETE",
    ACCOUNT + "/totp",
    summary=("解绑动态口令", "Take a device off"),
    tag="admin",
    guard=ACCOUNTS_ADMIN,
    status=204,
    refuses=[NotFound, OwnAccount],
)
async def reset_totp(request: Request, who: Principal, username: str) -> None:
    """Take the device and its recovery codes off her account; her sign-ins end."""
    await staff.reset_totp(username, by=who.id, feed=services(request).feed)


def account_view(row: asyncpg.Record) -> AccountView:
    """An account as administrators see it."""
    return AccountView(
        id=row["id"],
        username=row["username"],
        name=row["name"],
        role=Role(row["role"]),
        halls=list(row["halls"]),
        levels=list(row["levels"] or ()),
        disabled=row["disabled"],
        demo=row["demo"],
        totp=row["totp_confirmed_at"] is not None,
        one_time_password=row["password_expires_at"] is not None,
    )


def _given(made: staff.OneTimePassword) -> GivenPassword:
    expires = made.expires_at.astimezone(SHANGHAI)
    return GivenPassword(account_view(made.account), made.password, expires)


def _require_halls(request: Request, codes: list[str] | tuple[str, ...]) -> None:
    """Raise InvalidRequest for halls there are not."""
    known = services(request).directory.halls
    faults = [
        FieldFault(f"/halls/{at}", ("没有这个大厅。", "there is no such hall"))
        for at, code in enumerate(codes)
        if code not in known
    ]
    if faults:
        raise InvalidRequest(errors=faults)
