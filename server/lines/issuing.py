"""Whether a line gives out numbers today, whatever the time that is left."""

from datetime import datetime

from models import decisions
from models.halls import Issuing
from scheduler.calendar import business_day
from server.auth import Principal
from server.errors import FieldFault, InvalidRequest
from server.halls.directory import HallEntry, LineEntry
from server.lines.changing import changed, check_later_today
from server.lines.views import LineView
from server.live.feed import Feed
from server.live.memory import Change

_NO_END = ("自动模式没有截止时刻。", "`auto` has no end")


async def set_issuing(
    hall: HallEntry,
    line: LineEntry,
    mode: Issuing,
    until: datetime | None,
    who: Principal,
    *,
    now: datetime,
    feed: Feed,
) -> LineView:
    """Decide for the rest of this day, or until a moment of it. Raises InvalidRequest."""
    if until is not None:
        if mode is Issuing.AUTO:
            raise InvalidRequest(errors=[FieldFault("/until", _NO_END)])
        check_later_today(until, now)
    async with decisions.deciding_in(hall.id) as tx:
        await tx.run(
            "UPDATE line SET issuing = $2, issuing_on = $3, issuing_until = $4 WHERE id = $1",
            line.id,
            mode.value,
            business_day(now),
            until,
        )
        detail = {"mode": mode.value, "until": until.isoformat() if until else None}
        view = await changed(tx, hall, line, who, "line.issuing_set", now=now, detail=detail)
    await feed.changed(Change(hall.code))
    return view
