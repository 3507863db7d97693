"""Proxies 代办: who may act for whom, and how that was proved.

A person spoken for is a citizen where she has an account, and else known by her number alone: then
tickets for her bear a key made of its blind index, the same whoever takes them.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.database import Transaction
from models.identifiers import age_on, read_id
from models.people import Citizen
from models.sealing import Sealer

NAME: Final = "proxy.name"
ID_NUMBER: Final = "proxy.id_number"
# What stands in `id_type` for a company, whose number is its unified social credit code.
USCC: Final = "uscc"
# Civil Code 民法典, article 17; Law on the Protection of the Elderly 老年人权益保障法, article 2.
OF_AGE, ELDERLY = 18, 60
# For whom a ticket `t` was taken, as JSON. A sub-select stays a look-up, row by row, however many
# proxies there are and whatever a plan was made from.
TAKEN_FOR: Final = """CASE WHEN t.proxy_id IS NOT NULL THEN (
               SELECT json_build_object('id', p.id, 'name', p.shown_as, 'relation', p.kind)
               FROM proxy p WHERE p.id = t.proxy_id) END AS taken_for"""


class ProxyKind(StrEnum):
    """What the person spoken for is to the one who acts."""

    SPOUSE = "spouse"
    CHILD = "child"
    PARENT = "parent"
    OTHER = "other"
    COMPANY = "company"


class Proof(StrEnum):
    """Why somebody may act: the person said so by a code, or the one who acts declared it."""

    CONSENT = "consent"
    DECLARATION = "declaration"


class ProxyState(StrEnum):
    """Asked for, in force, or over."""

    ASKED = "asked"
    ACTIVE = "active"
    ENDED = "ended"


class Proxy(Model):
    """That a citizen acts for somebody.

    What was done through it names it, so none is deleted that was ever in force. One that has
    ended forgets name and number, but for `shown_as`: what tickets show of the name.
    """

    id = fields.UUIDField(primary_key=True)
    citizen: fields.ForeignKeyRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "proxies", on_delete=OnDelete.RESTRICT
    )
    # The citizen acted for, once it is known that she is one.
    principal: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "spoken_for_by", null=True, on_delete=OnDelete.RESTRICT
    )
    kind = fields.CharEnumField(ProxyKind, max_length=16)
    proof = fields.CharEnumField(Proof, max_length=16)
    state = fields.CharEnumField(ProxyState, max_length=16)
    # Sealed, as the one who acts gave them.
    name = fields.BinaryField(null=True)
    id_type = fields.CharField(max_length=24, null=True)
    id_number = fields.BinaryField(null=True)
    id_index = fields.CharField(max_length=64, null=True)
    # Masked, a company's whole: clear, because every look at a ticket needs it.
    shown_as = fields.CharField(max_length=120, null=True)
    # The person herself ended it: only her consent begins it again.
    refused = fields.BooleanField(default=False)
    asked_at = fields.DatetimeField()
    active_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "proxy"
        constraints = (UniqueConstraint(fields=("citizen_id", "id_index"), name="proxy_once"),)
        indexes = (
            Index(fields=("id_index",), name="proxy_by_number"),
            Index(fields=("principal_id",), name="proxy_of_principal"),
        )


@dataclass(frozen=True, slots=True)
class Acting:
    """A citizen acting for somebody, as a ticket needs to know it."""

    proxy_id: UUID
    citizen_id: UUID
    kind: ProxyKind
    state: ProxyState
    shown_as: str | None = field(repr=False)
    principal_id: UUID | None
    # Who has no account is told apart by this.
    person_key: UUID | None
    # Declared for a minor who has come of age since.
    outgrown: bool
    # Of who has no account, as the number says that was given for her.
    born: date | None = field(default=None, repr=False)

    @property
    def on_behalf_of(self) -> UUID:
        """Whom events name: the citizen acted for; who is none is named by the proxy."""
        return self.principal_id or self.proxy_id


@dataclass(frozen=True, slots=True)
class SpokenFor:
    """What is known of whom a proxy speaks for; `born` None: a company, or it is known no more."""

    kind: ProxyKind
    born: date | None = field(repr=False)


async def acting(
    tx: Transaction, sealer: Sealer, proxy_id: UUID, citizen_id: UUID, *, today: date
) -> Acting | None:
    """A citizen's proxy, which does not end before the transaction does; None: not one of hers.

    Both people are locked before it, as everywhere (docs/decisions.md): the ticket will refer to
    them, and whoever is being erased lets go of neither.
    """
    row = await tx.row(
        """
        WITH people AS MATERIALIZED (
            SELECT c.id FROM proxy p
            JOIN citizen c ON c.id = ANY(ARRAY[p.citizen_id, p.principal_id])
            WHERE p.id = $1
              AND p.citizen_id = coalesce((SELECT citizen_id FROM citizen_alias WHERE id = $2), $2)
            ORDER BY c.id FOR KEY SHARE OF c
        )
        SELECT id, citizen_id, kind, proof, state, id_type, id_number, shown_as, principal_id,
               CASE WHEN principal_id IS NULL THEN left(id_index, 32)::uuid END AS person_key
        FROM proxy
        WHERE id = $1
          AND citizen_id = coalesce((SELECT citizen_id FROM citizen_alias WHERE id = $2), $2)
          AND (SELECT count(*) FROM people) >= 0
        FOR SHARE
        """,
        proxy_id,
        citizen_id,
    )
    if row is None:
        return None
    outgrown, born = False, None
    if row["id_number"] and row["id_type"] != USCC:
        born = _born(sealer, row)
        outgrown = row["proof"] == Proof.DECLARATION and not may_be_declared(born, today=today)
    return Acting(
        proxy_id=row["id"],
        citizen_id=row["citizen_id"],
        kind=ProxyKind(row["kind"]),
        state=ProxyState(row["state"]),
        shown_as=row["shown_as"],
        principal_id=row["principal_id"],
        person_key=row["person_key"],
        outgrown=outgrown,
        born=None if row["principal_id"] else born,
    )


async def spoken_for(tx: Transaction, sealer: Sealer, proxy_id: UUID) -> SpokenFor:
    """For whom somebody acts, or acted, through a proxy that was in force once."""
    row = await tx.row("SELECT id, kind, id_type, id_number FROM proxy WHERE id = $1", proxy_id)
    assert row is not None, "none is deleted that was ever in force"
    named = row["id_number"] and row["id_type"] != USCC
    return SpokenFor(ProxyKind(row["kind"]), _born(sealer, row) if named else None)


def _born(sealer: Sealer, row: Any) -> date | None:
    number = sealer.open(row["id_number"], field=ID_NUMBER, owner=row["id"])
    return read_id(row["id_type"], number).born


def may_be_declared(born: date | None, *, today: date) -> bool:
    """Whether somebody may be spoken for without her consent: minors and the elderly."""
    return born is not None and not OF_AGE <= age_on(today, born) < ELDERLY


def person_key(id_index: str) -> UUID:
    """What tells people without an account apart, as `acting` reads it."""
    return UUID(id_index[:32])


async def adopt(tx: Transaction, id_index: str, citizen_id: UUID) -> None:
    """Whoever was declared by this number is this citizen, as she has now proved."""
    await tx.run(
        """
        UPDATE proxy SET principal_id = $2
        WHERE id_index = $1 AND principal_id IS NULL AND state = 'active'
        """,
        id_index,
        citizen_id,
    )


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """Give one citizen's proxies to another."""
    await tx.run("UPDATE proxy SET citizen_id = $2 WHERE citizen_id = $1", me, into)
    await tx.run("UPDATE proxy SET principal_id = $2 WHERE principal_id = $1", me, into)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """End whatever she does for others and others do for her, and forget who they are.

    Her open tickets have been given up before.
    """
    await tx.run(
        """
        UPDATE proxy SET state = 'ended', ended_at = coalesce(ended_at, now()), name = NULL,
            id_type = NULL, id_number = NULL, id_index = NULL,
            shown_as = CASE WHEN principal_id = $1 THEN NULL ELSE shown_as END
        WHERE citizen_id = $1 OR principal_id = $1
        """,
        citizen_id,
    )
    await tx.run(
        "UPDATE ticket SET person_key = NULL WHERE acting_id = $1 AND ended_at IS NOT NULL",
        citizen_id,
    )


async def hold(tx: Transaction, *citizen_ids: UUID, id_index: str | None = None) -> None:
    """Lock all proxies of these citizens and for them, and those for a number; then change them.

    The citizens are locked before, wholly: nobody else's proxy comes to refer to them meanwhile.
    """
    await tx.run(
        """
        SELECT 1 FROM proxy
        WHERE citizen_id = ANY($1) OR principal_id = ANY($1) OR id_index = $2::text
        ORDER BY id FOR UPDATE
        """,
        list(citizen_ids),
        id_index,
    )
