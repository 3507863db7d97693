"""Consents 授权: what somebody lets be known of her, for what purpose, until she takes it back.

A row stands as long as the consent does. Whoever writes something for a purpose holds the row of
each person (`FOR SHARE`) in the statement that writes it, and whoever withdraws deletes the row and
takes back what waits in one transaction: so nothing of that purpose is written after, and nothing
that was written before goes out.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.database import Transaction, rows
from models.joined import HER_ID
from scheduler.matching.language import GROUPS


class Purpose(StrEnum):
    """What somebody may let herself be told of."""

    DOCUMENTS = "documents"  # that hers expire
    SERVICES = "services"  # what the city's rules find to be due to her
    POLICIES = "policies"  # campaigns: what is new, of policies that concern her


# How groups of attributes are kept: as a sum of these. Numbers that were given never change.
BITS: Final = {
    "age": 1,
    "residence": 2,
    "family": 4,
    "company": 8,
    "items": 16,
    "certificates": 32,
    "topics": 64,
}
assert set(BITS) == set(GROUPS)
# What each purpose may ever read, so that nobody is asked for more than it needs.
MAY_READ: Final = {
    Purpose.DOCUMENTS: frozenset({"certificates"}),
    Purpose.SERVICES: frozenset(GROUPS),
    Purpose.POLICIES: frozenset(GROUPS),
}


class Consent(Model):
    """That she lets these groups of attributes be used for a purpose. Real time."""

    id = fields.UUIDField(primary_key=True)
    citizen_id = fields.UUIDField()
    purpose = fields.CharEnumField(Purpose, max_length=12)
    groups = fields.SmallIntField()
    given_at = fields.DatetimeField()

    class Meta:
        table = "consent"
        constraints = (
            UniqueConstraint(fields=("purpose", "citizen_id"), name="consent_once"),
            CheckConstraint(check="groups BETWEEN 0 AND 127", name="consent_known_groups"),
        )
        indexes = (Index(fields=("citizen_id",), name="consent_of"),)


def kept_as(groups: Iterable[str]) -> int:
    """Groups of attributes as they are kept."""
    return sum(BITS[group] for group in set(groups))


def groups_in(kept: int) -> list[str]:
    """The groups of attributes that are kept so, in the order of the language."""
    return [group for group in GROUPS if kept & BITS[group]]


async def of_citizen(citizen_id: UUID, *, tx: Transaction | None = None) -> list[Any]:
    """What she let be used, by purpose."""
    return await rows(
        f"SELECT purpose, groups, given_at FROM consent WHERE citizen_id = {HER_ID}"
        " ORDER BY purpose",
        citizen_id,
        tx=tx,
    )


async def give(
    tx: Transaction, citizen_id: UUID, purpose: Purpose, groups: Collection[str], *, at: datetime
) -> bool:
    """Let just these groups be used for a purpose; whether that is another than before.

    She is held. What waits unsent was written for what she let be used until now: where that
    becomes less, it is taken back.
    """
    was = await tx.row(
        "SELECT groups FROM consent WHERE citizen_id = $1 AND purpose = $2 FOR UPDATE",
        citizen_id,
        purpose.value,
    )
    kept = kept_as(groups)
    if was is not None and was["groups"] == kept:
        return False
    await tx.run(
        "INSERT INTO consent (id, citizen_id, purpose, groups, given_at)"
        " VALUES (uuidv7(), $1, $2, $3, $4)"
        " ON CONFLICT (purpose, citizen_id) DO UPDATE SET groups = $3, given_at = $4",
        citizen_id,
        purpose.value,
        kept,
        at,
    )
    if was is not None and was["groups"] & ~kept:
        await take_back(tx, citizen_id, purpose)
    return True


async def withdraw(tx: Transaction, citizen_id: UUID, purpose: Purpose) -> bool:
    """Let nothing be used for a purpose any more; whether anything was. She is held.

    What waits unsent for it does not go out.
    """
    gone = await tx.rows(
        "DELETE FROM consent WHERE citizen_id = $1 AND purpose = $2 RETURNING 1",
        citizen_id,
        purpose.value,
    )
    if gone:
        await take_back(tx, citizen_id, purpose)
    return bool(gone)


async def take_back(tx: Transaction, citizen_id: UUID, purpose: Purpose) -> None:
    """Let nothing go out that waits for her for this purpose."""
    await tx.run(
        "UPDATE notice SET state = 'expired', fault = 'consent_withdrawn', settled_at = now()"
        " WHERE citizen_id = $1 AND purpose = $2 AND state = 'waiting'",
        citizen_id,
        purpose.value,
    )


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """Join what two accounts of one person let be used: only what both did not keep apart.

    What one account let be used the other may never have been asked for; she said it of herself,
    so it stands, and where both said something the account that stays counts.
    """
    await tx.run(
        "UPDATE consent c SET citizen_id = $2 WHERE citizen_id = $1 AND NOT EXISTS ("
        " SELECT 1 FROM consent o WHERE o.citizen_id = $2 AND o.purpose = c.purpose)",
        me,
        into,
    )
    await tx.run("DELETE FROM consent WHERE citizen_id = $1", me)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Forget what she let be used."""
    await tx.run("DELETE FROM consent WHERE citizen_id = $1", citizen_id)
