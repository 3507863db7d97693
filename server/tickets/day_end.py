"""The day's end: what is still open from an earlier day gets an outcome, never limbo."""

from datetime import datetime
from uuid import UUID

from models import decisions, steps
from models.database import rows
from models.steps import Step
from models.tickets import SYSTEM, Move, TicketState
from scheduler.calendar import business_day
from server.clock import microseconds
from server.live.feed import Feed
from server.live.memory import Change


async def lapse_past_days(*, now: datetime, feed: Feed) -> int:
    """End tickets and close counters of earlier days; answers how many tickets there were."""
    today = business_day(now)
    halls = await rows(
        """
        SELECT id, code FROM hall WHERE EXISTS (
            SELECT 1 FROM ticket t WHERE t.hall_id = hall.id AND t.ended_at IS NULL AND t.day < $1
            OFFSET 0)
        OR EXISTS (
            SELECT 1 FROM counter c WHERE c.hall_id = hall.id AND c.state <> 'closed'
            AND c.opened_on < $1 OFFSET 0)
        """,
        today,
    )
    ended = 0
    for hall in halls:
        changes = await _lapse_in(hall["id"], hall["code"], now=now)
        await feed.changed(Change(hall["code"]), *changes)
        ended += len(changes)
    return ended


async def _lapse_in(hall_id: UUID, code: str, *, now: datetime) -> list[Change]:
    changes = []
    async with decisions.deciding_in(hall_id) as tx:
        found = await tx.rows(
            """
            SELECT id, state FROM ticket
            WHERE hall_id = $1 AND ended_at IS NULL AND day < $2
            """,
            hall_id,
            business_day(now),
        )
        for row in found:
            step = Step(
                hall_id=hall_id,
                move=Move.LAPSE,
                before=TicketState(row["state"]),
                at=now,
                version=microseconds(),
                actor=SYSTEM,
            )
            if lapsed := await steps.make(row["id"], step, tx=tx):
                changes.append(Change(code, lapsed["id"], lapsed["version"]))
        # After their tickets, as by hand: a counter with somebody at it is not closed.
        await tx.run(
            """
            UPDATE counter SET state = 'closed', serving = skills, pause_reason = NULL
            WHERE hall_id = $1 AND state <> 'closed' AND opened_on < $2
            """,
            hall_id,
            business_day(now),
        )
    return changes
