"""A citizen's own ticket."""

from typing import Final
from uuid import UUID

from models import decisions
from models.database import Transaction
from models.decisions import Own
from server.auth import Principal
from server.errors import NotFound

# What stands against something besides the state she is in.
MOVED_ON: Final = ("她已到其他大厅", "it has moved to another hall")
CHANGED_SINCE: Final = ("号票已有变动", "it has changed since")


async def own_ticket(ticket_id: UUID, who: Principal, tx: Transaction | None = None) -> Own:
    """A ticket that is for her, or that she took. Raises NotFound for any other.

    Her token may not know yet that her account was joined into another.
    """
    found = await decisions.own(ticket_id, who.id, tx=tx)
    if found is None:
        raise NotFound
    return found
