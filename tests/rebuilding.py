"""Tickets rebuilt from their events, to see that the events tell all."""

from itertools import groupby
from typing import Any
from uuid import UUID

from models.database import rows
from models.history import replay
from models.standing import happened, standing
from models.tickets import OPEN_STATES, TRANSITIONS, Move, TicketState

_THOSE = "SELECT DISTINCT ticket_id FROM ticket_event WHERE $1::uuid IS NULL OR hall_id = $1"


async def not_told(hall_id: UUID | None = None) -> list[str]:
    """Tickets that had anything to do with a hall, or all, whose row is not what their events say.

    Rows that were never issued (some tests write them as a past) have nothing to tell.
    """
    tickets = {
        row["id"]: row
        for row in await rows(f"SELECT * FROM ticket WHERE id IN ({_THOSE})", hall_id)
    }
    events = await rows(
        f"SELECT * FROM ticket_event WHERE ticket_id IN ({_THOSE}) ORDER BY ticket_id, id", hall_id
    )
    wrong = []
    for ticket_id, of_ticket in groupby(events, lambda row: row["ticket_id"]):
        told = list(of_ticket)
        if ticket_id not in tickets or told[0]["move"] != "issue":
            continue
        row = tickets[ticket_id]
        if replay(map(happened, told)) != standing(row):
            wrong.append(f"{row['number']}: {[one['move'] for one in told]} but {dict(row)}")
        wrong.extend(_impossible(told))
    return wrong


def _impossible(events: list[Any]) -> list[str]:
    """Steps that no line of the state machine allows."""
    wrong = []
    before: TicketState | None = None
    for event in events:
        move, state = Move(event["move"]), TicketState(event["state"])
        if move is Move.UNDO:
            assert event["undoes"]
        elif before is None:
            assert state in OPEN_STATES
        elif TRANSITIONS.get((before, move)) is not state:
            wrong.append(f"{move} from {before} to {state}")
        before = state
    return wrong
