"""What a hall holds of a fee goes with her next number for the same item there: she pays once.

Only a fee that nobody has given back any of, and that is still what the item costs; anything else
is for staff. Whose money it is does not change: her own number, or one for the same person.
"""

from typing import Final
from uuid import UUID

from models import bills
from models.collecting import COLLECTS
from models.database import Transaction, rows

# A bill that is held beside an open number that it would do for, and that has no bill of its own.
_FITS: Final = """
    SELECT b.id AS bill_id, t.id AS ticket_id, i.code AS item
    FROM bill b JOIN pay_order o ON o.id = b.settled_by AND o.state = 'paid'
    JOIN item i ON i.id = b.item_id AND i.fee_fen = b.amount_fen
    JOIN ticket t ON t.hall_id = b.hall_id AND t.item_id = b.item_id AND t.ended_at IS NULL
        AND (t.citizen_id = b.citizen_id OR t.person_key = b.person_key)
    WHERE b.abandoned = 'held' AND b.source = 'ticket' AND NOT EXISTS (
        SELECT 1 FROM bill other WHERE other.ticket_id = t.id AND other.source = 'ticket')
"""


async def due(most: int) -> list[tuple[UUID, UUID]]:
    """Bills that are held, each with a number that it would go with."""
    found = await rows(f"{_FITS} ORDER BY b.id LIMIT $1", most)
    return [(row["bill_id"], row["ticket_id"]) for row in found]


async def held_for(tx: Transaction, ticket_id: UUID) -> UUID | None:
    """A bill that is held and would do for this number; the oldest of several."""
    row = await tx.row(f"{_FITS} AND t.id = $1 ORDER BY b.id LIMIT 1", ticket_id)
    return row and row["bill_id"]


async def carry(tx: Transaction, bill_id: UUID, ticket_id: UUID) -> bool:
    """Make a bill that is held this number's; False where either has changed meanwhile.

    Where the hall has a line for who has paid, she is sent on to it as if she had just paid.
    """
    await bills.lock(tx, bill_id)
    # Of two bills for one number the later waits here, and then finds that there is one.
    await tx.run("SELECT 1 FROM ticket WHERE id = $1 FOR NO KEY UPDATE", ticket_id)
    found = await tx.row(f"{_FITS} AND b.id = $1 AND t.id = $2", bill_id, ticket_id)
    if found is None:
        return False
    await tx.run(
        "UPDATE bill SET ticket_id = $2, source_key = $3, abandoned = NULL, abandoned_at = NULL"
        " WHERE id = $1",
        bill_id,
        ticket_id,
        bills.key_of_ticket(ticket_id, found["item"]),
    )
    await tx.run(f"UPDATE bill SET collects = {COLLECTS} WHERE id = $1", bill_id)
    return True
