"""Whoever was given a number at the hall and has no account: what she said of herself, sealed.

What it is masked to stands in clear on the ticket, for boards of clerks are made by whoever has no
keys. It is forgotten some days later, and at once when she proves who she is.
"""

from typing import Final
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from models.database import Transaction
from models.identifiers import mask_name
from models.sealing import Sealer

NAME: Final = "ticket_holder.name"
PHONE: Final = "ticket_holder.phone"


class TicketHolder(Model):
    """Name and phone of the holder of the ticket with this id, as they were given; sealed."""

    id = fields.UUIDField(primary_key=True)
    name = fields.BinaryField(null=True)
    phone = fields.BinaryField(null=True)
    # Real time.
    kept_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "ticket_holder"


async def keep(
    tx: Transaction, sealer: Sealer, ticket_id: UUID, *, name: str | None, phone: str | None
) -> str | None:
    """Keep what somebody said, in the form in which `models.identifiers` reads it.

    Answers what is shown of her name.
    """
    shown_as = mask_name(name) if name else None

    def sealed(text: str | None, field: str) -> bytes | None:
        return None if text is None else sealer.seal(text, field=field, owner=ticket_id)

    await tx.run(
        """
        WITH kept AS (
            INSERT INTO ticket_holder (id, name, phone, kept_at) VALUES ($1, $2, $3, now())
        )
        UPDATE ticket SET shown_as = $4 WHERE id = $1
        """,
        ticket_id,
        sealed(name, NAME),
        sealed(phone, PHONE),
        shown_as,
    )
    return shown_as


async def show(tx: Transaction, ticket_id: UUID, shown_as: str) -> None:
    """Show a masked name with a ticket, and forget it in time."""
    await tx.run(
        """
        WITH kept AS (INSERT INTO ticket_holder (id, kept_at) VALUES ($1, now()))
        UPDATE ticket SET shown_as = $2 WHERE id = $1
        """,
        ticket_id,
        shown_as,
    )


async def forget_of(tx: Transaction, person_key: UUID) -> None:
    """Forget what was said of whoever is told apart by this key: now she is known by herself."""
    await tx.run(
        """
        DELETE FROM ticket_holder
        WHERE id IN (SELECT id FROM ticket WHERE person_key = $1)
        """,
        person_key,
    )


async def carry(tx: Transaction, ticket_id: UUID, following: UUID) -> None:
    """Show her name with the following number of her visit, too, and forget it when the first is.

    What was sealed stays with the first number alone.
    """
    await tx.run(
        """
        WITH kept AS (
            INSERT INTO ticket_holder (id, kept_at)
            SELECT $2, kept_at FROM ticket_holder WHERE id = $1
            RETURNING id
        )
        UPDATE ticket SET shown_as = before.shown_as FROM kept, ticket before
        WHERE ticket.id = kept.id AND before.id = $1
        """,
        ticket_id,
        following,
    )
