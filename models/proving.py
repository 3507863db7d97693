"""How surely a sign-in is known: by what its own channel has proven, not by what another one did.

Whoever knows somebody's name and number may come to be joined with her. So each channel keeps the
level that was proven through it, and a sign-in counts for no more than its channel.
"""

from uuid import UUID

from models.database import Transaction
from models.joined import HER_ID


def counts_for(sign_in: str) -> str:
    """SQL: the level that counts for a sign-in, beside a row of `citizen` whose it is.

    `sign_in` is SQL for its id. A phone verified on the account is the account's. It is one
    sub-select of two look-ups by key, so that it costs no statement of its own.
    """
    return f"""LEAST(citizen.level, GREATEST(
        CASE WHEN citizen.phone IS NULL THEN 0 ELSE 1 END,
        (SELECT door.level FROM sign_in came JOIN channel_link door ON door.id = came.link_id
         WHERE came.id = {sign_in})))"""


async def counting(tx: Transaction, citizen_id: UUID, sign_in_id: UUID | None) -> int:
    """The level that counts for a sign-in; 0 where there is no such citizen any more.

    Her id may be one that was joined into another a moment ago.
    """
    row = await tx.row(
        f"SELECT {counts_for('$2')} AS level FROM citizen WHERE id = {HER_ID}",
        citizen_id,
        sign_in_id,
    )
    return row["level"] if row else 0


async def is_as_sure(tx: Transaction, citizen_id: UUID, sign_in_id: UUID) -> bool:
    """Whether a sign-in's own channel has proven as much as is known of the citizen."""
    row = await tx.row(
        f"SELECT {counts_for('$2')} >= level AS sure FROM citizen WHERE id = $1",
        citizen_id,
        sign_in_id,
    )
    return row is not None and row["sure"]


async def door_of(tx: Transaction, sign_in_id: UUID) -> UUID | None:
    """The channel link that somebody signed in by; None: it is not known, or never was."""
    row = await tx.row("SELECT link_id FROM sign_in WHERE id = $1", sign_in_id)
    return row["link_id"] if row else None


async def raise_level(tx: Transaction, link_id: UUID, level: int) -> None:
    """Write down that a channel has proven this level; what it proved before stays proven."""
    await tx.run(
        "UPDATE channel_link SET level = GREATEST(level, $2) WHERE id = $1", link_id, level
    )
