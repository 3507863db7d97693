"""Registering departments' systems: what may be registered, and the statements that do it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.tickets import Actor
from server.errors import FieldFault, InvalidRequest, NotFound, Refusal, Sentence
from server.sso.clients import LONGEST_CODE, digest, new_secret

_NOT_PLAIN = (
    "应为可见 ASCII 字符，不含空格、反斜杠和通配符。",
    "must be plain printable ASCII without spaces, backslashes and wildcards",
)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ClientExists(Refusal):
    """Another department's system has this client id already."""

    status, code = 409, "client_exists"
    sentence = ("该系统编号已被使用。", "This client id is taken.")


class ClientIsPublic(Refusal):
    """A public client has no secret that could be rotated."""

    status, code = 409, "client_is_public"
    sentence = ("公开客户端没有密钥。", "A public client has no secret.")


def fault_of_address(uri: str, *, demo: bool) -> Sentence | None:
    """Why an address of a client cannot be registered, or None (RFC 9700, 2.1 and 4.1).

    `https` only; plain `http` on the very machine of the browser, in a demo. No fragment, no user,
    no wildcard: what is registered is later compared character by character.
    """
    if not uri.isascii() or not uri.isprintable() or " " in uri or "*" in uri or "\\" in uri:
        return _NOT_PLAIN
    try:
        parts = urlsplit(uri)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "不是网址。", "is no address"
    if "#" in uri:
        return "不能带 # 片段。", "must have no fragment"
    if not host or parts.username is not None or parts.password is not None:
        return "应写明主机，且不带用户名。", "must name a host, and no user"
    if parts.scheme == "https" or (demo and parts.scheme == "http" and host in LOOPBACK):
        return None
    return "应以 https:// 开头。", "must begin with https://"


def check_addresses(addresses: dict[str, Sequence[str]], *, demo: bool) -> None:
    """Raise InvalidRequest that names every address which cannot be registered."""
    faults = [
        FieldFault(pointer if len(uris) == 1 else f"{pointer}/{place}", fault)
        for pointer, uris in addresses.items()
        for place, uri in enumerate(uris)
        if (fault := fault_of_address(uri, demo=demo)) is not None
    ]
    if faults:
        raise InvalidRequest(errors=faults)


async def create(
    code: str, columns: dict[str, Any], *, by: UUID
) -> tuple[asyncpg.Record, str | None]:
    """A new client and its secret, which nobody can read again. Raises ClientExists."""
    secret = None if columns["public"] else new_secret()
    now = datetime.now(UTC)
    values = columns | {
        "id": uuid7(),
        "code": code,
        "secret_digest": digest(secret) if secret else None,
        "disabled": False,
        "created_at": now,
        "changed_at": now,
    }
    names = ", ".join(values)
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    try:
        async with transaction() as tx:
            found = await tx.rows(
                f"INSERT INTO sso_client ({names}) VALUES ({places}) RETURNING *",  # noqa: S608
                *values.values(),
            )
            await _record(tx, by, "sso_client.created", found[0], columns)
    except asyncpg.UniqueViolationError:
        raise ClientExists from None
    return found[0], secret


async def change(code: str, columns: dict[str, Any], *, by: UUID) -> asyncpg.Record:
    """The client with these columns changed; disabling it ends its grants. Raises NotFound."""
    async with transaction() as tx:
        found = await _write(tx, code, columns)
        if found["disabled"]:
            await tx.run(
                "UPDATE sso_grant SET ended_at = $2, end_reason = 'client_disabled'"
                " WHERE client_id = $1 AND ended_at IS NULL",
                found["id"],
                datetime.now(UTC),
            )
        await _record(tx, by, "sso_client.changed", found, columns)
    return found


async def rotate_secret(
    code: str, keep_old_for: timedelta, *, by: UUID
) -> tuple[asyncpg.Record, str]:
    """A new secret; the old one is good for a while longer. Raises NotFound, ClientIsPublic."""
    secret = new_secret()
    now = datetime.now(UTC)
    async with transaction() as tx:
        before = await tx.row("SELECT * FROM sso_client WHERE code = $1 FOR UPDATE", _code(code))
        if before is None:
            raise NotFound
        if before["public"]:
            raise ClientIsPublic
        keeps = keep_old_for > timedelta(0)
        changed = {
            "secret_digest": digest(secret),
            "old_secret_digest": before["secret_digest"] if keeps else None,
            "old_secret_until": now + keep_old_for if keeps else None,
        }
        after = await _write(tx, code, changed)
        await _record(tx, by, "sso_client.secret_rotated", after, {})
        return after, secret


async def one(code: str) -> asyncpg.Record:
    """A client's row, disabled or not. Raises NotFound."""
    found = await rows("SELECT * FROM sso_client WHERE code = $1", _code(code))
    if not found:
        raise NotFound
    return found[0]


async def page(after: str | None, limit: int) -> list[asyncpg.Record]:
    """Clients by code, from the one after `after` on."""
    return await rows(
        "SELECT * FROM sso_client WHERE code > $1 ORDER BY code LIMIT $2", after or "", limit
    )


async def _record(
    tx: Transaction, by: UUID, action: str, client: asyncpg.Record, columns: dict[str, Any]
) -> None:
    """Last in its transaction, as the log wants."""
    detail = {"fields": sorted(columns)}
    await record(tx, Entry(Actor("staff", by), action, "sso_client", client["id"], detail=detail))


async def _write(tx: Transaction, code: str, columns: dict[str, Any]) -> asyncpg.Record:
    values = columns | {"changed_at": datetime.now(UTC)}
    assignments = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, start=2))
    found = await tx.row(
        f"UPDATE sso_client SET {assignments} WHERE code = $1 RETURNING *",  # noqa: S608
        _code(code),
        *values.values(),
    )
    if found is None:
        raise NotFound
    return found


def _code(text: str) -> str:
    if len(text) > LONGEST_CODE or "\0" in text:
        raise NotFound
    return text
