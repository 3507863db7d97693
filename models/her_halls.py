"""The halls where somebody has numbers: locked before she is, by whoever joins or erases her.

Those end numbers, as a hall does, so they lock what it locks; see the order in docs/decisions.md.
"""

from collections.abc import Collection
from uuid import UUID

from models.database import Transaction
from models.joined import HER_ID

# Hers, those that she took, and those for her number, whether somebody's account has it or none.
_IDS = f"ANY(ARRAY[{HER_ID}, (SELECT id FROM citizen WHERE id_index = $2::text)])"
_OF_HER = f"""
    SELECT hall_id FROM ticket WHERE ended_at IS NULL
      AND (citizen_id = {_IDS} OR acting_id = {_IDS} OR person_key = left($2::text, 32)::uuid)"""


class OtherHalls(Exception):
    """She has come to have numbers in other halls than those that were locked: begin again."""


async def lock(tx: Transaction, citizen_id: UUID, id_index: str | None = None) -> set[UUID]:
    """Lock them in the order of their ids: hers, and those of whoever has this number."""
    found = await tx.rows(
        f"SELECT id FROM hall WHERE id IN ({_OF_HER}) ORDER BY id FOR UPDATE",
        citizen_id,
        id_index,
    )
    return {row["id"] for row in found}


async def check(
    tx: Transaction, locked: Collection[UUID], citizen_id: UUID, id_index: str | None = None
) -> None:
    """Raise OtherHalls unless all are locked; she and her proxies are locked wholly by now."""
    found = await tx.rows(_OF_HER, citizen_id, id_index)
    if not {row["hall_id"] for row in found} <= set(locked):
        raise OtherHalls
