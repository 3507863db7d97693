"""Emergency calls raised, acknowledged and looked at."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from models import decisions
from models.audit import Entry, record
from models.database import Transaction, rows
from models.halls import CounterState
from models.tickets import Actor, WrongState
from server.alerts.views import AlertView
from server.auth import Principal
from server.counters.attending import At
from server.counters.opening import hold, pause
from server.errors import NotFound
from server.halls.directory import HallEntry
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import shown

# All that the public board says of it.
PAUSED_BY_ALERT: Final = "暂停服务"
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


async def raise_alert(at: At, note: str | None, *, and_pause: bool, feed: Feed) -> AlertView:
    """Call the hall's managers to a counter, whatever state it is in. Raises NotFound.

    While nobody has acknowledged its last call it is that one again, with the newer note.
    """
    async with decisions.deciding_in(at.hall.id) as tx:
        counter = await hold(tx, at)
        row = await tx.row(
            """
            INSERT INTO alert (id, hall_id, counter_id, note, raised_at, raised_by, calls)
            VALUES ($1, $2, $3, $4, $5, $6, 1)
            ON CONFLICT (counter_id) WHERE acknowledged_at IS NULL
            DO UPDATE SET calls = alert.calls + 1, note = coalesce(excluded.note, alert.note)
            RETURNING id
            """,
            uuid7(),
            at.hall.id,
            counter.id,
            note,
            at.now,
            at.who.id,
        )
        assert row is not None, "it is inserted, or it is there"
        if and_pause and counter.state is CounterState.OPEN:
            await pause(tx, counter.id, PAUSED_BY_ALERT)
        view = await _one(tx, row["id"])
        await _record(tx, "alert.raised", view, at.hall, at.who)
    # Managers first: the board can wait.
    await feed.alerted(at.hall.code)
    if and_pause:
        await feed.changed(Change(at.hall.code))
    return view


async def acknowledge(
    hall: HallEntry, alert_id: UUID, who: Principal, *, now: datetime, feed: Feed
) -> AlertView:
    """Say that somebody sees to it. Raises NotFound, or WrongState when somebody has already."""
    async with decisions.deciding_in(hall.id) as tx:
        row = await tx.row(
            "SELECT acknowledged_at FROM alert WHERE id = $1 AND hall_id = $2 FOR UPDATE",
            alert_id,
            hall.id,
        )
        if row is None:
            raise NotFound
        if row["acknowledged_at"] is not None:
            raise WrongState("it is acknowledged")
        await tx.run(
            "UPDATE alert SET acknowledged_at = $2, acknowledged_by = $3 WHERE id = $1",
            alert_id,
            now,
            who.id,
        )
        view = await _one(tx, alert_id)
        await _record(tx, "alert.acknowledged", view, hall, who)
    await feed.alerted(hall.code)
    return view


async def page_of_alerts(
    hall: HallEntry, *, everything: bool, before: UUID | None, limit: int
) -> list[AlertView]:
    """A hall's calls, newest first: those that nobody has acknowledged, or all."""
    return [view_of(row) for row in await rows(_PAGE, hall.id, everything, before, limit)]


async def open_alerts(halls: list[str]) -> Mapping[str, list[AlertView]]:
    """What nobody has acknowledged in these halls, newest first."""
    found: dict[str, list[AlertView]] = {hall: [] for hall in halls}
    for row in await rows(_OPEN, halls):
        found[row["hall"]].append(view_of(row))
    return found


def view_of(row: Any) -> AlertView:
    """A call as staff see it."""
    acknowledged_at = row["acknowledged_at"]
    return AlertView(
        id=row["id"],
        counter=row["counter"],
        note=row["note"],
        raised_at=shown(row["raised_at"]),
        raised_by=row["raised_by_name"],
        calls=row["calls"],
        acknowledged_at=shown(acknowledged_at) if acknowledged_at else None,
        acknowledged_by=row["acknowledged_by_name"],
    )


async def _one(tx: Transaction, alert_id: UUID) -> AlertView:
    row = await tx.row(_ONE, alert_id)
    assert row is not None, "it was there a moment ago"
    return view_of(row)


async def _record(
    tx: Transaction, action: str, alert: AlertView, hall: HallEntry, who: Principal
) -> None:
    detail = {"hall": hall.code, "counter": alert.counter}
    actor = Actor("staff", who.id)
    await record(tx, Entry(actor, action, "alert", alert.id, detail=detail))
