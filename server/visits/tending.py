"""Visits that have no open number are looked after: none is nowhere for longer than a moment.

A visit goes on in the transaction in which a stop ends. What ends a stop otherwise (the day's end,
accounts that are joined) and a line that was paused when she would have joined it leave it here.
"""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog

from models import visit_steps, visiting
from models.database import Transaction, rows
from models.halls import ISSUING_STOPPED
from models.tickets import SYSTEM
from models.visits import VisitState
from scheduler.calendar import business_day
from server.again import until_done
from server.faults import is_store_fault
from server.halls.directory import Directory
from server.live.feed import Feed
from server.live.memory import Change
from server.visits.going_on import Doing, go_on

log = structlog.get_logger()

TEND_EVERY_S = 2.0

# Whoever was missed may still come back: her visit waits for her while the day lasts. And nothing
# is to be done for whom no line takes: she waits until one that she may go to is open.
_RESTING = """
    SELECT v.id, v.day, last.lapsed FROM visit v
    LEFT JOIN LATERAL (
        SELECT s.left_out, t.state, t.lapsed, t.hall_id
        FROM visit_stop s JOIN ticket t ON t.id = s.ticket_id
        WHERE s.visit_id = v.id AND s.turn IS NOT NULL ORDER BY s.turn DESC LIMIT 1
    ) last ON true
    CROSS JOIN LATERAL (SELECT coalesce(last.hall_id, v.hall_id) AS hall_id) here
    WHERE v.ended_at IS NULL AND {which}
      AND (v.day < $1 OR last.lapsed OR last.state <> 'missed' OR last.left_out IS NOT NULL)
      AND NOT EXISTS (
        SELECT 1 FROM visit_stop s JOIN ticket t ON t.id = s.ticket_id
        WHERE s.visit_id = v.id AND t.ended_at IS NULL OFFSET 0)
      AND (v.day < $1 OR last.lapsed OR EXISTS (
            SELECT 1 FROM visit_stop s
            LEFT JOIN offering o ON o.item_id = s.item_id AND o.hall_id = here.hall_id
            LEFT JOIN line ON line.id = o.line_id
            WHERE s.visit_id = v.id AND {pending}
              AND (line.id IS NULL OR line.state = 'open' AND NOT {stopped})
              AND NOT EXISTS (
                SELECT 1 FROM visit_stop before WHERE before.visit_id = v.id
                AND before.item_id = ANY(s.after)
                AND before.ticket_id IS NULL AND before.left_out IS NULL))
        OR NOT EXISTS (SELECT 1 FROM visit_stop s WHERE s.visit_id = v.id AND {pending}))
""".replace("{stopped}", ISSUING_STOPPED.format(now="$2::timestamptz")).replace(
    "{pending}", "s.ticket_id IS NULL AND s.left_out IS NULL"
)
_IN_HALLS = _RESTING.replace("{which}", "here.hall_id = ANY($3::uuid[])")
_ONE = _RESTING.replace("{which}", "v.id = $3")


async def tend_visits(
    halls: Collection[str], *, now: datetime, directory: Directory, feed: Feed
) -> int:
    """Let visits in these halls that have no open number go on, or end; how many did either.

    Those that nobody takes yet cost nothing but a share of one statement.
    """
    moved, held = 0, [directory.hall(code).id for code in halls]
    for found in await rows(_IN_HALLS, business_day(now), now, held):
        work = partial(_tend, visit_id=found["id"], now=now, directory=directory)
        try:
            changes = await until_done(work)
        except Exception as fault:
            if is_store_fault(fault):
                raise
            # One that cannot go on keeps no other from doing so; it is tried again.
            log.error("visit_not_tended", visit=str(found["id"]), fault=type(fault).__name__)
            continue
        if changes is not None:
            moved += 1
            await feed.changed(*changes)
    return moved


async def _tend(
    tx: Transaction, *, visit_id: UUID, now: datetime, directory: Directory
) -> list[Change] | None:
    """What a visit's going on changed in the halls; None when it stays where it is."""
    locked = await visiting.lock_halls(tx, visit_id, None)
    await visiting.hold_people(tx, visit_id)
    visit = await visiting.hold(tx, visit_id)
    # Somebody may have come between the look and the locks.
    still = await tx.row(_ONE, business_day(now), now, visit_id)
    if visit is None or still is None:
        return None
    if still["lapsed"] or visit.day < business_day(now):
        await visit_steps.end(tx, visit_id, VisitState.DAY_ENDED, now)
        return []
    hall = directory.hall_by_id(visit.is_at)
    if hall.id not in locked:
        return None
    given = await go_on(tx, visit, Doing(SYSTEM, now, hall, directory))
    if given:
        return given
    over = await visiting.hold(tx, visit_id)
    return [] if over is not None and over.state is not VisitState.OPEN else None
