"""Bills of people whose accounts are joined, who are erased, or who ask what is kept.

The people are locked before. Money that moved is kept by law and names nobody by itself: it hangs
on the citizen's row, which is emptied when she goes.
"""

from typing import Any
from uuid import UUID

from models.database import Transaction


async def move_to(tx: Transaction, was: UUID | None, into: UUID, person_key: UUID) -> None:
    """Give her the bills of her other account, and those others had made for her number."""
    await tx.run(
        """
        UPDATE bill SET
            citizen_id = CASE WHEN citizen_id = $1 OR person_key = $3 THEN $2 ELSE citizen_id END,
            acting_id = CASE WHEN acting_id = $1 THEN $2 ELSE acting_id END,
            person_key = nullif(person_key, $3)
        WHERE citizen_id = $1 OR acting_id = $1 OR person_key = $3
        """,
        was,
        into,
        person_key,
    )


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Whoever is known through her alone is known no more."""
    await tx.run(
        "UPDATE bill SET person_key = NULL WHERE acting_id = $1 AND citizen_id IS NULL", citizen_id
    )


async def kept_of(tx: Transaction, citizen_id: UUID) -> list[Any]:
    """Her bills, and those she took upon her, with what was paid and what went back."""
    return await tx.rows(
        """
        SELECT b.id, b.bill_no, b.title, b.amount_fen, b.state, b.made_at, b.ended_at,
               b.acting_id IS NOT DISTINCT FROM $1 AS for_another,
               (SELECT coalesce(json_agg(json_build_object('order_no', o.order_no,
                    'channel', o.channel, 'state', o.state, 'placed_at', o.placed_at,
                    'paid_at', o.paid_at, 'refunded_fen', o.refunded_fen) ORDER BY o.id), '[]')
                FROM pay_order o WHERE o.bill_id = b.id)::text AS payments
        FROM bill b WHERE b.citizen_id = $1 OR b.acting_id = $1 ORDER BY b.made_at
        """,
        citizen_id,
    )
