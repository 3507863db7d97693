"""Counters as staff see them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from models.database import Transaction, rows
from server.counters.views import CounterView
from server.live.reading import shown
from server.own_counter import no_counter

_COUNTERS = """
    SELECT c.code, c.name, c.state, c.skills, c.helps, c.serving, c.pause_reason,
           CASE WHEN c.state = 'paused' THEN c.paused_until END AS paused_until,
           c.skills_version, c.staffed_since, staff.name AS staffed_by, t.number,
           ARRAY(SELECT line.code FROM line
                 WHERE line.hall_id = c.hall_id AND c.code = ANY(line.overflow)
                   AND $2 < line.overflow_until ORDER BY line.code) AS overflow
    FROM counter c
    LEFT JOIN staff ON staff.id = c.staffed_by
    LEFT JOIN ticket t ON t.counter_id = c.id AND t.state IN ('called', 'serving')
    WHERE c.hall_id = $1 AND ($3::text IS NULL OR c.code = $3)
    ORDER BY c.code
"""


async def counters_of(hall_id: UUID, *, now: datetime) -> list[CounterView]:
    """All counters of a hall, by their codes."""
    return [_view(row) for row in await rows(_COUNTERS, hall_id, now, None)]


async def one_counter(tx: Transaction, hall_id: UUID, code: str, *, now: datetime) -> CounterView:
    """A counter as this transaction leaves it. Raises NotFound."""
    row = await tx.row(_COUNTERS, hall_id, now, code)
    if row is None:
        raise no_counter()
    return _view(row)


def _view(row: Any) -> CounterView:
    skills, helps = list(row["skills"]), list(row["helps"])
    since, until = row["staffed_since"], row["paused_until"]
    return CounterView(
        code=row["code"],
        name=row["name"],
        state=row["state"],
        skills=skills,
        serving=list(row["serving"]),
        pause_reason=row["pause_reason"],
        paused_until=shown(until) if until else None,
        own=[line for line in skills if line not in helps],
        helps=helps,
        overflow=list(row["overflow"]),
        number=row["number"],
        staffed_by=row["staffed_by"],
        staffed_since=shown(since) if since else None,
        version=row["skills_version"],
    )
