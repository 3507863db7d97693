"""How somebody comes to her appointment: kept, told and forgotten as on the way to a ticket's turn.

A departure's id is then the appointment's. Its slot is known, so how long before it she must leave
is reckoned once, when she says how she comes.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from models.database import Transaction, rows
from models.departures import PLACE, Way
from models.joined import HER_ID
from models.sealing import Sealer

_TO_COME: Final = "('held', 'offered', 'booked')"
# Moved to another slot she is told anew.
_MOVED_AT: Final = """(SELECT max(e.at) FROM appointment_event e
                       WHERE e.appointment_id = {id} AND e.step = 'reschedule')"""
# The way to an appointment `t` that is to come, as JSON; null where she did not say.
SLOT_WAY: Final = f"""CASE WHEN t.state IN {_TO_COME} THEN (
               SELECT json_build_object('travel', d.travel, 'travel_s', d.travel_s,
                   'basis', d.travel_basis, 'lead_s', d.lead_s,
                   'told_at', CASE WHEN d.told_at < {_MOVED_AT.format(id="t.id")} THEN NULL
                              ELSE d.told_at END)
               FROM departure d WHERE d.id = t.id AND d.place IS NOT NULL) END AS way"""


async def keep(
    sealer: Sealer,
    appointment_id: UUID,
    way: Way,
    *,
    lat: float,
    lng: float,
    lead_s: int,
    citizen_id: UUID,
) -> bool:
    """Keep where she is (WGS-84 degrees, to a hundred metres), her way, and how long it takes.

    She leaves `lead_s` before her slot.

    False, and nothing is kept, unless the appointment is hers, at that hall and to come.
    """
    sealed = sealer.seal(f"{lat:.3f} {lng:.3f}", field=PLACE, owner=appointment_id)
    found = await rows(
        _KEEP,
        appointment_id,
        sealed,
        way.travel,
        way.hall_id,
        way.travel_s,
        way.basis.value,
        citizen_id,
        lead_s,
    )
    return bool(found)


async def withdraw(appointment_id: UUID, citizen_id: UUID) -> bool:
    """Forget where she is, if it is hers; False where it is not."""
    return bool(await rows(_WITHDRAW, citizen_id, appointment_id))


async def forget_over() -> None:
    """Forget where those are whose appointment is not to come: they are there, or never will be."""
    await rows(_FORGET_OVER)


async def tell(tx: Transaction, now: datetime, limit: int) -> list[UUID]:
    """Note for whom it is time to set off to a slot; answers whom nobody had told before.

    Each once a slot, whoever asks and however often; whatever notifies her belongs into the same
    transaction.
    """
    return [row["id"] for row in await tx.rows(_TELL, now, limit)]


_KEEP: Final = f"""
    INSERT INTO departure (id, place, travel, hall_id, travel_s, travel_basis, lead_s, kept_at)
    SELECT a.id, $2, $3, a.hall_id, $5, $6, $8, now()
    FROM appointment a, (SELECT {HER_ID.replace("$1", "$7")} AS id) her
    WHERE a.id = $1 AND a.hall_id = $4 AND her.id IN (a.citizen_id, a.acting_id)
      AND a.state IN {_TO_COME}
    ON CONFLICT (id) DO UPDATE SET place = excluded.place, travel = excluded.travel,
        hall_id = excluded.hall_id, travel_s = excluded.travel_s,
        travel_basis = excluded.travel_basis, lead_s = excluded.lead_s, kept_at = excluded.kept_at
    RETURNING id
"""
_FORGOTTEN: Final = """place = NULL, travel = NULL, hall_id = NULL, travel_s = NULL,
        travel_basis = NULL, lead_s = NULL"""
_WITHDRAW: Final = f"""
    WITH hers AS (
        SELECT a.id FROM appointment a, (SELECT {HER_ID} AS id) her
        WHERE a.id = $2 AND her.id IN (a.citizen_id, a.acting_id)
    ), withdrawn AS (
        UPDATE departure d SET {_FORGOTTEN} FROM hers WHERE d.id = hers.id
    )
    SELECT id FROM hers
"""
_FORGET_OVER: Final = f"""
    UPDATE departure d SET {_FORGOTTEN} FROM appointment a
    WHERE d.place IS NOT NULL AND a.id = d.id AND a.state NOT IN {_TO_COME}
"""
_TELL: Final = f"""
    WITH due AS (
        SELECT d.id FROM departure d JOIN appointment a ON a.id = d.id
        WHERE d.place IS NOT NULL AND a.state = 'booked' AND a.slot_start > $1
          AND a.slot_start - d.lead_s * interval '1 second' <= $1
          AND (d.told_at IS NULL OR d.told_at < {_MOVED_AT.format(id="a.id")})
        ORDER BY d.id LIMIT $2 FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE departure SET told_at = $1 FROM due WHERE departure.id = due.id
    RETURNING departure.id
"""
