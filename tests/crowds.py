"""Many people at once before one ticket, written as rows: nobody waits to see them come."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from models.database import rows


@asynccontextmanager
async def people_before(
    ticket: dict[str, Any], many: int, *, away: bool = False
) -> AsyncIterator[None]:
    """So many wait in the ticket's line before it, numbered from 501 on; gone again afterwards.

    Nothing tells of their coming, so they are not to stay for the next test, whatever happens.
    """
    mine = UUID(ticket["id"])
    try:
        await rows(_THEY_COME, mine, many, away)
        # What a day with so many in it would have told the planner.
        await rows("ANALYZE ticket")
        yield
    finally:
        await rows(_THEY_GO, mine)


_THEY_COME = """
    INSERT INTO ticket (id, hall_id, line_id, item_id, day, sequence, number, state, issued_at,
                        rank_time, version, away)
    SELECT gen_random_uuid(), hall_id, line_id, item_id, day, 500 + n, 'E' || 500 + n, state,
           issued_at, rank_time - n * interval '1 s', 1, $3
    FROM ticket, generate_series(1, $2::int) n WHERE id = $1
"""
_THEY_GO = """
    DELETE FROM ticket crowd USING ticket mine
    WHERE mine.id = $1 AND crowd.hall_id = mine.hall_id AND crowd.sequence > 500
"""
