"""Tickets rebuilt from their events, to see that the events tell all; visits that hold together."""

from uuid import UUID

from models.agreeing import BROKEN
from models.database import transaction
from models.faults import faults_of_ticket
from models.verifying import SNAPSHOT, Scope, with_events

# Tests turn the clock back between them.
_NO_MATTER = "back_in_time"


async def not_told(hall_id: UUID | None = None) -> list[str]:
    """Tickets that had anything to do with a hall, or all, whose row is not what their events say.

    Whoever writes a past in a test writes its events, too, or takes it away again.
    """
    wrong = []
    async with transaction(SNAPSHOT) as tx:
        async for ticket, events in with_events(tx, Scope(hall_id)):
            moves = [event["move"] for event in events]
            wrong += [
                f"{ticket['number']} {moves}: {kind} {detail}"
                for kind, detail in faults_of_ticket(ticket, events)
                if kind != _NO_MATTER
            ]
    return wrong


async def ill_visits() -> list[str]:
    """Visits whose stops do not fit each other, or their tickets.

    Tests take away what was in a hall, so nothing is asked of tickets that are not there.
    """
    asked = {"stop_of_another", "two_stops_at_once", "visit_end", "stop_turns"}
    async with transaction(SNAPSHOT) as tx:
        return [
            f"{kind}: {row['what']} {row['detail']}"
            for kind, sql in BROKEN
            if kind in asked
            for row in await tx.rows(sql, None, None)
        ]
