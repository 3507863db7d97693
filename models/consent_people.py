"""What joining accounts and leaving do to consents, and to all that stands on them."""

from typing import Final
from uuid import UUID

from models import certificates, consents, purpose_notices, topics, traits
from models.database import Transaction

_ANY: Final = """
    SELECT EXISTS (SELECT FROM consent WHERE citizen_id = $1)
        OR EXISTS (SELECT FROM certificate WHERE citizen_id = $1)
        OR EXISTS (SELECT FROM topic_follow WHERE citizen_id = $1)
        OR EXISTS (SELECT FROM matched WHERE citizen_id = $1) AS any
"""


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """Give a citizen's consents, certificates, topics, and what she was told, to another.

    Most who are joined have come a moment ago and have none: then it is one statement. What is
    known of her for rules is learned anew in the night.
    """
    row = await tx.row(_ANY, me)
    if row is None or not row["any"]:
        return
    for said in (consents, certificates, topics, purpose_notices):
        await said.move_to(tx, me, into)
    await traits.forget(tx, me)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Forget all of that."""
    for said in (consents, traits, certificates, topics, purpose_notices):
        await said.forget(tx, citizen_id)
