"""Whoever has paid waits in another line, where her hall has one for it: only to collect.

Settling marks the bill (`models.settling`), so that nobody looks through all that are paid; a
worker sends her number on, with her rank time, and takes the mark away.
"""

import json
from datetime import datetime
from typing import Final
from uuid import UUID

from models import notices, standing
from models.database import Transaction, rows
from models.history import Happened
from models.notice_kinds import NoticeKind
from models.numbers import next_number
from models.standing import Held
from models.tickets import SYSTEM, Move, TicketState, after
from scheduler.calendar import business_day

# SQL: whether a bill that is settled now is for a number whose hall has a line for who has paid.
COLLECTS: Final = """(bill.source = 'ticket' AND EXISTS (
    SELECT 1 FROM ticket t JOIN offering o ON o.hall_id = t.hall_id AND o.item_id = t.item_id
    WHERE t.id = bill.ticket_id AND o.paid_line_id IS NOT NULL))"""
_WORDS: Final = "已缴费 | Paid"


async def due(most: int) -> list[tuple[UUID, UUID, UUID, str]]:
    """Bills that are marked, each with its number's id and its hall's id and code."""
    found = await rows(
        """
        SELECT b.id, b.ticket_id, t.hall_id, h.code
        FROM bill b JOIN ticket t ON t.id = b.ticket_id JOIN hall h ON h.id = t.hall_id
        WHERE b.collects ORDER BY b.ended_at LIMIT $1
        """,
        most,
    )
    return [tuple(row) for row in found]


async def send_on(
    tx: Transaction,
    bill_id: UUID,
    ticket_id: UUID,
    hall: tuple[UUID, str],
    *,
    now: datetime,
    version: int,
) -> int | None:
    """Send her number on; its version then, or None where it stays as it is.

    The transaction holds the hall. Whoever does not wait any more, has gone to another hall, or
    whose line of those who have paid is not open, stays where she is: nothing is asked of her.
    """
    await tx.run("UPDATE bill SET collects = false WHERE id = $1", bill_id)
    held = await standing.hold(tx, ticket_id)
    hall_id, code = hall
    if (
        held is None
        or held.now.state is not TicketState.WAITING
        or held.now.hall_id != hall_id
        or held.day != business_day(now)
    ):
        return None
    offered = await tx.row(
        "SELECT paid_line_id FROM offering WHERE hall_id = $1 AND item_id = $2",
        hall_id,
        held.item_id,
    )
    line_id = offered and offered["paid_line_id"]
    if line_id is None or line_id == held.now.line_id:
        return None
    number = await next_number(tx, line_id, held.day, now)
    if number is None:
        return None
    event = Happened(
        Move.REROUTE,
        after(held.now.state, Move.REROUTE),
        now,
        hall_id,
        detail=f"{held.now.number}@{code} {_WORDS}",
        line_id=line_id,
        number=number,
        rank_time=held.now.rank_time,
    )
    versions = await standing.make_all(tx, [(held, event)], version=version, actor=SYSTEM)
    await _tell(tx, bill_id, held, event)
    return versions[ticket_id]


async def _tell(tx: Transaction, bill_id: UUID, held: Held, event: Happened) -> None:
    """Her new number, to whoever holds it and whoever took it for her."""
    facts = {"number": event.number, "item": str(held.item_id), "line": str(event.line_id)}
    whose = {held.citizen_id, held.acting_id} - {None}
    new = [
        notices.New(
            event_key=f"collects:{bill_id}",
            citizen_id=who,
            kind=NoticeKind.TICKET_SENT_ON,
            facts=json.dumps(facts),
            happened_at=event.at,
            ticket_id=held.id,
            hall_id=event.hall_id,
        )
        for who in whose
        if who is not None
    ]
    await notices.write(new, tx=tx)
