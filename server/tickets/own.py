"""A citizen's own ticket."""

from uuid import UUID

from models import decisions
from models.database import Transaction
from models.decisions import Own
from server.auth import Principal
from server.errors import NotFound


async def own_ticket(ticket_id: UUID, who: Principal, tx: Transaction | None = None) -> Own:
    """A ticket that is for her, or that she took. Raises NotFound for any other.

    Her token may not know yet that her account was joined into another.
    """
    found = await decisions.own(ticket_id, who.id, tx=tx)
    if found is None:
        raise NotFound
    return found
