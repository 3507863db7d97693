"""Emergency calls as staff see them."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from models.database import Transaction, rows
from server.alerts.views import AlertView
from server.halls.directory import HallEntry
from server.live.reading import shown

_LOOK: Final = """
    SELECT alert.*, counter.code AS counter, clerk.name AS raised_by_name,
           manager.name AS acknowledged_by_name, hall.code AS hall
    FROM alert
    JOIN hall ON hall.id = alert.hall_id
    JOIN counter ON counter.id = alert.counter_id
    LEFT JOIN staff clerk ON clerk.id = alert.raised_by
    LEFT JOIN staff manager ON manager.id = alert.acknowledged_by
"""
_ONE: Final = _LOOK + " WHERE alert.id = $1"
_PAGE: Final = (
    _LOOK
    + """
    WHERE alert.hall_id = $1 AND ($2 OR alert.acknowledged_at IS NULL)
      AND ($3::uuid IS NULL OR alert.id < $3)
    ORDER BY alert.id DESC LIMIT $4
    """
)
_OPEN: Final = (
    _LOOK
    + """
    WHERE hall.code = ANY($1) AND alert.acknowledged_at IS NULL ORDER BY alert.id DESC
    """
)


async def page_of_alerts(
    hall: HallEntry, *, everything: bool, before: UUID | None, limit: int
) -> list[AlertView]:
    """A hall's calls, newest first: those that nobody has acknowledged, or all."""
    return [_view(row) for row in await rows(_PAGE, hall.id, everything, before, limit)]


async def open_alerts(halls: list[str]) -> Mapping[str, list[AlertView]]:
    """What nobody has acknowledged in these halls, newest first."""
    found: dict[str, list[AlertView]] = {hall: [] for hall in halls}
    for row in await rows(_OPEN, halls):
        found[row["hall"]].append(_view(row))
    return found


def _view(row: Any) -> AlertView:
    acknowledged_at = row["acknowledged_at"]
    return AlertView(
        id=row["id"],
        counter=row["counter"],
        note=row["note"],
        later_notes=list(row["later_notes"]),
        raised_at=shown(row["raised_at"]),
        raised_by=row["raised_by_name"],
        calls=row["calls"],
        acknowledged_at=shown(acknowledged_at) if acknowledged_at else None,
        acknowledged_by=row["acknowledged_by_name"],
    )


async def one_alert(tx: Transaction, alert_id: UUID) -> AlertView:
    """A call as this transaction leaves it."""
    row = await tx.row(_ONE, alert_id)
    assert row is not None, "it was there a moment ago"
    return _view(row)
