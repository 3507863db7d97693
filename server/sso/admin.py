"""Departments' systems, registered by an administrator."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
import structlog
from msgspec import UNSET, Meta, UnsetType
from sanic import Blueprint, Request

from models.staff import Role
from server.auth import Principal, staff
from server.errors import NotFound
from server.http.endpoint import endpoint
from server.live.reading import shown
from server.services import services
from server.sso import registration
from server.sso.clients import SCOPES
from server.sso.registration import ClientExists, ClientIsPublic, check_addresses

log = structlog.get_logger()
bp = Blueprint("sso_admin", url_prefix="/api/v1/admin")
TAG = "single_sign_on"
# Whom a citizen may be told to reaches everywhere, so who decides it must too.
ADMIN = staff(Role.ADMIN, everywhere=True)
LONGEST_OVERLAP_S = 30 * 24 * 3600

Scope = Literal["openid", "profile", "phone", "identity"]
Name = Annotated[str, Meta(min_length=1, max_length=80)]
Address = Annotated[str, Meta(min_length=8, max_length=500)]
Addresses = Annotated[list[Address], Meta(max_length=20)]
Code = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$", examples=["dg-social-security"])
]


class NewClient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A department's system to register.

    `public` for programs that cannot keep a secret. Clients with the same `sector` are told the
    same `sub` for the same citizen; by default each has its own. `full_name` makes the scope
    `profile` the whole name instead of a masked one; `identity` is the id number. `may_bill`: it
    may ask citizens for money (`/departments/bills`). `may_handle_cases`: it may
    open cases of citizens and tell how they go (`/departments/cases`).
    """

    client_id: Code
    name: Name
    redirect_uris: Annotated[list[Address], Meta(min_length=1, max_length=20)]
    name_en: Name | None = None
    post_logout_redirect_uris: Addresses = []
    login_uri: Address | None = None
    scopes: tuple[Scope, ...] = ("openid", "profile")
    full_name: bool = False
    sector: Name | None = None
    public: bool = False
    may_bill: bool = False
    may_handle_cases: bool = False


class ClientChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is left out stays. Disabling ends all of its tokens."""

    name: Name | UnsetType = UNSET
    name_en: Name | UnsetType | None = UNSET
    redirect_uris: Annotated[list[Address], Meta(min_length=1, max_length=20)] | UnsetType = UNSET
    post_logout_redirect_uris: Addresses | UnsetType = UNSET
    login_uri: Address | UnsetType | None = UNSET
    scopes: list[Scope] | UnsetType = UNSET
    full_name: bool | UnsetType = UNSET
    may_bill: bool | UnsetType = UNSET
    may_handle_cases: bool | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the old secret stays good beside the new one; not at all by default."""

    keep_old_s: Annotated[int, Meta(ge=0, le=LONGEST_OVERLAP_S)] = 0


class ClientView(msgspec.Struct, frozen=True):
    """A registered system; its secret is never shown again."""

    client_id: str
    name: str
    name_en: str | None
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    login_uri: str | None
    scopes: list[str]
    full_name: bool
    sector: str
    public: bool
    may_bill: bool
    may_handle_cases: bool
    disabled: bool
    old_secret_until: datetime | None
    created_at: datetime
    changed_at: datetime


class ClientWithSecret(msgspec.Struct, frozen=True):
    """A registered system and its secret, shown this once; null for a public client."""

    client: ClientView
    client_secret: str | None


class ClientPage(msgspec.Struct, frozen=True):
    """Registered systems by their ids."""

    data: list[ClientView]
    next_cursor: str | None


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of the list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: Code | None = None


@endpoint(
    bp,
    "GET",
    "/sso/clients",
    summary=("部门系统列表", "Registered systems"),
    tag=TAG,
    guard=ADMIN,
    query=PageQuery,
    returns=ClientPage,
)
async def list_clients(request: Request, who: Principal, query: PageQuery) -> ClientPage:
    """Every department's system that citizens may sign in to, disabled ones too."""
    found = await registration.page(query.cursor, query.limit + 1)
    shown = [_view(row) for row in found[: query.limit]]
    more = len(found) > query.limit
    return ClientPage(shown, shown[-1].client_id if more else None)


@endpoint(
    bp,
    "POST",
    "/sso/clients",
    summary=("登记部门系统", "Register a system"),
    tag=TAG,
    guard=ADMIN,
    body=NewClient,
    returns=ClientWithSecret,
    status=201,
    refuses=[ClientExists],
)
async def create_client(request: Request, who: Principal, body: NewClient) -> ClientWithSecret:
    """Register a department's system. The secret is in this answer and nowhere else."""
    columns = {
        "name": body.name,
        "name_en": body.name_en,
        "sector": body.sector or body.client_id,
        "scopes": _scopes(body.scopes),
        "full_name": body.full_name,
        "redirect_uris": body.redirect_uris,
        "post_logout_redirect_uris": body.post_logout_redirect_uris,
        "login_uri": body.login_uri,
        "public": body.public,
        "may_bill": body.may_bill,
        "may_handle_cases": body.may_handle_cases,
    }
    _check(request, columns)
    row, secret = await registration.create(body.client_id, columns, by=who.id)
    log.info("sso_client_created", client=body.client_id, by=str(who.id))
    return ClientWithSecret(_view(row), secret)


@endpoint(
    bp,
    "GET",
    "/sso/clients/<client:str>",
    summary=("部门系统详情", "One registered system"),
    tag=TAG,
    guard=ADMIN,
    returns=ClientView,
    refuses=[NotFound],
)
async def show_client(request: Request, who: Principal, client: str) -> ClientView:
    """A department's system as it is registered."""
    return _view(await registration.one(client))


@endpoint(
    bp,
    "PATCH",
    "/sso/clients/<client:str>",
    summary=("修改部门系统", "Change, disable or enable a system"),
    tag=TAG,
    guard=ADMIN,
    body=ClientChange,
    returns=ClientView,
    refuses=[NotFound],
)
async def change_client(
    request: Request, who: Principal, client: str, body: ClientChange
) -> ClientView:
    """Change what is named. Disabled, a system is refused everything and its tokens are over."""
    columns: dict[str, Any] = {
        name: value
        for name, value in msgspec.structs.asdict(body).items()
        if not isinstance(value, UnsetType)
    }
    if "scopes" in columns:
        columns["scopes"] = _scopes(columns["scopes"])
    _check(request, columns)
    row = await registration.change(client, columns, by=who.id)
    log.info("sso_client_changed", client=row["code"], fields=sorted(columns), by=str(who.id))
    return _view(row)


@endpoint(
    bp,
    "POST",
    "/sso/clients/<client:str>/secret",
    summary=("更换密钥", "A new secret"),
    tag=TAG,
    guard=ADMIN,
    body=Rotation,
    returns=ClientWithSecret,
    refuses=[NotFound, ClientIsPublic],
)
async def rotate_client_secret(
    request: Request, who: Principal, client: str, body: Rotation
) -> ClientWithSecret:
    """Replace the secret. With `keep_old_s` the department has so long to move to the new one."""
    overlap = timedelta(seconds=body.keep_old_s)
    row, secret = await registration.rotate_secret(client, overlap, by=who.id)
    log.info("sso_client_secret_rotated", client=row["code"], by=str(who.id))
    return ClientWithSecret(_view(row), secret)


def _check(request: Request, columns: dict[str, Any]) -> None:
    login = columns.get("login_uri")
    addresses = {
        "/redirect_uris": columns.get("redirect_uris", ()),
        "/post_logout_redirect_uris": columns.get("post_logout_redirect_uris", ()),
        "/login_uri": () if login is None else (login,),
    }
    check_addresses(addresses, demo=services(request).settings.mode == "demo")


def _scopes(asked: Sequence[Scope]) -> list[str]:
    """Every client has `openid`."""
    return [scope for scope in SCOPES if scope == "openid" or scope in asked]


def _view(row: asyncpg.Record) -> ClientView:
    until = row["old_secret_until"]
    return ClientView(
        client_id=row["code"],
        name=row["name"],
        name_en=row["name_en"],
        redirect_uris=list(row["redirect_uris"]),
        post_logout_redirect_uris=list(row["post_logout_redirect_uris"]),
        login_uri=row["login_uri"],
        scopes=list(row["scopes"]),
        full_name=row["full_name"],
        sector=row["sector"],
        public=row["public"],
        may_bill=row["may_bill"],
        may_handle_cases=row["may_handle_cases"],
        disabled=row["disabled"],
        old_secret_until=shown(until) if until else None,
        created_at=shown(row["created_at"]),
        changed_at=shown(row["changed_at"]),
    )
