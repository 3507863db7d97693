"""Slots as processes keep them in memory: read by hall, or those that changed."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from models.database import rows

_SEEN = """
    SELECT id, hall_id, line_id, item_id, starts_at, ends_at, state = 'open' AS open, capacity,
           greatest(0, capacity + overbooking - for_elders - for_companies - for_desk - taken)
               AS room,
           for_elders - taken_elders AS for_elders,
           for_companies - taken_companies AS for_companies, for_desk - taken_desk AS for_desk,
           taken + taken_elders + taken_companies + taken_desk AS taken, serves, walk_ins
    FROM slot
"""


async def slots_of(hall_id: UUID, since: datetime) -> list[Any]:
    """A hall's slots that are not over at that moment, in the order of time."""
    return await rows(
        f"{_SEEN} WHERE hall_id = $1 AND starts_at >= $2 ORDER BY starts_at", hall_id, since
    )


async def slots_among(slot_ids: Collection[UUID]) -> list[Any]:
    """These slots, as far as they are still there."""
    return await rows(f"{_SEEN} WHERE id = ANY($1)", list(slot_ids))
