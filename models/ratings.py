"""Ratings 评价: how somebody found her service, once a ticket or case; a bad one is answered."""

from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.database import Transaction, rows
from models.joined import HER_ID

COMMENT: Final = "rating.comment"
# So few stars, and somebody of the hall has to answer within so long.
BAD: Final = 2
ANSWERED_WITHIN: Final = timedelta(days=1)


class Rating(Model):
    """What she said of one service. Without her (`citizen_id` null) its figures stay."""

    id = fields.UUIDField(primary_key=True)
    # What it is about, `ticket` or `case`, and its id: rated once.
    subject = fields.CharField(max_length=12)
    subject_id = fields.UUIDField()
    citizen_id = fields.UUIDField(null=True)
    # Null: of a case that was handed in at no hall; its department answers.
    hall_id = fields.UUIDField(null=True)
    item_id = fields.UUIDField()
    stars = fields.SmallIntField()
    tags = ArrayField(element_type="text", db_default=[])
    # Sealed; null where she said nothing.
    comment = fields.BinaryField(null=True)
    rated_at = fields.DatetimeField()
    # Of a bad one: until when the hall answers, what it answered, and when and by whom.
    answer_by = fields.DatetimeField(null=True)
    answer = fields.CharField(max_length=500, null=True)
    answered_at = fields.DatetimeField(null=True)
    answered_by = fields.UUIDField(null=True)

    class Meta:
        table = "rating"
        constraints = (
            UniqueConstraint(fields=("subject", "subject_id"), name="rating_once"),
            CheckConstraint(check="stars BETWEEN 1 AND 5", name="rating_stars"),
            CheckConstraint(
                check=f"(stars <= {BAD}) = (answer_by IS NOT NULL)", name="rating_bad_is_answered"
            ),
        )
        indexes = (
            Index(fields=("citizen_id", "id"), name="rating_of_citizen"),
            Index(fields=("hall_id", "rated_at"), name="rating_of_hall"),
        )


_SHOWN: Final = """r.*, coalesce(t.number, c.no) AS number FROM rating r
    LEFT JOIN ticket t ON r.subject = 'ticket' AND t.id = r.subject_id
    LEFT JOIN case_file c ON r.subject = 'case' AND c.id = r.subject_id"""


async def her_ticket(tx: Transaction, ticket_id: UUID, citizen_id: UUID) -> Any | None:
    """A ticket for her or taken by her, and who she is now; locked against being moved."""
    return await tx.row(
        f"""
        SELECT t.id, t.state, t.hall_id, t.item_id, her.id AS her_id
        FROM ticket t, (SELECT {HER_ID} AS id) her
        WHERE t.id = $2 AND her.id IN (t.citizen_id, t.acting_id) FOR SHARE OF t
        """,
        citizen_id,
        ticket_id,
    )


async def write(tx: Transaction, given: dict[str, Any]) -> bool:
    """Write a rating down, by its columns; False where its subject is rated already."""
    places = ", ".join(f"${nth}" for nth in range(1, len(given) + 1))
    row = await tx.row(
        f"INSERT INTO rating ({', '.join(given)}) VALUES ({places})"
        " ON CONFLICT (subject, subject_id) DO NOTHING RETURNING id",
        *given.values(),
    )
    return row is not None


async def of_citizen(citizen_id: UUID, before: UUID | None, limit: int) -> list[Any]:
    """Her ratings, the newest first, one more than asked for where there are more."""
    return await rows(
        f"SELECT {_SHOWN} WHERE r.citizen_id = {HER_ID} AND ($2::uuid IS NULL OR r.id < $2)"
        " ORDER BY r.id DESC LIMIT $3",
        citizen_id,
        before,
        limit + 1,
    )


async def of_hall(hall_id: UUID, start: date, end: date) -> Any:
    """A hall's ratings of some days in figures: how many of each number of stars, and answers."""
    [found] = await rows(
        """
        SELECT count(*) AS many, avg(stars)::float8 AS mean,
               array(SELECT count(r.id) FROM generate_series(1, 5) s
                     LEFT JOIN rating r ON r.stars = s AND r.hall_id = $1
                       AND (r.rated_at AT TIME ZONE 'Asia/Shanghai')::date BETWEEN $2 AND $3
                     GROUP BY s ORDER BY s) AS by_stars,
               count(answer_by) AS bad, count(answered_at) AS answered
        FROM rating
        WHERE hall_id = $1 AND (rated_at AT TIME ZONE 'Asia/Shanghai')::date BETWEEN $2 AND $3
        """,
        hall_id,
        start,
        end,
    )
    return found


async def to_answer(hall_id: UUID, after: UUID | None, limit: int) -> list[Any]:
    """Bad ratings of a hall that nobody answered, the oldest first, one more where there are."""
    return await rows(
        f"SELECT {_SHOWN} WHERE r.hall_id = $1 AND r.answer_by IS NOT NULL"
        " AND r.answered_at IS NULL AND ($2::uuid IS NULL OR r.id > $2) ORDER BY r.id LIMIT $3",
        hall_id,
        after,
        limit + 1,
    )


async def to_answer_by(client_id: UUID, after: UUID | None, limit: int) -> list[Any]:
    """Bad ratings of a department's cases that nobody answered, as `to_answer` gives a hall's."""
    return await rows(
        f"SELECT {_SHOWN} WHERE c.client_id = $1 AND r.answer_by IS NOT NULL"
        " AND r.answered_at IS NULL AND ($2::uuid IS NULL OR r.id > $2) ORDER BY r.id LIMIT $3",
        client_id,
        after,
        limit + 1,
    )


async def hold_of_case(tx: Transaction, case_id: UUID) -> Any | None:
    """The rating of a case, locked."""
    return await tx.row(
        "SELECT * FROM rating WHERE subject = 'case' AND subject_id = $1 FOR UPDATE", case_id
    )


async def hold(tx: Transaction, rating_id: UUID) -> Any | None:
    """A rating's row, locked."""
    return await tx.row("SELECT * FROM rating WHERE id = $1 FOR UPDATE", rating_id)


async def answer(tx: Transaction, rating_id: UUID, text: str, *, by: UUID, now: datetime) -> None:
    """What the hall answers to a bad one; its row is locked."""
    await tx.run(
        "UPDATE rating SET answer = $2, answered_at = $3, answered_by = $4 WHERE id = $1",
        rating_id,
        text,
        now,
        by,
    )


async def shown(rating_id: UUID, *, tx: Transaction | None = None) -> Any:
    """A rating with its number."""
    [row] = await rows(f"SELECT {_SHOWN} WHERE r.id = $1", rating_id, tx=tx)
    return row


async def kept_of(tx: Transaction, citizen_id: UUID) -> list[Any]:
    """All that is kept of her ratings; comments are sealed."""
    return await tx.rows(
        "SELECT id, subject, subject_id, stars, tags, comment, rated_at, answer, answered_at"
        " FROM rating WHERE citizen_id = $1 ORDER BY id",
        citizen_id,
    )


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """Give a citizen's ratings to another."""
    await tx.run("UPDATE rating SET citizen_id = $2 WHERE citizen_id = $1", me, into)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Stars stay, and name nobody; words go."""
    await tx.run(
        "UPDATE rating SET citizen_id = NULL, comment = NULL, tags = '{}' WHERE citizen_id = $1",
        citizen_id,
    )
