"""Reading the audit log, newest first: for the command line and for auditors."""

import json
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from models.database import rows
from scheduler.calendar import SHANGHAI

_ENTRIES = """
    SELECT seq, at, actor_kind, actor_id, on_behalf_of, action, subject_kind, subject_id,
           detail::text
    FROM audit_entry WHERE {where} ORDER BY seq DESC LIMIT ${limit}
"""
_SUBJECT = "(subject_id = ${0}::uuid::text OR on_behalf_of = ${0}::uuid)"
_ACTOR = "(actor_id = ${0} OR on_behalf_of = ${0})"
_BEFORE = "seq < ${0}"


class AuditView(msgspec.Struct, frozen=True):
    """Who did what to whose data, and when. `actor_id` is null for the system itself.

    `detail` names fields and counts; it never holds what they contain.
    """

    seq: int
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    on_behalf_of: UUID | None
    action: str
    subject_kind: str
    subject_id: str | None
    detail: dict[str, str | int | bool | list[str] | None]


async def entries_about(
    *,
    subject: UUID | None = None,
    actor: UUID | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditView]:
    """The newest entries: about a subject, by or for a person, or all; those before a `seq`."""
    asked = {_SUBJECT: subject, _ACTOR: actor, _BEFORE: before}
    given = {condition: value for condition, value in asked.items() if value is not None}
    # Only what is asked for stands there: a condition that may be null keeps indexes from use.
    conditions = [condition.format(nth) for nth, condition in enumerate(given, start=1)]
    found = await rows(
        _ENTRIES.format(where=" AND ".join(conditions) or "true", limit=len(given) + 1),
        *given.values(),
        limit,
    )
    return [_view(row) for row in found]


def _view(row: asyncpg.Record) -> AuditView:
    return AuditView(
        seq=row["seq"],
        at=row["at"].astimezone(SHANGHAI),
        actor_kind=row["actor_kind"],
        actor_id=row["actor_id"],
        on_behalf_of=row["on_behalf_of"],
        action=row["action"],
        subject_kind=row["subject_kind"],
        subject_id=row["subject_id"],
        detail=json.loads(row["detail"]),
    )


def line_of(entry: AuditView) -> str:
    """An entry as one line to read."""
    at = entry.at.isoformat(timespec="seconds")
    by = entry.actor_kind + (f" {entry.actor_id}" if entry.actor_id else "")
    behalf = f" for {entry.on_behalf_of}" if entry.on_behalf_of else ""
    subject = f"{entry.subject_kind} {entry.subject_id or ''}".strip()
    detail = f"  {json.dumps(entry.detail, ensure_ascii=False)}" if entry.detail else ""
    return f"{entry.seq}  {at}  {by}{behalf}  {entry.action}  {subject}{detail}"
