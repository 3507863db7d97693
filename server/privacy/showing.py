"""The audit log as lines to read."""

from uuid import UUID

import asyncpg

from models.database import rows
from scheduler.calendar import SHANGHAI


async def entries_about(
    *, subject: str | None = None, actor: UUID | None = None, limit: int = 100
) -> list[str]:
    """The newest entries, newest first: about a subject, by or for a person, or all."""
    found = await rows(
        """
        SELECT seq, at, actor_kind, actor_id, on_behalf_of, action, subject_kind, subject_id,
               detail::text
        FROM audit_entry
        WHERE ($1::text IS NULL OR subject_id = $1)
          AND ($2::uuid IS NULL OR actor_id = $2 OR on_behalf_of = $2)
        ORDER BY seq DESC LIMIT $3
        """,
        subject,
        actor,
        limit,
    )
    return [_line(row) for row in found]


def _line(row: asyncpg.Record) -> str:
    at = row["at"].astimezone(SHANGHAI).isoformat(timespec="seconds")
    by = row["actor_kind"] + (f" {row['actor_id']}" if row["actor_id"] else "")
    behalf = f" for {row['on_behalf_of']}" if row["on_behalf_of"] else ""
    subject = f"{row['subject_kind']} {row['subject_id'] or ''}".strip()
    detail = "" if row["detail"] == "{}" else f"  {row['detail']}"
    return f"{row['seq']}  {at}  {by}{behalf}  {row['action']}  {subject}{detail}"
