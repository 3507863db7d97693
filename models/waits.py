"""What predicting waits has learned, kept so that it outlives the process that learned it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Final

import asyncpg
from tortoise import fields
from tortoise.models import Model

from models.database import rows


class WaitState(Model):
    """What the predictor knows of a hall, or, named `*`, of all of them, as bytes of its own."""

    code = fields.CharField(max_length=16, primary_key=True)
    taken_at = fields.DatetimeField()
    state = fields.BinaryField()

    class Meta:
        table = "wait_state"


class WaitLessons(Model):
    """The waits of a hall that came true on a day, as the predictor learns from them."""

    id = fields.BigIntField(primary_key=True, generated=True)
    day = fields.DateField(db_index=True)
    code = fields.CharField(max_length=16)
    lessons = fields.BinaryField()

    class Meta:
        table = "wait_lessons"


class WaitTrees(Model):
    """Trees grown in a night, of one kind of waits; the newest of each kind are in use."""

    id = fields.BigIntField(primary_key=True, generated=True)
    kind = fields.CharField(max_length=16)
    grown_at = fields.DatetimeField()
    learned_from = fields.IntField()
    trees = fields.BinaryField()

    class Meta:
        table = "wait_trees"


# The name of what all halls share.
CITY: Final = "*"
DAYS_LEARNED_FROM: Final = 45


async def save_states(states: Mapping[str, bytes], *, at: datetime) -> None:
    """Keep what is known of these halls, instead of what was kept of them before."""
    if states:
        await rows(_SAVE, list(states), list(states.values()), at)


async def saved_states(codes: Collection[str]) -> dict[str, bytes]:
    """What is kept of these halls; those of which nothing is are left out."""
    found = await rows("SELECT code, state FROM wait_state WHERE code = ANY($1)", list(codes))
    return {row["code"]: row["state"] for row in found}


async def add_lessons(lessons: Mapping[str, bytes], *, day: date) -> None:
    """Keep what came true in these halls, beside what is kept of the same day."""
    if lessons:
        await rows(_ADD, day, list(lessons), list(lessons.values()))


async def lessons_since(day: date) -> list[bytes]:
    """All lessons from that day on, in order of the days."""
    found = await rows("SELECT lessons FROM wait_lessons WHERE day >= $1 ORDER BY day, id", day)
    return [row["lessons"] for row in found]


async def forget_lessons_before(day: date) -> None:
    """Delete lessons of days that nobody learns from any more."""
    await rows("DELETE FROM wait_lessons WHERE day < $1", day)


async def save_trees(kind: str, trees: bytes, *, learned_from: int, at: datetime) -> None:
    """Put newly grown trees of a kind into use, which learned from so many waits."""
    await rows(_GROW, kind, at, learned_from, trees)


async def trees_after(last: int) -> Sequence[asyncpg.Record]:
    """The newest trees of each kind that are newer than those numbered `last`.

    Each with `id`, `kind`, `trees` and `learned_from`.
    """
    return await rows(
        "SELECT DISTINCT ON (kind) id, kind, trees, learned_from FROM wait_trees WHERE id > $1"
        " ORDER BY kind, id DESC",
        last,
    )


_SAVE: Final = """
    INSERT INTO wait_state (code, state, taken_at)
    SELECT code, state, $3 FROM unnest($1::text[], $2::bytea[]) AS one (code, state)
    ON CONFLICT (code) DO UPDATE SET state = excluded.state, taken_at = excluded.taken_at
"""
_ADD: Final = """
    INSERT INTO wait_lessons (day, code, lessons)
    SELECT $1, code, lessons FROM unnest($2::text[], $3::bytea[]) AS one (code, lessons)
"""
_GROW: Final = """
    WITH old AS (
        DELETE FROM wait_trees WHERE kind = $1 AND id < (
            SELECT max(id) FROM wait_trees WHERE kind = $1)
    )
    INSERT INTO wait_trees (kind, grown_at, learned_from, trees) VALUES ($1, $2, $3, $4)
"""
