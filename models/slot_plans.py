"""What managers plan: the slots of a line or an item, and single slots by hand."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from models.database import Transaction, rows

PLANNED_BY_HAND = (
    "slot_min",
    "counters",
    "share_percent",
    "places",
    "elders_percent",
    "companies_percent",
    "desk_percent",
)


async def plans(hall_id: UUID) -> list[Any]:
    """What is planned at a hall otherwise than usual, by line, items after their line."""
    return await rows(
        """
        SELECT p.*, line.code AS line, item.code AS item FROM slot_plan p
        JOIN line ON line.id = p.line_id LEFT JOIN item ON item.id = p.item_id
        WHERE p.hall_id = $1 ORDER BY line.code, item.code NULLS FIRST
        """,
        hall_id,
    )


async def set_plan(
    tx: Transaction,
    hall_id: UUID,
    line_id: UUID,
    item_id: UUID | None,
    *,
    values: Mapping[str, int | None],
    hours: str | None,
) -> None:
    """Plan a line or an item so from now on, instead of what was planned before."""
    await tx.run(
        """
        INSERT INTO slot_plan (id, hall_id, line_id, item_id, slot_min, counters, share_percent,
            places, elders_percent, companies_percent, desk_percent, hours)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (line_id, item_id) DO UPDATE SET
            slot_min = excluded.slot_min, counters = excluded.counters,
            share_percent = excluded.share_percent, places = excluded.places,
            elders_percent = excluded.elders_percent,
            companies_percent = excluded.companies_percent,
            desk_percent = excluded.desk_percent, hours = excluded.hours
        """,
        uuid7(),
        hall_id,
        line_id,
        item_id,
        *(values[name] for name in PLANNED_BY_HAND),
        hours,
    )


async def drop_plan(tx: Transaction, line_id: UUID, item_id: UUID | None) -> bool:
    """Let a line or item be planned as usual again; whether it was planned otherwise."""
    found = await tx.rows(
        "DELETE FROM slot_plan WHERE line_id = $1 AND item_id IS NOT DISTINCT FROM $2 RETURNING 1",
        line_id,
        item_id,
    )
    return bool(found)


async def override(
    tx: Transaction,
    line_id: UUID,
    item_id: UUID | None,
    starts_at: datetime,
    places: int | None,
) -> tuple[UUID, bool] | None:
    """Give one slot so many places, none to close it, or (None) leave it to planning again.

    Who has booked keeps her place: the slot then has as many as are taken. Answers the slot, and
    whether it had other places before; what is left to planning, planning changes. None: no such
    slot.
    """
    row = await tx.row(
        """
        UPDATE slot SET
            overridden = $4::int IS NOT NULL,
            state = CASE WHEN $4 = 0 THEN 'closed' ELSE 'open' END,
            planned = coalesce($4, planned),
            overbooking = CASE WHEN $4::int IS NULL THEN overbooking ELSE 0 END,
            for_elders = CASE WHEN $4::int IS NULL THEN for_elders ELSE taken_elders END,
            for_companies = CASE WHEN $4::int IS NULL THEN for_companies ELSE taken_companies END,
            for_desk = CASE WHEN $4::int IS NULL THEN for_desk ELSE taken_desk END,
            capacity = CASE WHEN $4::int IS NULL THEN capacity
                ELSE greatest($4, taken + taken_elders + taken_companies + taken_desk) END
        WHERE line_id = $1 AND item_id IS NOT DISTINCT FROM $2 AND starts_at = $3
        RETURNING new.id, $4::int IS NOT NULL AND (old.state, old.planned, old.overbooking)
            IS DISTINCT FROM (new.state, new.planned, new.overbooking) AS changed
        """,
        line_id,
        item_id,
        starts_at,
        places,
    )
    return (row["id"], row["changed"]) if row else None
