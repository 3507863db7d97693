"""Promises 承诺: the wait that somebody was told, and the one that came true.

What is told is stored when it is told and never changed; what came true is added when it is known.
What is told with a number stands in the event that gives it (`as_told`): one statement does both,
and the promise is made of it. Nobody's name is in them, so they stay when a person goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.database import Transaction, rows


class Told(StrEnum):
    """When it was told."""

    ISSUE = "issue"  # when she took the number
    NEAR = "near"  # when, as told, half of such people had ten minutes left, or less


class Basis(StrEnum):
    """What a predicted wait rests on."""

    LIVE = "live"  # what happens in this line today
    USUAL = "usual"  # what is usual here or elsewhere: the range is wider
    NONE = "none"  # nothing is known, so nothing is said


class Promise(Model):
    """A wait in seconds as it was told to the holder of a ticket: 10 %, 50 % and 90 % are shorter.

    `wait_s` is what came true, from `made_at` to the first call. It stays null where she was never
    called as one who simply waits: she left, went elsewhere or changed her place (`settled_at` is
    set then, too).
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    # Neither checked by the database: promises are many, and nothing they name is deleted.
    ticket_id = fields.UUIDField()
    hall_id = fields.UUIDField()
    line_id = fields.UUIDField()
    day = fields.DateField()
    told = fields.CharEnumField(Told, max_length=8)
    made_at = fields.DatetimeField()
    ahead = fields.IntField()
    p10_s = fields.IntField()
    p50_s = fields.IntField()
    p90_s = fields.IntField()
    basis = fields.CharEnumField(Basis, max_length=8)
    wait_s = fields.IntField(null=True)
    settled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "promise"
        constraints = (
            UniqueConstraint(fields=("ticket_id", "told"), name="promise_once"),
            CheckConstraint(
                check="0 <= p10_s AND p10_s <= p50_s AND p50_s <= p90_s", name="promise_in_order"
            ),
        )
        indexes = (Index(fields=("hall_id", "day"), name="promise_of_day"),)


@dataclass(frozen=True, slots=True)
class NewPromise:
    """What is told now to the holder of a ticket who has `ahead` people before her.

    The range is None where nothing is told now, but something may have been with her number.
    """

    ticket_id: UUID
    hall_id: UUID
    line_id: UUID
    day: date
    told: Told
    made_at: datetime
    ahead: int
    p10_s: int | None = None
    p50_s: int | None = None
    p90_s: int | None = None
    basis: Basis = Basis.NONE


def as_told(p10_s: int, p50_s: int, p90_s: int, basis: Basis) -> str:
    """A range as the event of a new number keeps it."""
    return f"{p10_s}/{p50_s}/{p90_s} {basis}"


async def keep(made: Sequence[NewPromise]) -> None:
    """Store what was told, in one statement; what was told before of the same ticket stands.

    So what is kept as told at issue is what was told with the number, where anything was.
    """
    if made:
        columns = zip(*(_values(each) for each in made), strict=True)
        await rows(_KEEP, *(list(column) for column in columns))


def _values(made: NewPromise) -> tuple[object, ...]:
    return (
        made.ticket_id,
        made.hall_id,
        made.line_id,
        made.day,
        made.told.value,
        made.made_at,
        made.ahead,
        made.p10_s,
        made.p50_s,
        made.p90_s,
        made.basis.value,
    )


# A promise is settled by the first thing that decides it. What only others do, or what leaves her
# where she is (that she checks in, that she claims what nobody has confirmed), decides nothing.
_CHANGES_NOTHING: Final = ("check_in", "claim", "stay")
# What a counter did may be taken back for a moment; what stands after it is so.
STANDS_AFTER: Final = timedelta(seconds=40)


async def untell(tx: Transaction, ticket_id: UUID) -> None:
    """Nothing was told with a number just issued: its range was for a place it does not have."""
    await tx.run(_UNTELL, ticket_id)


async def settle(hall_ids: Sequence[UUID], *, now: datetime) -> int:
    """Add what came true to the open promises of these halls; answers how many were settled."""
    before = now - STANDS_AFTER
    return len(await rows(_SETTLE, list(hall_ids), now, before, list(_CHANGES_NOTHING)))


_KEEP: Final = r"""
    INSERT INTO promise (ticket_id, hall_id, line_id, day, told, made_at, ahead, p10_s, p50_s,
                         p90_s, basis)
    SELECT new.ticket_id, new.hall_id, new.line_id, new.day, new.told,
           coalesce(said.at, new.made_at), new.ahead, coalesce(said.range[1]::int, new.p10_s),
           coalesce(said.range[2]::int, new.p50_s), coalesce(said.range[3]::int, new.p90_s),
           coalesce(said.range[4], new.basis)
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[], $5::text[],
                $6::timestamptz[], $7::int[], $8::int[], $9::int[], $10::int[],
                $11::text[])
         AS new (ticket_id, hall_id, line_id, day, told, made_at, ahead, p10_s, p50_s, p90_s, basis)
    LEFT JOIN LATERAL (
        SELECT e.at, regexp_match(e.detail, '^(\d+)/(\d+)/(\d+) (live|usual)$') AS range
        FROM ticket_event e
        WHERE new.told = 'issue' AND e.ticket_id = new.ticket_id AND e.move = 'issue'
          AND e.line_id = new.line_id AND e.detail IS NOT NULL
        LIMIT 1
    ) said ON said.range IS NOT NULL
    WHERE coalesce(said.range[2]::int, new.p50_s) IS NOT NULL
    ON CONFLICT ON CONSTRAINT promise_once DO NOTHING
"""
_UNTELL: Final = """
    UPDATE ticket_event SET detail = NULL
    WHERE ticket_id = $1 AND move = 'issue' AND detail IS NOT NULL
"""
# An undone call was none: the ticket waits on. What is written with a number, such as a claim that
# its papers prove, has the moment of its issue, and comes after it by its id.
_SETTLE: Final = """
    UPDATE promise SET
        wait_s = CASE WHEN fate.move = 'call'
                 THEN greatest(0, round(extract(epoch FROM fate.at - promise.made_at)))::int END,
        settled_at = $2
    FROM promise open
    CROSS JOIN LATERAL (
        SELECT e.move, e.at FROM ticket_event e
        WHERE e.ticket_id = open.ticket_id AND e.at >= open.made_at AND e.at < $3
          AND e.move <> ALL($4::text[]) AND e.move NOT IN ('issue', 'undo')
          AND NOT EXISTS (SELECT 1 FROM ticket_event u
                          WHERE u.ticket_id = e.ticket_id AND u.undoes = e.id)
        ORDER BY e.id LIMIT 1
    ) fate
    WHERE open.hall_id = ANY($1) AND open.settled_at IS NULL AND promise.id = open.id
    RETURNING promise.id
"""


HOW_TRUE: Final = ("error_s", "bias_s", "within", "sooner", "later", "live")
# SQL: HOW_TRUE of those promises whose `wait_s` is known: how far off the middle of the range was,
# with its sign too; what shares of 1 were called within it, sooner, later; how many were `live`.
HOW_TRUE_OF_THESE: Final = """
           round(avg(abs(p50_s - wait_s)))::int AS error_s,
           round(avg(p50_s - wait_s))::int AS bias_s,
           round(avg((wait_s BETWEEN p10_s AND p90_s)::int), 3)::float8 AS within,
           round(avg((wait_s < p10_s)::int), 3)::float8 AS sooner,
           round(avg((wait_s > p90_s)::int), 3)::float8 AS later,
           round(avg((basis = 'live')::int), 3)::float8 AS live"""


def how_true(row: Mapping[str, Any]) -> dict[str, Any]:
    """HOW_TRUE of a row, by their names."""
    return {figure: row[figure] for figure in HOW_TRUE}


async def latest_told(hall_id: UUID, day: date) -> list[Any]:
    """What was said of the numbers of a hall's day that nobody knows the end of: the latest."""
    return await rows(
        "SELECT ticket_id, made_at, p90_s FROM promise"
        " WHERE hall_id = $1 AND day = $2 AND told = 'issue' AND settled_at IS NULL",
        hall_id,
        day,
    )
