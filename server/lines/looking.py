"""A line as its manager sees it."""

from datetime import datetime
from uuid import UUID

from models.database import Transaction
from models.halls import Issuing, LineState
from scheduler.calendar import SHANGHAI, business_day
from server.errors import NotFound
from server.halls.directory import HallEntry, LineEntry
from server.lines.views import LineView


def line_of(hall: HallEntry, code: str) -> LineEntry:
    """A line of a hall by its code. Raises NotFound."""
    found = hall.lines.get(code)
    if found is None:
        raise NotFound(("该大厅没有这个队列。", "There is no such line in this hall."))
    return found


async def one_line(tx: Transaction, line_id: UUID, *, now: datetime) -> LineView:
    """A line as it stands in this transaction."""
    row = await tx.row("SELECT * FROM line WHERE id = $1", line_id)
    assert row is not None, "lines are never deleted"
    until = row["issuing_until"]
    holds = row["issuing_on"] == business_day(now) and (until is None or now < until)
    helped = row["overflow_until"] is not None and now < row["overflow_until"]
    return LineView(
        code=row["code"],
        name=row["name"],
        name_en=row["name_en"],
        state=LineState(row["state"]),
        reason=row["reason"],
        reason_en=row["reason_en"],
        issuing=Issuing(row["issuing"]) if holds else Issuing.AUTO,
        issuing_until=until.astimezone(SHANGHAI) if holds and until else None,
        waiting_limit=row["waiting_limit"],
        help_after_min=row["help_after_min"],
        overflow=list(row["overflow"]) if helped else [],
        overflow_until=row["overflow_until"].astimezone(SHANGHAI) if helped else None,
    )
