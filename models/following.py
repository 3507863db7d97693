"""Following 关注: what lets somebody see a ticket that is not hers, and change nothing of it.

Either a code, on paper or on her screen, for whoever has it; or that a citizen kept such a code.
Both are good on the ticket's day, and both end when its holder, or the hall, ends its following.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from tortoise import fields
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction, rows
from models.people import Citizen

# A slip may be printed again, so a ticket has several codes; beyond these the oldest ends.
MOST_CODES: Final = 10
MOST_FOLLOWERS: Final = 10
# How many tickets of one day a citizen may follow.
MOST_FOLLOWED: Final = 20


class Follow(Model):
    """A code of a ticket, stored as its SHA-256, or a citizen who follows it.

    `day` is the ticket's; `made_at` and `ended_at` are real time.
    """

    id = fields.UUIDField(primary_key=True)
    ticket_id = fields.UUIDField()
    day = fields.DateField()
    code_digest = fields.CharField(max_length=64, null=True, unique=True)
    citizen: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "follows", null=True, on_delete=OnDelete.RESTRICT
    )
    made_at = fields.DatetimeField(db_index=True)
    ended_at = fields.DatetimeField(null=True, db_index=True)

    class Meta:
        table = "follow"
        constraints = (
            CheckConstraint(
                check="(code_digest IS NULL) <> (citizen_id IS NULL)", name="follow_code_or_citizen"
            ),
            UniqueConstraint(
                fields=("citizen_id", "ticket_id"),
                name="follow_once",
                condition="ended_at IS NULL AND citizen_id IS NOT NULL",
            ),
        )
        indexes = (Index(fields=("ticket_id",), name="follow_of_ticket"),)


@dataclass(frozen=True, slots=True)
class Grant:
    """That a citizen, or whoever has a code, may see a ticket on its day."""

    id: UUID
    ticket_id: UUID
    day: date
    is_citizens: bool = False


async def by_code(code_digest: str, *, tx: Transaction | None = None) -> tuple[Grant, bool] | None:
    """What a code grants, and whether it has been ended; None: there was never such a code."""
    found = await rows(
        "SELECT id, ticket_id, day, ended_at FROM follow WHERE code_digest = $1",
        code_digest,
        tx=tx,
    )
    if not found:
        return None
    [row] = found
    return Grant(row["id"], row["ticket_id"], row["day"]), row["ended_at"] is not None


async def by_citizen(citizen_id: UUID, ticket_id: UUID) -> Grant | None:
    """What a citizen keeps of a ticket, if she follows it."""
    found = await rows(
        """
        SELECT id, ticket_id, day FROM follow
        WHERE citizen_id = $1 AND ticket_id = $2 AND ended_at IS NULL
        """,
        citizen_id,
        ticket_id,
    )
    return Grant(**found[0], is_citizens=True) if found else None


async def all_of(citizen_id: UUID, day: date, *, tx: Transaction | None = None) -> list[Grant]:
    """What a citizen follows on a day, newest first."""
    found = await rows(
        """
        SELECT id, ticket_id, day FROM follow
        WHERE citizen_id = $1 AND day = $2 AND ended_at IS NULL ORDER BY id DESC
        """,
        citizen_id,
        day,
        tx=tx,
    )
    return [Grant(**row, is_citizens=True) for row in found]


async def followers(tx: Transaction, ticket_id: UUID) -> int:
    """How many citizens follow a ticket."""
    row = await tx.row(
        """
        SELECT count(*) AS many FROM follow
        WHERE ticket_id = $1 AND citizen_id IS NOT NULL AND ended_at IS NULL
        """,
        ticket_id,
    )
    assert row is not None, "a count has a row"
    many: int = row["many"]
    return many


async def add_code(tx: Transaction, ticket_id: UUID, day: date, code_digest: str) -> list[UUID]:
    """Store a code of a ticket whose row is locked; answers the oldest, which end for it."""
    surplus = await tx.rows(
        """
        WITH made AS (
            INSERT INTO follow (id, ticket_id, day, code_digest, made_at)
            VALUES ($2, $1, $3, $4, now())
        )
        UPDATE follow SET ended_at = now() WHERE id IN (
            SELECT id FROM follow
            WHERE ticket_id = $1 AND code_digest IS NOT NULL AND ended_at IS NULL
            ORDER BY id DESC OFFSET $5)
        RETURNING id
        """,
        ticket_id,
        uuid7(),
        day,
        code_digest,
        MOST_CODES - 1,
    )
    return [row["id"] for row in surplus]


async def add_follower(tx: Transaction, ticket_id: UUID, day: date, citizen_id: UUID) -> Grant:
    """Let a citizen, who is held, follow a ticket whose row is locked. She does not yet."""
    grant = Grant(uuid7(), ticket_id, day, is_citizens=True)
    await tx.run(
        """
        INSERT INTO follow (id, ticket_id, day, citizen_id, made_at)
        VALUES ($1, $2, $3, $4, now())
        """,
        grant.id,
        ticket_id,
        day,
        citizen_id,
    )
    return grant


async def end_all(tx: Transaction, ticket_id: UUID, *, of: UUID | None = None) -> list[UUID]:
    """End all codes and followers of a ticket, or one citizen's following: which these were."""
    ended = await tx.rows(
        """
        UPDATE follow SET ended_at = now()
        WHERE ticket_id = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR citizen_id = $2)
        RETURNING id
        """,
        ticket_id,
        of,
    )
    return [row["id"] for row in ended]


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """Give what one citizen follows to another, who holds some of it perhaps, or follows it too."""
    await tx.run(
        """
        DELETE FROM follow f WHERE citizen_id = $1 AND (
            EXISTS (SELECT 1 FROM ticket t
                    WHERE t.id = f.ticket_id AND $2 IN (t.citizen_id, t.acting_id))
            OR EXISTS (SELECT 1 FROM follow o WHERE o.ticket_id = f.ticket_id
                       AND o.citizen_id = $2 AND o.ended_at IS NULL))
        """,
        me,
        into,
    )
    await tx.run("UPDATE follow SET citizen_id = $2 WHERE citizen_id = $1", me, into)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Forget what a citizen follows. (Her sign-ins end, so nothing of it is shown any more.)"""
    await tx.run("DELETE FROM follow WHERE citizen_id = $1", citizen_id)
