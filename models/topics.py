"""Topics 关注: themes of the catalogue that somebody wants to hear of."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.database import Transaction, rows
from models.joined import HER_ID


class TopicFollow(Model):
    """That she follows a theme of the catalogue."""

    id = fields.UUIDField(primary_key=True)
    citizen_id = fields.UUIDField()
    topic = fields.CharField(max_length=32)

    class Meta:
        table = "topic_follow"
        constraints = (UniqueConstraint(fields=("citizen_id", "topic"), name="topic_follow_once"),)


async def of_citizen(citizen_id: UUID, *, tx: Transaction | None = None) -> list[str]:
    """The themes that she follows."""
    found = await rows(
        f"SELECT topic FROM topic_follow WHERE citizen_id = {HER_ID} ORDER BY topic",
        citizen_id,
        tx=tx,
    )
    return [row["topic"] for row in found]


async def follow(tx: Transaction, citizen_id: UUID, topics: Collection[str]) -> None:
    """She follows just these. She is held."""
    await tx.run(
        "DELETE FROM topic_follow WHERE citizen_id = $1 AND topic <> ALL($2::text[])",
        citizen_id,
        list(topics),
    )
    await tx.run(
        "INSERT INTO topic_follow (id, citizen_id, topic)"
        " SELECT uuidv7(), $1, topic FROM unnest($2::text[]) AS t (topic)"
        " ON CONFLICT (citizen_id, topic) DO NOTHING",
        citizen_id,
        sorted(set(topics)),
    )


async def kept_of(tx: Transaction, citizen_id: UUID) -> list[Any]:
    """What is kept of what she follows."""
    return await tx.rows(
        "SELECT topic FROM topic_follow WHERE citizen_id = $1 ORDER BY topic", citizen_id
    )


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """Give what a citizen follows to another."""
    await tx.run(
        "UPDATE topic_follow c SET citizen_id = $2 WHERE citizen_id = $1 AND NOT EXISTS ("
        " SELECT 1 FROM topic_follow o WHERE o.citizen_id = $2 AND o.topic = c.topic)",
        me,
        into,
    )
    await tx.run("DELETE FROM topic_follow WHERE citizen_id = $1", me)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Forget what she follows."""
    await tx.run("DELETE FROM topic_follow WHERE citizen_id = $1", citizen_id)
