"""Certificates 证照 that people want to be reminded of: which, and until when they are valid.

No number is kept, only the kind and the day: as much as reminding takes. She enters it herself.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.database import Transaction, rows
from models.joined import HER_ID


class Certificate(Model):
    """That she holds a certificate of a kind; `expires_on` null: it does not expire."""

    id = fields.UUIDField(primary_key=True)
    citizen_id = fields.UUIDField()
    kind = fields.CharField(max_length=32)
    expires_on = fields.DateField(null=True)
    changed_at = fields.DatetimeField()

    class Meta:
        table = "certificate"
        constraints = (UniqueConstraint(fields=("citizen_id", "kind"), name="certificate_once"),)
        indexes = (Index(fields=("expires_on",), name="certificate_expiring"),)


async def of_citizen(citizen_id: UUID, *, tx: Transaction | None = None) -> list[Any]:
    """The certificates that she holds, the first to expire first."""
    return await rows(
        "SELECT kind, expires_on, changed_at FROM certificate"
        f" WHERE citizen_id = {HER_ID} ORDER BY expires_on NULLS LAST, kind",
        citizen_id,
        tx=tx,
    )


async def hold(
    tx: Transaction, citizen_id: UUID, kind: str, expires_on: date | None, *, at: datetime
) -> None:
    """She holds one, until that day; she is held. What waits to be said of the one before goes."""
    row = await tx.row(
        "INSERT INTO certificate AS c (id, citizen_id, kind, expires_on, changed_at)"
        " VALUES (uuidv7(), $1, $2, $3, $4)"
        " ON CONFLICT (citizen_id, kind) DO UPDATE SET expires_on = $3, changed_at = $4"
        " RETURNING id",
        citizen_id,
        kind,
        expires_on,
        at,
    )
    assert row is not None, "it was written"
    await _take_back(tx, row["id"], expires_on)


async def drop(tx: Transaction, citizen_id: UUID, kind: str) -> bool:
    """She holds it no more; whether she did. She is held."""
    row = await tx.row(
        "DELETE FROM certificate WHERE citizen_id = $1 AND kind = $2 RETURNING id", citizen_id, kind
    )
    if row is not None:
        await _take_back(tx, row["id"], None)
    return row is not None


async def _take_back(tx: Transaction, certificate_id: UUID, expires_on: date | None) -> None:
    """What is not true any more of a certificate is not sent."""
    await tx.run(
        "UPDATE notice SET state = 'expired', fault = 'renewed', settled_at = now()"
        " WHERE subject_id = $1 AND kind = 'document_expiring' AND state = 'waiting'"
        " AND facts->>'day' IS DISTINCT FROM $2::text",
        certificate_id,
        expires_on.isoformat() if expires_on else None,
    )


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """Give a citizen's certificates to another; of two of a kind what was said last counts."""
    await tx.run(
        "UPDATE certificate c SET expires_on = o.expires_on, changed_at = o.changed_at"
        " FROM certificate o WHERE c.citizen_id = $2 AND o.citizen_id = $1 AND o.kind = c.kind"
        " AND o.changed_at > c.changed_at",
        me,
        into,
    )
    await tx.run(
        "UPDATE certificate c SET citizen_id = $2 WHERE citizen_id = $1 AND NOT EXISTS ("
        " SELECT 1 FROM certificate o WHERE o.citizen_id = $2 AND o.kind = c.kind)",
        me,
        into,
    )
    await tx.run("DELETE FROM certificate WHERE citizen_id = $1", me)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Forget what she holds."""
    await tx.run("DELETE FROM certificate WHERE citizen_id = $1", citizen_id)
