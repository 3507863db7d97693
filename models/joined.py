"""Ids that were citizens' until their accounts were joined: whose they are now.

A token may bear such an id for a moment after a join, on every route. Whoever writes something of
a citizen's takes `held` first, in the same transaction; whoever only reads asks for `HER_ID`.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from models.database import Transaction, rows

# The id that $1 stands for now, in a statement about one citizen.
HER_ID: Final = "COALESCE((SELECT citizen_id FROM citizen_alias WHERE id = $1), $1)"


class NoSuchCitizen(LookupError):
    """No citizen has this id, now or before her accounts were joined."""


async def held(tx: Transaction, citizen_id: UUID, *, wholly: bool = False) -> UUID:
    """Lock a citizen, by her id or one that was joined into hers; the id she has now.

    Until the transaction ends nobody joins or erases her, so what is written for this id is hers.
    Rows that refer to her may still be written by others, unless she is held `wholly`: who joins or
    erases her does that. Raises NoSuchCitizen, also for one who has erased herself: nothing is to
    be written of her.
    """
    lock = "FOR UPDATE" if wholly else "FOR NO KEY UPDATE"
    her_id = await _locked(tx, citizen_id, lock)
    if her_id is None:
        # Another statement: it sees the join that the first one waited for.
        her_id = await _locked_by_alias(tx, citizen_id, lock)
    # Whoever is here came in by some channel; erasing unlinks them all.
    if her_id is None or not await tx.rows(
        "SELECT 1 FROM channel_link WHERE citizen_id = $1 LIMIT 1", her_id
    ):
        raise NoSuchCitizen
    return her_id


async def _locked(tx: Transaction, citizen_id: UUID, lock: str) -> UUID | None:
    found = await tx.rows(f"SELECT 1 FROM citizen WHERE id = $1 {lock}", citizen_id)
    return citizen_id if found else None


async def _locked_by_alias(tx: Transaction, old_id: UUID, lock: str) -> UUID | None:
    alias = await tx.row("SELECT citizen_id FROM citizen_alias WHERE id = $1", old_id)
    return None if alias is None else await _locked(tx, alias["citizen_id"], lock)


async def current_id(citizen_id: UUID, *, tx: Transaction | None = None) -> UUID | None:
    """The id under which a citizen is known now; None when there is no such citizen any more."""
    found = await rows(f"SELECT id FROM citizen WHERE id = {HER_ID}", citizen_id, tx=tx)
    return found[0]["id"] if found else None


async def joined_since(moment: datetime) -> dict[UUID, UUID]:
    """Whose id each id that was joined into another since then (real time) stands for now."""
    found = await rows("SELECT id, citizen_id FROM citizen_alias WHERE joined_at > $1", moment)
    return {row["id"]: row["citizen_id"] for row in found}
