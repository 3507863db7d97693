"""Cases of people whose accounts are joined, who are erased, or who ask what is kept.

The people are locked before. That a case was, and how it went, its department keeps by law: here it
stays without whoever is erased, and without the words of its steps.
"""

from typing import Any
from uuid import UUID

from models.database import Transaction


async def move_to(tx: Transaction, was: UUID | None, into: UUID, person_key: UUID) -> None:
    """Give her the cases of her other account, and those that were opened for her number."""
    await tx.run(
        """
        UPDATE case_file SET
            citizen_id = CASE WHEN citizen_id = $1 OR person_key = $3 THEN $2 ELSE citizen_id END,
            acting_id = CASE WHEN acting_id = $1 OR acting_key = $3 THEN $2 ELSE acting_id END,
            person_key = nullif(person_key, $3), acting_key = nullif(acting_key, $3)
        WHERE citizen_id = $1 OR acting_id = $1 OR person_key = $3 OR acting_key = $3
        """,
        was,
        into,
        person_key,
    )


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Her cases name nobody any more, nor say anything; those of others do not name her."""
    await tx.run(
        """
        UPDATE case_step s SET note = NULL FROM case_file c
        WHERE c.id = s.case_id AND c.citizen_id = $1 AND s.note IS NOT NULL
        """,
        citizen_id,
    )
    await tx.run(
        """
        UPDATE case_file SET erased = erased OR citizen_id IS NOT DISTINCT FROM $1,
            citizen_id = nullif(citizen_id, $1), acting_id = nullif(acting_id, $1)
        WHERE citizen_id = $1 OR acting_id = $1
        """,
        citizen_id,
    )


async def kept_of(tx: Transaction, citizen_id: UUID) -> list[Any]:
    """Her cases, and those she handed in for others, with their steps; notes are sealed."""
    return await tx.rows(
        """
        SELECT c.no, i.code AS item, d.name AS department, c.state, c.opened_at, c.ended_at,
               c.acting_id IS NOT DISTINCT FROM $1 AS for_another,
               (SELECT coalesce(json_agg(json_build_object('id', s.id, 'name', s.name,
                    'state', s.state, 'note', encode(s.note, 'base64'), 'at', s.at,
                    'due_at', s.due_at) ORDER BY s.nth), '[]')
                FROM case_step s WHERE s.case_id = c.id)::text AS steps
        FROM case_file c JOIN item i ON i.id = c.item_id JOIN sso_client d ON d.id = c.client_id
        WHERE c.citizen_id = $1 OR c.acting_id = $1 ORDER BY c.id
        """,
        citizen_id,
    )
