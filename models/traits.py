"""Traits: what is known of those who let it be used, so that rules can be judged of a million.

What a citizen's row and her proxies keep sealed cannot be compared by the million. Of who consented
(`models.consents`) just what she let be used is kept here in clear, beside no name and no number,
for as long as she does.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from models.consents import BITS
from models.database import Transaction
from models.identifiers import NotAnIdentifier, read_id
from models.knowing import ID_NUMBER, RESIDENCE
from models.proxies import ID_NUMBER as PROXY_ID_NUMBER
from models.sealing import NotOpened, Sealer

_SEALED_BITS: Final = sum(BITS[group] for group in ("age", "residence", "family", "company"))


class Trait(Model):
    """What she let be used; null where it is not known, or not to be. `learned_at` is real time."""

    citizen_id = fields.UUIDField(primary_key=True)
    born = fields.DateField(null=True)
    residence = fields.CharField(max_length=16, null=True)
    household = fields.SmallIntField(null=True)
    youngest_born = fields.DateField(null=True)
    has_company = fields.BooleanField(null=True)
    learned_at = fields.DatetimeField()

    class Meta:
        table = "trait"


# Whose traits are missing, or older than what they were read from. A residence that was forgotten
# has no moment, and what she let be used may have become more or less.
_STALE: Final = """
    SELECT k.citizen_id FROM (
        SELECT citizen_id, bit_or(groups) & $1 AS groups, max(given_at) AS given_at FROM consent
        WHERE citizen_id > $2 GROUP BY citizen_id
    ) k JOIN citizen c ON c.id = k.citizen_id LEFT JOIN trait t ON t.citizen_id = k.citizen_id
    WHERE k.groups <> 0 AND (
        t.citizen_id IS NULL
        OR t.learned_at < greatest(k.given_at, c.real_name_at, c.residence_at)
        OR (c.residence IS NULL AND t.residence IS NOT NULL)
        OR EXISTS (SELECT 1 FROM proxy p WHERE p.citizen_id = k.citizen_id
                   AND greatest(p.active_at, p.ended_at) > t.learned_at))
    ORDER BY k.citizen_id LIMIT $3
"""
_SOURCES: Final = """
    SELECT c.id, c.id_type, c.id_number, c.residence, (
        SELECT coalesce(bit_or(groups), 0) FROM consent k WHERE k.citizen_id = c.id) AS groups
    FROM citizen c WHERE c.id = ANY($1) ORDER BY c.id
"""
_PROXIES: Final = """
    SELECT p.id, p.citizen_id, p.kind, p.id_type, p.id_number FROM proxy p
    WHERE p.citizen_id = ANY($1) AND p.state = 'active'
"""
_WRITE: Final = """
    INSERT INTO trait (citizen_id, born, residence, household, youngest_born, has_company,
                       learned_at)
    SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[], $4::smallint[], $5::date[], $6::bool[],
                         $7::timestamptz[])
    ON CONFLICT (citizen_id) DO UPDATE SET born = excluded.born, residence = excluded.residence,
        household = excluded.household, youngest_born = excluded.youngest_born,
        has_company = excluded.has_company, learned_at = excluded.learned_at
"""
_FAMILY: Final = frozenset({"spouse", "child", "parent"})


async def stale(tx: Transaction, after: UUID, limit: int) -> list[UUID]:
    """Whose traits are to be learned anew, in the order of their ids."""
    found = await tx.rows(_STALE, _SEALED_BITS, after, limit)
    return [row["citizen_id"] for row in found]


async def learn(
    tx: Transaction, sealer: Sealer, citizen_ids: Sequence[UUID], *, at: datetime
) -> None:
    """Write what these people let be used, and forget what they do not any more.

    They are locked, so nothing of theirs changes meanwhile. Who lets nothing be used has no row.
    """
    # A statement of its own: the next sees what others did before they let go of them.
    await tx.run(
        "SELECT 1 FROM citizen WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", list(citizen_ids)
    )
    people = await tx.rows(_SOURCES, list(citizen_ids))
    spoken_for: dict[UUID, list[Any]] = {}
    for row in await tx.rows(_PROXIES, list(citizen_ids)):
        spoken_for.setdefault(row["citizen_id"], []).append(row)
    nobody = [row["id"] for row in people if not row["groups"] & _SEALED_BITS]
    await tx.run("DELETE FROM trait WHERE citizen_id = ANY($1)", nobody)
    found = [
        _traits(row, spoken_for.get(row["id"], []), sealer)
        for row in people
        if row["groups"] & _SEALED_BITS
    ]
    if found:
        await tx.run(
            _WRITE, *(list(column) for column in zip(*found, strict=True)), [at] * len(found)
        )


_Traits = tuple[UUID, date | None, str | None, int | None, date | None, bool | None]


def _traits(row: Any, proxies: Sequence[Any], sealer: Sealer) -> _Traits:
    """What she let be used, of what is kept sealed of her."""
    lets, her_id = row["groups"], row["id"]
    family = [each for each in proxies if each["kind"] in _FAMILY]
    children = [
        born
        for each in family
        if each["kind"] == "child" and lets & BITS["family"]
        if (born := _born(each, PROXY_ID_NUMBER, sealer)) is not None
    ]
    return (
        her_id,
        _born(row, ID_NUMBER, sealer) if lets & BITS["age"] else None,
        _opened(row, "residence", RESIDENCE, sealer) if lets & BITS["residence"] else None,
        1 + len(family) if lets & BITS["family"] else None,
        max(children, default=None),
        any(each["kind"] == "company" for each in proxies) if lets & BITS["company"] else None,
    )


def _born(row: Any, field: str, sealer: Sealer) -> date | None:
    number = _opened(row, "id_number", field, sealer)
    if number is None:
        return None
    try:
        return read_id(row["id_type"], number).born
    except NotAnIdentifier:
        return None


def _opened(row: Any, column: str, field: str, sealer: Sealer) -> str | None:
    """A sealed text; None where there is none, or it does not open any more."""
    if row[column] is None:
        return None
    try:
        return sealer.open(row[column], field=field, owner=row["id"])
    except NotOpened:
        return None


async def kept_of(tx: Transaction, citizen_id: UUID) -> list[Any]:
    """What is kept here of somebody."""
    return await tx.rows("SELECT * FROM trait WHERE citizen_id = $1", citizen_id)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Forget what is kept here of somebody."""
    await tx.run("DELETE FROM trait WHERE citizen_id = $1", citizen_id)
