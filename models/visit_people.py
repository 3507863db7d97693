"""Visits of people whose accounts are joined, who are erased, or who ask what is kept of them.

The halls where she has numbers are locked before, then she, then her tickets.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from models.database import Transaction


async def move_to(tx: Transaction, was: UUID | None, into: UUID, person_key: UUID) -> None:
    """Give her the visits of her other account, and those others began for her number."""
    await tx.run(
        """
        UPDATE visit SET
            citizen_id = CASE WHEN citizen_id = $1 OR person_key = $3 THEN $2 ELSE citizen_id END,
            acting_id = CASE WHEN acting_id = $1 THEN $2 ELSE acting_id END,
            person_key = nullif(person_key, $3)
        WHERE citizen_id = $1 OR acting_id = $1 OR person_key = $3
        """,
        was,
        into,
        person_key,
    )


async def forget(tx: Transaction, citizen_id: UUID, now: datetime) -> None:
    """End her visits, and those of whoever is known through her alone; forget what was filled in.

    Their tickets have been given up before.
    """
    await tx.run(
        """
        WITH hers AS (
            UPDATE visit SET form = NULL,
                person_key = CASE WHEN acting_id = $1 THEN NULL ELSE person_key END,
                state = CASE WHEN ended_at IS NULL THEN 'cancelled' ELSE state END,
                ended_at = coalesce(ended_at, $2)
            WHERE citizen_id = $1 OR (acting_id = $1 AND citizen_id IS NULL)
            RETURNING id
        )
        UPDATE visit_stop SET left_out = 'visit_ended'
        WHERE visit_id IN (SELECT id FROM hers) AND ticket_id IS NULL AND left_out IS NULL
        """,
        citizen_id,
        now,
    )


async def kept_of(tx: Transaction, citizen_id: UUID) -> list[Any]:
    """The visits for a citizen, and those for which she signed somebody else in; forms sealed."""
    return await tx.rows(
        """
        SELECT v.id, h.code AS hall, v.bundle, v.state, v.day, v.begun_at, v.ended_at, v.form,
               v.proxy_id AS proxy, v.acting_id IS NOT DISTINCT FROM $1 AS begun_for_another,
               ARRAY(SELECT i.code FROM visit_stop s JOIN item i ON i.id = s.item_id
                     WHERE s.visit_id = v.id ORDER BY s.turn NULLS LAST, s.place) AS items
        FROM visit v JOIN hall h ON h.id = v.hall_id
        WHERE v.citizen_id = $1 OR v.acting_id = $1 ORDER BY v.begun_at
        """,
        citizen_id,
    )
