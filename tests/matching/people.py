"""People of whom something is known, without a phone that says it."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from models import consents
from models.consents import Purpose
from models.database import rows, transaction


async def consenting_person(groups: Collection[str], purpose: Purpose = Purpose.SERVICES) -> UUID:
    """Somebody new who lets these groups be used."""
    now = datetime.now(UTC)
    [row] = await rows(
        "INSERT INTO citizen (id, level, created_at) VALUES (uuidv7(), 2, $1) RETURNING id", now
    )
    async with transaction() as tx:
        await consents.give(tx, row["id"], purpose, groups, at=now)
    found: UUID = row["id"]
    return found


async def known_as(citizen_id: UUID, **traits: Any) -> None:
    """What was learned of her."""
    names = ", ".join(traits)
    places = ", ".join(f"${nth}" for nth in range(3, 3 + len(traits)))
    await rows(
        f"INSERT INTO trait (citizen_id, learned_at, {names}) VALUES ($1, $2, {places})",
        citizen_id,
        datetime.now(UTC),
        *traits.values(),
    )
