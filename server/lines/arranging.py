"""A line paused, limited, and helped out by other counters for a while."""

from collections.abc import Collection
from datetime import datetime

from msgspec import UNSET

from models import decisions, outages
from models.database import Transaction
from models.halls import LineState
from models.tickets import WrongState
from scheduler.calendar import end_of_day
from server.auth import Principal
from server.errors import FieldFault, InvalidRequest
from server.halls.directory import HallEntry, LineEntry
from server.lines.changing import changed, check_later_today
from server.lines.looking import one_line
from server.lines.views import LineView, OpenOverflow, PauseLine, SetLimits
from server.live.feed import Feed
from server.live.memory import Change

_NO_OVERFLOW = ("没有开放的支援窗口", "no other counter helps it out")
_NO_COUNTER = ("该大厅没有这个窗口。", "there is no such counter in this hall")


async def pause(
    hall: HallEntry,
    line: LineEntry,
    why: PauseLine,
    who: Principal,
    *,
    now: datetime,
    feed: Feed,
) -> LineView:
    """Let an open line give out no numbers; those who wait are called as before.

    Raises WrongState for one that is not open.
    """
    async with decisions.deciding_in(hall.id) as tx:
        before = await one_line(tx, line.id, now=now)
        if before.state is not LineState.OPEN:
            raise WrongState("the line is not open", before.state)
        await tx.run(
            "UPDATE line SET state = 'paused', reason = $2, reason_en = $3 WHERE id = $1",
            line.id,
            why.reason,
            why.reason_en,
        )
        await outages.line_closes(tx, hall.id, line.id, now)
        view = await changed(tx, hall, line, who, "line.paused", now=now)
    await feed.changed(Change(hall.code))
    return view


async def set_limits(
    hall: HallEntry,
    line: LineEntry,
    limits: SetLimits,
    who: Principal,
    *,
    now: datetime,
    feed: Feed,
) -> LineView:
    """Set how many may wait in a line, and after how long counters that help it call as its own."""
    given = {
        name: value
        for name in ("waiting_limit", "help_after_min")
        if (value := getattr(limits, name)) is not UNSET
    }
    async with decisions.deciding_in(hall.id) as tx:
        before = await one_line(tx, line.id, now=now)
        await tx.run(
            "UPDATE line SET waiting_limit = $2, help_after_min = $3 WHERE id = $1",
            line.id,
            given.get("waiting_limit", before.waiting_limit),
            given.get("help_after_min", before.help_after_min),
        )
        view = await changed(tx, hall, line, who, "line.limits_set", now=now, detail=given)
    await feed.changed(Change(hall.code))
    return view


async def open_overflow(
    hall: HallEntry,
    line: LineEntry,
    wanted: OpenOverflow,
    who: Principal,
    *,
    now: datetime,
    feed: Feed,
) -> LineView:
    """Let counters serve a line like one of their own, until a moment of today or its end.

    They need no skill for it. It takes the place of what was open for the line. Raises
    InvalidRequest.
    """
    until = wanted.until or end_of_day(now)
    check_later_today(until, now)
    counters = sorted(set(wanted.counters))
    async with decisions.deciding_in(hall.id) as tx:
        await _check_counters(tx, hall, wanted.counters)
        await _set_overflow(tx, line, counters, until)
        detail = {"counters": counters, "until": until.isoformat()}
        view = await changed(tx, hall, line, who, "line.overflow_opened", now=now, detail=detail)
    await feed.changed(Change(hall.code))
    return view


async def end_overflow(
    hall: HallEntry, line: LineEntry, who: Principal, *, now: datetime, feed: Feed
) -> LineView:
    """Let nobody else serve the line any more. Raises WrongState where nobody does."""
    async with decisions.deciding_in(hall.id) as tx:
        before = await one_line(tx, line.id, now=now)
        if not before.overflow:
            raise WrongState("no overflow is open", before.state, told=_NO_OVERFLOW)
        await _set_overflow(tx, line, [], None)
        view = await changed(tx, hall, line, who, "line.overflow_ended", now=now)
    await feed.changed(Change(hall.code))
    return view


async def _set_overflow(
    tx: Transaction, line: LineEntry, counters: list[str], until: datetime | None
) -> None:
    await tx.run(
        "UPDATE line SET overflow = $2, overflow_until = $3 WHERE id = $1",
        line.id,
        counters,
        until,
    )


async def _check_counters(tx: Transaction, hall: HallEntry, codes: Collection[str]) -> None:
    """Raise InvalidRequest for counters that the hall has not."""
    found = await tx.rows("SELECT code FROM counter WHERE hall_id = $1", hall.id)
    known = {row["code"] for row in found}
    faults = [
        FieldFault(f"/counters/{nth}", _NO_COUNTER)
        for nth, code in enumerate(codes)
        if code not in known
    ]
    if faults:
        raise InvalidRequest(errors=faults)
