"""Kiosks 自助机: machines of a hall that give out numbers. Times here are real time."""

from dataclasses import dataclass
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.database import rows
from models.halls import Hall


class Kiosk(Model):
    """A machine, and the SHA-256 of the token that it bears. One that is revoked stays, as a past.

    `created_by` is the member of staff who made it. `last_seen_at` is right to a minute or so.
    """

    id = fields.UUIDField(primary_key=True)
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField("models.Hall", "kiosks")
    name = fields.CharField(max_length=40)
    token_digest = fields.CharField(max_length=64, unique=True)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField()
    last_seen_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True, db_index=True)

    class Meta:
        table = "kiosk"
        constraints = (
            UniqueConstraint(
                fields=("hall_id", "name"), name="kiosk_name_once", condition="revoked_at IS NULL"
            ),
        )
        indexes = (Index(fields=("hall_id", "id"), name="kiosk_of_hall"),)


@dataclass(frozen=True, slots=True)
class Known:
    """A kiosk in service, and the code of its hall."""

    id: UUID
    hall: str


async def seen(token_digest: str) -> Known | None:
    """The kiosk that bears this token, written down as seen now; None: it is nobody's any more."""
    found = await rows(
        """
        UPDATE kiosk SET last_seen_at = now() FROM hall
        WHERE token_digest = $1 AND revoked_at IS NULL AND hall.id = kiosk.hall_id
        RETURNING kiosk.id, hall.code
        """,
        token_digest,
    )
    return Known(found[0]["id"], found[0]["code"]) if found else None
