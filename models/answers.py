"""First answers kept for phones that ask twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction


class Answer(Model):
    """The first answer to a request with an `Idempotency-Key`, one per person and key."""

    id = fields.UUIDField(primary_key=True)
    person_id = fields.UUIDField()
    key = fields.CharField(max_length=128)
    # SHA-256 of method, path and body: the same key with another request is a mistake.
    fingerprint = fields.CharField(max_length=64)
    status = fields.SmallIntField(null=True)
    body = fields.BinaryField(null=True)
    # Real time; answers are kept for a day.
    created_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "answer"
        constraints = (UniqueConstraint(fields=("person_id", "key"), name="answer_key_once"),)


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """An answer to be kept with its effect; `body` makes it of what was found out with that."""

    person_id: UUID
    key: str
    fingerprint: str
    status: int
    body: Callable[[Sequence[datetime]], bytes]


async def keep_all(tx: Transaction, answers: Sequence[tuple[FirstAnswer, bytes]]) -> None:
    """Keep first answers; violates a unique key where another request came between with one."""
    if not answers:
        return
    first = [answer for answer, _ in answers]
    await tx.run(
        """
        INSERT INTO answer (id, person_id, key, fingerprint, status, body, created_at)
        SELECT *, $7 FROM unnest(
            $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::bytea[])
        """,
        [uuid7() for _ in first],
        [answer.person_id for answer in first],
        [answer.key for answer in first],
        [answer.fingerprint for answer in first],
        [answer.status for answer in first],
        [body for _, body in answers],
        datetime.now(UTC),
    )
