"""Kiosks over HTTP, for the hall's manager."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
import msgspec
from sanic import Blueprint, Request

from models.identifiers import read_name
from server.auth import HALL_ADMIN, Principal, own_id
from server.errors import FieldFault, InvalidRequest, NotFound
from server.http.endpoint import endpoint
from server.kiosks.making import make_kiosk, page_of_kiosks, revoke_kiosk
from server.kiosks.refusals import KioskNameTaken, TooManyKiosks
from server.live.reading import shown
from server.services import services

bp = Blueprint("kiosks", url_prefix="/api/v1")
KIOSKS = "/halls/<hall:str>/kiosks"


class NewKiosk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a kiosk is called in its hall."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class KioskView(msgspec.Struct, frozen=True):
    """A kiosk in service. `last_seen_at` is right to a minute, null before it was ever used."""

    id: UUID
    name: str
    hall: str
    created_at: datetime
    last_seen_at: datetime | None


class MadeKiosk(msgspec.Struct, frozen=True):
    """A kiosk, and the token to put into it, told this one time: `Authorization: Bearer …`."""

    kiosk: KioskView
    token: str


class KioskPage(msgspec.Struct, frozen=True):
    """Kiosks in service, newest first, a page at a time."""

    data: list[KioskView]
    next_cursor: str | None


class KioskQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    cursor: UUID | None = None


@endpoint(
    bp,
    "GET",
    KIOSKS,
    summary=("自助机列表", "Kiosks of a hall"),
    tag="kiosks",
    guard=HALL_ADMIN,
    query=KioskQuery,
    returns=KioskPage,
    refuses=[NotFound],
)
async def list_kiosks(request: Request, who: Principal, hall: str, query: KioskQuery) -> KioskPage:
    """The hall's kiosks in service."""
    entry = services(request).directory.hall(hall)
    found = await page_of_kiosks(entry, before=query.cursor, limit=query.limit + 1)
    data = [_view(row, hall) for row in found[: query.limit]]
    return KioskPage(data, str(data[-1].id) if len(found) > query.limit else None)


@endpoint(
    bp,
    "POST",
    KIOSKS,
    summary=("新增自助机", "Make a kiosk"),
    tag="kiosks",
    guard=HALL_ADMIN,
    body=NewKiosk,
    returns=MadeKiosk,
    status=201,
    refuses=[NotFound, KioskNameTaken, TooManyKiosks],
)
async def create_kiosk(request: Request, who: Principal, hall: str, body: NewKiosk) -> MadeKiosk:
    """Let a machine of the hall give out its numbers, and print them; it may do nothing else.

    The token is kept nowhere, so a request that is repeated cannot be answered again: the name is
    taken. Revoke the kiosk then, and make it anew.
    """
    if not (name := read_name(body.name)):
        raise InvalidRequest(errors=[FieldFault("/name", ("不能为空。", "must not be empty"))])
    kiosk, token = await make_kiosk(services(request).directory.hall(hall), name, who)
    return MadeKiosk(_view(kiosk, hall), token)


@endpoint(
    bp,
    "DELETE",
    KIOSKS + "/<kiosk:str>",
    summary=("停用自助机", "Revoke a kiosk"),
    tag="kiosks",
    guard=HALL_ADMIN,
    status=204,
    refuses=[NotFound],
)
async def delete_kiosk(request: Request, who: Principal, hall: str, kiosk: str) -> None:
    """Take a kiosk out of service: its token is dead at once, on every worker."""
    room = services(request)
    await revoke_kiosk(room.directory.hall(hall), own_id(kiosk), who, room.feed)


def _view(row: asyncpg.Record, hall: str) -> KioskView:
    seen = row["last_seen_at"]
    return KioskView(
        row["id"], row["name"], hall, shown(row["created_at"]), shown(seen) if seen else None
    )
