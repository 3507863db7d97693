"""What somebody has had done, as far as the city's halls know."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from models.booking import Whose
from models.database import Transaction, rows


async def done_by(tx: Transaction | None, her: Whose, items: Collection[str]) -> set[str]:
    """Which of these items, by their codes, she was served for with success, at whatever hall."""
    found = await rows(
        """
        SELECT DISTINCT item.code
        FROM ticket t JOIN item ON item.id = t.item_id
        WHERE (t.citizen_id = $1 OR t.person_key = $2) AND item.code = ANY($3)
          AND t.state = 'finished' AND coalesce(t.outcome, 'done') IN ('done', 'accepted')
        """,
        her.citizen_id,
        her.person_key,
        list(items),
        tx=tx,
    )
    return {row["code"] for row in found}


async def owed_by(tx: Transaction | None, her: Whose, items: Collection[UUID]) -> list[Any]:
    """Her bills for these items, by their ids, that are due; oldest first."""
    return await rows(
        """
        SELECT bill_no, title, item_id FROM bill
        WHERE (citizen_id = $1 OR person_key = $2) AND item_id = ANY($3)
          AND state = 'due' AND abandoned_at IS NULL
        ORDER BY id
        """,
        her.citizen_id,
        her.person_key,
        list(items),
        tx=tx,
    )
