"""The day's end: whoever is still there gets an outcome, never limbo.

Each event's `detail` says what ended it, for the notices that follow: `day_over`, the day is past;
`counters_closed`, the hall is closed and so are its counters; `after_close`, the hall is closed and
the time is up that its clerks have to empty the room.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from models import decisions, standing
from models.database import Transaction, rows
from models.history import Happened
from models.tickets import OPEN_STATES, SYSTEM, Move, TicketState, after
from scheduler.calendar import business_day
from scheduler.closing import is_over
from server.clock import microseconds
from server.halls.directory import Directory, HallEntry
from server.live.feed import Feed
from server.live.memory import Change

# Who is served when the day is called off is still served: the clerk finishes her.
_NOT_BEGUN = (TicketState.WAITING, TicketState.CALLED, TicketState.PARKED)


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
        async with decisions.deciding_in(hall["id"]) as tx:
            past = await standing.hold_open(tx, hall["id"], today - timedelta(days=1), *OPEN_STATES)
            changes = await _lapse(tx, hall["code"], past, why="day_over", now=now)
            # After their tickets, as by hand: a counter with somebody at it is not closed.
            await tx.run(
                """
                UPDATE counter SET state = 'closed', serving = skills, pause_reason = NULL,
                    paused_until = NULL, staffed_by = NULL, staffed_since = NULL
                WHERE hall_id = $1 AND state <> 'closed' AND opened_on < $2
                """,
                hall["id"],
                today,
            )
        await feed.changed(Change(hall["code"]), *changes)
        ended += len(changes)
    return ended


async def lapse_after_closing(*, now: datetime, directory: Directory, feed: Feed) -> int:
    """End this day's tickets where nobody will be served any more; answers how many there were.

    Who is being served stays with her clerk, until the day itself is over.
    """
    found = await rows(
        """
        SELECT code FROM hall WHERE EXISTS (
            SELECT 1 FROM ticket t WHERE t.hall_id = hall.id AND t.ended_at IS NULL
            AND t.state = ANY($1) OFFSET 0)
        """,
        list(_NOT_BEGUN),
    )
    known = (directory.halls.get(row["code"]) for row in found)
    ended = 0
    for hall in known:
        # Most halls are open: those are not locked.
        if hall and is_over(hall.timetable, now, staffed=False, rules=hall.rules):
            changes = await _lapse_today(hall, now)
            if changes:  # told at once: a fault in the next hall takes no word from this one
                await feed.changed(*changes)
            ended += len(changes)
    return ended


async def _lapse_today(hall: HallEntry, now: datetime) -> list[Change]:
    async with decisions.deciding_in(hall.id) as tx:
        open_counter = await tx.row(
            "SELECT 1 FROM counter WHERE hall_id = $1 AND state <> 'closed' LIMIT 1", hall.id
        )
        staffed = open_counter is not None
        if not is_over(hall.timetable, now, staffed=staffed, rules=hall.rules):
            return []
        left = await standing.hold_open(tx, hall.id, business_day(now), *_NOT_BEGUN)
        why = "after_close" if staffed else "counters_closed"
        return await _lapse(tx, hall.code, left, why=why, now=now)


async def _lapse(
    tx: Transaction, hall: str, ending: Sequence[standing.Held], *, why: str, now: datetime
) -> list[Change]:
    made = [
        (
            held,
            Happened(
                Move.LAPSE, after(held.now.state, Move.LAPSE), now, held.now.hall_id, detail=why
            ),
        )
        for held in ending
    ]
    versions = await standing.make_all(tx, made, version=microseconds(), actor=SYSTEM)
    return [Change(hall, ticket_id, version) for ticket_id, version in versions.items()]
