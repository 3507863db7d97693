"""Whether a line gives out numbers today, whatever the time that is left."""

from datetime import datetime

from models import decisions
from models.audit import Entry, record
from models.halls import Issuing
from models.tickets import Actor
from scheduler.calendar import business_day
from server.auth import Principal
from server.errors import FieldFault, InvalidRequest
from server.halls.directory import HallEntry, LineEntry
from server.lines.looking import one_line
from server.lines.views import LineView
from server.live.feed import Feed
from server.live.memory import Change

_LATER_TODAY = ("应是今天稍后的时刻。", "must be a moment later today")
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
    today = business_day(now)
    if until is not None:
        if mode is Issuing.AUTO:
            raise InvalidRequest(errors=[FieldFault("/until", _NO_END)])
        if until.tzinfo is None or until <= now or business_day(until) != today:
            raise InvalidRequest(errors=[FieldFault("/until", _LATER_TODAY)])
    async with decisions.deciding_in(hall.id) as tx:
        await tx.run(
            "UPDATE line SET issuing = $2, issuing_on = $3, issuing_until = $4 WHERE id = $1",
            line.id,
            mode.value,
            today,
            until,
        )
        view = await one_line(tx, line.id, now=now)
        detail = {"mode": mode.value, "until": until.isoformat() if until else None}
        actor = Actor("staff", who.id)
        await record(tx, Entry(actor, "line.issuing_set", "line", line.id, detail=detail))
    await feed.changed(Change(hall.code))
    return view
