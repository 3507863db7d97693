"""Ids that were citizens' until their accounts were joined: whose they are now."""

from datetime import datetime
from uuid import UUID

from models.database import rows


async def current_id(citizen_id: UUID) -> UUID | None:
    """The id under which a citizen is known now; None when there is no such citizen any more."""
    found = await rows(
        """
        SELECT id FROM citizen
        WHERE id = coalesce((SELECT citizen_id FROM citizen_alias WHERE id = $1), $1)
        """,
        citizen_id,
    )
    return found[0]["id"] if found else None


async def joined_since(moment: datetime) -> dict[UUID, UUID]:
    """Whose id each id that was joined into another since then (real time) stands for now."""
    found = await rows("SELECT id, citizen_id FROM citizen_alias WHERE joined_at > $1", moment)
    return {row["id"]: row["citizen_id"] for row in found}
