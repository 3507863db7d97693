"""How many want to come, beside how many can be served: what managers are shown and proposed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.database import rows


async def came_to(hall_id: UUID, since: datetime) -> list[Any]:
    """How many were expected at a hall and how many did not come, by item, weekday and hour."""
    return await rows(
        """
        SELECT item.code AS item,
               extract(isodow FROM slot_start AT TIME ZONE 'Asia/Shanghai')::int - 1 AS weekday,
               extract(hour FROM slot_start AT TIME ZONE 'Asia/Shanghai')::int AS hour,
               count(*) AS expected, count(*) FILTER (WHERE a.state = 'missed') AS missed
        FROM appointment a JOIN item ON item.id = a.item_id
        WHERE a.hall_id = $1 AND a.state IN ('missed', 'checked_in') AND a.slot_start >= $2
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        hall_id,
        since,
    )


async def came_anywhere(since: datetime) -> Any:
    """How many were expected in the whole city, and how many did not come."""
    [row] = await rows(
        "SELECT count(*) AS expected, count(*) FILTER (WHERE state = 'missed') AS missed"
        " FROM appointment WHERE state IN ('missed', 'checked_in') AND slot_start >= $1",
        since,
    )
    return row


async def wanted_at(hall_id: UUID, first: date, last: date, today: date) -> list[Any]:
    """Who wanted to come to a hall and whom it could serve, by line and day with slots.

    `booked` have, or had, a place; `unmet` waited for one and got none, or still wait; `walk_ins`
    came without, or on days to come are those who usually do; `serves` is how many people the
    counters can serve while it may be booked.
    """
    return await rows(
        """
        WITH planned AS (
            SELECT line_id, day, sum(serves) AS serves, sum(walk_ins) AS usual
            FROM slot WHERE hall_id = $1 AND day BETWEEN $2 AND $3 AND state = 'open'
            GROUP BY line_id, day
        ), booked AS (
            SELECT line_id, day, count(*) AS many FROM appointment
            WHERE hall_id = $1 AND day BETWEEN $2 AND $3
              AND state IN ('held', 'offered', 'booked', 'checked_in', 'missed')
            GROUP BY line_id, day
        ), unmet AS (
            SELECT line_id, day, count(*) AS many FROM waitlist
            WHERE hall_id = $1 AND day BETWEEN $2 AND $3 AND state IN ('waiting', 'over')
            GROUP BY line_id, day
        ), without AS (
            SELECT line_id, day, count(*) AS many FROM ticket t
            WHERE hall_id = $1 AND day >= $2 AND day < $4
              AND NOT EXISTS (SELECT 1 FROM appointment a WHERE a.ticket_id = t.id OFFSET 0)
            GROUP BY line_id, day
        )
        SELECT line_id, day, planned.serves, coalesce(booked.many, 0) AS booked,
               coalesce(unmet.many, 0) AS unmet,
               CASE WHEN day < $4 THEN coalesce(without.many, 0) ELSE planned.usual END AS walk_ins
        FROM planned LEFT JOIN booked USING (line_id, day) LEFT JOIN unmet USING (line_id, day)
        LEFT JOIN without USING (line_id, day)
        ORDER BY line_id, day
        """,
        hall_id,
        first,
        last,
        today,
    )
