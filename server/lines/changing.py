"""What changes of a line have in common: until when they hold, and how they are told."""

from datetime import datetime
from typing import Any

from models.audit import Detail, Entry, record
from models.database import Transaction
from models.tickets import Actor
from scheduler.calendar import end_of_day
from server.auth import Principal
from server.errors import FieldFault, InvalidRequest
from server.halls.directory import HallEntry, LineEntry
from server.lines.looking import one_line
from server.lines.views import LineView

_LATER_TODAY = ("应是今天稍后的时刻，并带时区。", "must be a moment later today, with an offset")


def check_later_today(until: datetime, now: datetime) -> None:
    """Raise InvalidRequest for what is no moment after `now`, to the end of its day at most."""
    if until.tzinfo is None or not now < until <= end_of_day(now):
        raise InvalidRequest(errors=[FieldFault("/until", _LATER_TODAY)])


async def changed(
    tx: Transaction,
    hall: HallEntry,
    line: LineEntry,
    who: Principal,
    action: str,
    *,
    now: datetime,
    detail: Detail | None = None,
) -> LineView:
    """The line as it is now, and an entry in the audit log. Last before the commit."""
    view = await one_line(tx, line.id, now=now)
    told: dict[str, Any] = {"hall": hall.code, "line": line.code, **(detail or {})}
    await record(tx, Entry(Actor("staff", who.id), action, "line", line.id, detail=told))
    return view
