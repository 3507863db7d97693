"""Emergency calls raised and acknowledged."""

from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from models import decisions
from models.audit import Entry, record
from models.database import Transaction
from models.halls import CounterState
from models.tickets import Actor, WrongState
from server.alerts.looking import one_alert
from server.alerts.refusals import CounterClosed
from server.alerts.views import AlertView
from server.auth import Principal
from server.counters.at import At
from server.counters.opening import hold, pause
from server.errors import NotFound
from server.halls.directory import HallEntry
from server.live.feed import Feed
from server.live.memory import Change

# All that the public board says of it.
PAUSED_BY_ALERT: Final = "暂停服务"
# The newest of what is said when it calls again and again.
LATER_NOTES_KEPT: Final = 20
_ACKNOWLEDGED: Final = ("该呼叫已有人确认", "somebody has acknowledged it")


async def raise_alert(at: At, note: str | None, *, and_pause: bool, feed: Feed) -> AlertView:
    """Call the hall's managers to a counter, whoever staffs it. Raises NotFound or CounterClosed.

    While nobody has acknowledged its last call it is that one again, and the note is added to it.
    """
    async with decisions.deciding_in(at.hall.id) as tx:
        counter = await hold(tx, at)
        if counter.state is CounterState.CLOSED:
            raise CounterClosed
        row = await tx.row(
            """
            INSERT INTO alert (id, hall_id, counter_id, note, raised_at, raised_by, calls)
            VALUES ($1, $2, $3, $4, $5, $6, 1)
            ON CONFLICT (counter_id) WHERE acknowledged_at IS NULL
            DO UPDATE SET calls = alert.calls + 1, note = coalesce(alert.note, excluded.note),
                later_notes = CASE WHEN alert.note IS NULL OR excluded.note IS NULL
                    THEN alert.later_notes
                    ELSE (alert.later_notes || excluded.note::text)
                         [greatest(1, cardinality(alert.later_notes) + 2 - $7):] END
            RETURNING id
            """,
            uuid7(),
            at.hall.id,
            counter.id,
            note,
            at.now,
            at.who.id,
            LATER_NOTES_KEPT,
        )
        assert row is not None, "it is inserted, or it is there"
        if and_pause and counter.state is CounterState.OPEN:
            await pause(tx, counter.id, PAUSED_BY_ALERT)
        view = await one_alert(tx, row["id"])
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
            raise WrongState("it is acknowledged", told=_ACKNOWLEDGED)
        await tx.run(
            "UPDATE alert SET acknowledged_at = $2, acknowledged_by = $3 WHERE id = $1",
            alert_id,
            now,
            who.id,
        )
        view = await one_alert(tx, alert_id)
        await _record(tx, "alert.acknowledged", view, hall, who)
    await feed.alerted(hall.code)
    return view


async def _record(
    tx: Transaction, action: str, alert: AlertView, hall: HallEntry, who: Principal
) -> None:
    detail = {"hall": hall.code, "counter": alert.counter}
    actor = Actor("staff", who.id)
    await record(tx, Entry(actor, action, "alert", alert.id, detail=detail))
