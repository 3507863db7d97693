"""The audit log over HTTP, for who oversees the city's staff."""

from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models.audit import Entry, record
from models.database import transaction
from models.staff import Role
from models.tickets import Actor
from server.auth import Principal, staff
from server.http.endpoint import endpoint
from server.privacy.showing import AuditView, entries_about

bp = Blueprint("privacy", url_prefix="/api/v1/admin")
# The log tells of every hall.
AUDITORS = staff(Role.AUDITOR, Role.ADMIN, everywhere=True)


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """About whom (`subject`), or by or for whom (`actor`); those before `cursor`, newest first."""

    subject: UUID | None = None
    actor: UUID | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    cursor: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None


class AuditPage(msgspec.Struct, frozen=True):
    """A page of the log; ask for older entries with `cursor`."""

    data: list[AuditView]
    next_cursor: str | None


@endpoint(
    bp,
    "GET",
    "/audit",
    summary=("审计日志", "The audit log"),
    tag="admin",
    guard=AUDITORS,
    query=AuditQuery,
    returns=AuditPage,
)
async def show_audit_log(request: Request, who: Principal, query: AuditQuery) -> AuditPage:
    """Who looked at or changed personal data, accounts and keys. This look is recorded too.

    Whether the log is whole, `python app.py audit verify` tells: it needs the keys.
    """
    found = await entries_about(
        subject=query.subject,
        actor=query.actor,
        before=query.cursor,
        limit=query.limit + 1,
    )
    page = found[: query.limit]
    async with transaction() as tx:
        looked = Entry(Actor("staff", who.id), "audit.looked_at", "audit", query.subject)
        await record(tx, looked)
    return AuditPage(page, str(page[-1].seq) if len(found) > query.limit else None)
