"""Departures 出发: from where and how somebody comes to her turn, and that she was told to set off.

What she says of where she is is kept sealed, for her ticket alone, and forgotten once she is there
or it is over. What stays for some days is only when she was told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
from tortoise import fields
from tortoise.models import Model

from models.database import Transaction, rows
from models.joined import HER_ID
from models.sealing import Sealer
from scheduler.travel import Travel

PLACE: Final = "departure.place"


class TravelBasis(StrEnum):
    """What a time on the way rests on."""

    ESTIMATE = "estimate"  # the distance
    MAP = "map"  # a map service


class Departure(Model):
    """How the holder of the ticket or appointment with this id comes to `hall_id`, as she said it.

    `told_at` is when the moment to set off had come, told once a ticket. To an appointment's slot
    she leaves `lead_s` seconds before it.
    """

    id = fields.UUIDField(primary_key=True)
    # Sealed; null once it is forgotten, and all of the way with it.
    place = fields.BinaryField(null=True)
    travel = fields.CharField(max_length=8, null=True)
    hall_id = fields.UUIDField(null=True)
    travel_s = fields.IntField(null=True)
    travel_basis = fields.CharEnumField(TravelBasis, max_length=8, null=True)
    told_at = fields.DatetimeField(null=True)
    lead_s = fields.IntField(null=True)
    # Real time.
    kept_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "departure"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to a hall: by what, how many seconds, and what that rests on."""

    hall_id: UUID
    travel: Travel
    travel_s: int
    basis: TravelBasis


@dataclass(frozen=True, slots=True)
class Coming:
    """Somebody who waits elsewhere: her ticket, the hall and item, and how she comes.

    `hall_id` is where she waits, `way_to` where her way was known to lead; where she is stands
    sealed in `place` (`place_of`). `alone`: hers is no visit of several items.
    """

    ticket_id: UUID
    hall_id: UUID
    item_id: UUID
    alone: bool
    place: bytes
    travel: Travel
    travel_s: int
    basis: TravelBasis
    way_to: UUID


# Whether a ticket `t` is of somebody who waits and is not known to be at the hall.
_COMES: Final = "t.state = 'waiting' AND t.checked_in_at IS NULL"
# The way of a waiting ticket `t`, as JSON; null where she did not say, or has gone to another hall.
WAY: Final = f"""CASE WHEN {_COMES} THEN (
                   SELECT json_build_object('travel', d.travel, 'travel_s', d.travel_s,
                       'basis', d.travel_basis, 'told_at', d.told_at)
                   FROM departure d WHERE d.id = t.id AND d.hall_id = t.hall_id
                   OFFSET 0) END AS way"""


async def keep(
    sealer: Sealer,
    ticket_id: UUID,
    way: Way,
    *,
    lat: float,
    lng: float,
    citizen_id: UUID,
    version: int,
    tx: Transaction | None = None,
) -> int | None:
    """Keep where she is (WGS-84 degrees) and her way, instead of what she said before.

    The place to a hundred metres: more is not needed to look for halls around her.
    Answers the ticket's version now, at least `version`: what it tells has changed. None, and
    nothing is kept, unless the ticket is hers, waits at that hall, and she is not there.
    """
    sealed = sealer.seal(f"{lat:.3f} {lng:.3f}", field=PLACE, owner=ticket_id)
    found = await rows(
        _KEEP,
        ticket_id,
        sealed,
        way.travel,
        way.hall_id,
        way.travel_s,
        way.basis.value,
        citizen_id,
        version,
        tx=tx,
    )
    return found[0]["version"] if found else None


async def withdraw(ticket_id: UUID, *, version: int) -> int | None:
    """Forget where its holder is; the ticket's version now, None where there was nothing to forget.

    The version is at least `version`: what the ticket tells has changed.
    """
    found = await rows(_WITHDRAW, ticket_id, version)
    return found[0]["version"] if found else None


async def forget(ticket_ids: Sequence[UUID]) -> None:
    """Forget where these people are, and that they want to be told."""
    await rows(_FORGET + " WHERE d.id = ANY($1) AND d.place IS NOT NULL", list(ticket_ids))


async def forget_arrived() -> int:
    """Forget the places of all who are there, or whose ticket is over; answers how many."""
    return len(await rows(_FORGET_ARRIVED))


async def forget_of(tx: Transaction, citizen_id: UUID) -> None:
    """Forget all departures of a citizen's tickets and appointments, and of those for others."""
    await tx.run(
        """
        DELETE FROM departure WHERE id IN (
            SELECT id FROM ticket WHERE citizen_id = $1
            UNION ALL SELECT id FROM ticket WHERE acting_id = $1
            UNION ALL SELECT id FROM appointment WHERE citizen_id = $1
            UNION ALL SELECT id FROM appointment WHERE acting_id = $1)
        """,
        citizen_id,
    )


async def kept_of(tx: Transaction, citizen_id: UUID) -> list[asyncpg.Record]:
    """The departures of the tickets and appointments that a citizen may see, sealed as they are."""
    return list(
        await tx.rows(
            """
            SELECT d.id, d.place, d.travel, d.told_at, true AS of_ticket
            FROM departure d JOIN ticket t USING (id) WHERE $1 IN (t.citizen_id, t.acting_id)
            UNION ALL
            SELECT d.id, d.place, d.travel, d.told_at, false
            FROM departure d JOIN appointment a USING (id) WHERE $1 IN (a.citizen_id, a.acting_id)
            ORDER BY 1
            """,
            citizen_id,
        )
    )


async def coming(hall_ids: Sequence[UUID]) -> list[Coming]:
    """Who is to come to these halls."""
    return [
        Coming(
            ticket_id=row["id"],
            hall_id=row["hall_id"],
            item_id=row["item_id"],
            alone=row["alone"],
            place=row["place"],
            travel=row["travel"],
            travel_s=row["travel_s"],
            basis=TravelBasis(row["travel_basis"]),
            way_to=row["way_to"],
        )
        for row in await rows(_COMING, list(hall_ids))
    ]


def place_of(sealer: Sealer, ticket_id: UUID, sealed: bytes) -> tuple[float, float]:
    """Where she said that she is, in WGS-84 degrees. Raises NotOpened."""
    lat, lng = sealer.open(sealed, field=PLACE, owner=ticket_id).split(" ")
    return float(lat), float(lng)


async def lead(coming: Coming, way: Way) -> bool:
    """From now on her way leads to another hall, where she has gone with her ticket.

    False, and nothing changes, where she has said anew meanwhile where she is, or gone on.
    """
    found = await rows(
        _LEAD,
        coming.ticket_id,
        way.hall_id,
        way.travel_s,
        way.basis.value,
        coming.place,
        coming.way_to,
    )
    return bool(found)


async def tell(tx: Transaction, ticket_ids: Sequence[UUID], *, now: datetime) -> list[UUID]:
    """Note that it is time for these people to set off; answers whom nobody had told before.

    Each once a ticket, whoever asks and however often. Who is at the hall or does not wait any more
    is told nothing.
    """
    found = await tx.rows(_TELL, list(ticket_ids), now)
    return [row["id"] for row in found]


_KEEP: Final = f"""
    WITH hers AS (
        UPDATE ticket t SET version = greatest(t.version + 1, $8)
        FROM (SELECT {HER_ID.replace("$1", "$7")} AS id) her
        WHERE t.id = $1 AND t.hall_id = $4 AND her.id IN (t.citizen_id, t.acting_id) AND {_COMES}
        RETURNING t.id, t.hall_id, t.version
    ), kept AS (
        INSERT INTO departure (id, place, travel, hall_id, travel_s, travel_basis, kept_at)
        SELECT id, $2, $3, hall_id, $5, $6, now() FROM hers
        ON CONFLICT (id) DO UPDATE SET place = excluded.place, travel = excluded.travel,
            hall_id = excluded.hall_id, travel_s = excluded.travel_s,
            travel_basis = excluded.travel_basis, kept_at = excluded.kept_at
    )
    SELECT version FROM hers
"""
_FORGET: Final = """
    UPDATE departure d SET place = NULL, travel = NULL, hall_id = NULL, travel_s = NULL,
        travel_basis = NULL"""
# The ticket before its departure, as in keeping it: whoever changes both waits in one order.
_WITHDRAW: Final = f"""
    WITH hers AS (
        UPDATE ticket t SET version = greatest(t.version + 1, $2) FROM departure was
        WHERE t.id = $1 AND was.id = t.id AND was.place IS NOT NULL
        RETURNING t.id, t.version
    ), withdrawn AS ({_FORGET} FROM hers WHERE d.id = hers.id)
    SELECT version FROM hers
"""
# Called, she may still be on her way: her counter may close, and she waits again.
_FORGET_ARRIVED: Final = (
    _FORGET
    + """
    FROM ticket t
    WHERE d.place IS NOT NULL AND t.id = d.id
      AND (t.ended_at IS NOT NULL OR t.checked_in_at IS NOT NULL
           OR t.state IN ('serving', 'parked'))
    RETURNING d.id
"""
)
_COMING: Final = f"""
    SELECT d.id, d.place, d.travel, d.travel_s, d.travel_basis, d.hall_id AS way_to,
           t.hall_id, t.item_id, t.visit_id IS NULL AS alone
    FROM departure d JOIN ticket t ON t.id = d.id
    WHERE d.place IS NOT NULL AND t.hall_id = ANY($1) AND {_COMES}
    ORDER BY d.id
"""
# Each place is sealed anew, so whoever says hers again, even the same, has another there.
_LEAD: Final = """
    UPDATE departure d SET hall_id = $2, travel_s = $3, travel_basis = $4
    FROM ticket t
    WHERE d.id = $1 AND d.place = $5 AND d.hall_id = $6 AND t.id = d.id AND t.hall_id = $2
    RETURNING d.id
"""
_TELL: Final = f"""
    WITH due AS (
        SELECT d.id FROM departure d JOIN ticket t ON t.id = d.id
        WHERE d.id = ANY($1) AND d.told_at IS NULL AND d.place IS NOT NULL
          AND d.hall_id = t.hall_id AND {_COMES}
        ORDER BY d.id FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE departure SET told_at = $2 FROM due
    WHERE departure.id = due.id AND departure.told_at IS NULL
    RETURNING departure.id
"""
