"""What becomes of an appointment: its row is locked, and its steps and places are written.

Locks are taken in the order that `models.booking` tells.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.appointments import AppointmentState, Step
from models.booking import whose
from models.database import Transaction
from models.joined import HER_ID
from models.slots import Part
from models.tickets import Actor


async def hold(tx: Transaction, appointment_id: UUID, *, or_skip: bool = False) -> Any:
    """An appointment's row, locked; None when there is none, or (`or_skip`) others hold it."""
    skip = " SKIP LOCKED" if or_skip else ""
    return await tx.row(f"SELECT * FROM appointment WHERE id = $1 FOR UPDATE{skip}", appointment_id)


async def hold_person_of(tx: Transaction, appointment_id: UUID) -> None:
    """Lock whose it is, before it, as her own bookings do; nothing where she has no account."""
    await tx.run(
        "SELECT 1 FROM citizen WHERE id = (SELECT citizen_id FROM appointment WHERE id = $1)"
        " FOR NO KEY UPDATE",
        appointment_id,
    )


async def hold_own(tx: Transaction, appointment_id: UUID, citizen_id: UUID) -> Any:
    """One for her, or made by her, locked; her id may be one that was joined a moment ago."""
    return await tx.row(
        f"""
        SELECT a.* FROM appointment a, (SELECT {HER_ID} AS id) her
        WHERE a.id = $2 AND her.id IN (citizen_id, acting_id) FOR UPDATE OF a
        """,
        citizen_id,
        appointment_id,
    )


async def take_step(
    tx: Transaction,
    row: Any,
    step: Step,
    state: AppointmentState,
    *,
    now: datetime,
    actor: Actor,
    version: int,
    detail: str | None = None,
    slot_start: datetime | None = None,
) -> None:
    """Write where an appointment, whose row is locked, stands now, and the event beside it."""
    over = state not in {AppointmentState.HELD, AppointmentState.OFFERED, AppointmentState.BOOKED}
    await tx.run(
        """
        WITH event AS (
            INSERT INTO appointment_event (appointment_id, hall_id, at, step, state, slot_start,
                actor_kind, actor_id, on_behalf_of, detail)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        )
        UPDATE appointment SET state = $5, version = greatest(version + 1, $11),
            revision = revision + 1,
            ended_at = CASE WHEN $12 THEN coalesce(ended_at, $3) END,
            booked_at = CASE WHEN $4 = 'confirm' THEN $3 ELSE booked_at END,
            held_until = CASE WHEN $5 = 'booked' THEN NULL ELSE held_until END
        WHERE id = $1
        """,
        row["id"],
        row["hall_id"],
        now,
        step.value,
        state.value,
        slot_start or row["slot_start"],
        actor.kind,
        actor.id,
        whose(row).on_behalf_of,
        detail,
        version,
        over,
    )


async def lock_slots(tx: Transaction, slot_ids: Sequence[UUID]) -> None:
    """Lock slots in the order of time, as everybody does who needs more than one."""
    await tx.run(
        "SELECT 1 FROM slot WHERE id = ANY($1) ORDER BY starts_at, id FOR UPDATE", list(slot_ids)
    )


async def places_of(tx: Transaction, appointment_id: UUID) -> list[UUID]:
    """The slots in which an appointment has places."""
    found = await tx.rows(
        "SELECT slot_id FROM appointment_place WHERE appointment_id = $1", appointment_id
    )
    return [row["slot_id"] for row in found]


async def release(tx: Transaction, appointment_id: UUID) -> list[UUID]:
    """Give up the places of an appointment whose row is locked; the slots that they were in."""
    slots = await places_of(tx, appointment_id)
    await lock_slots(tx, slots)
    await tx.run("DELETE FROM appointment_place WHERE appointment_id = $1", appointment_id)
    await tx.run("DELETE FROM appointment_once WHERE appointment_id = $1", appointment_id)
    return slots


async def move_places(
    tx: Transaction,
    row: Any,
    part: Part,
    slots: Sequence[UUID],
    *,
    line_id: UUID,
    day: date,
    slot_start: datetime,
    slot_end: datetime,
) -> list[UUID]:
    """Take places in other slots, then give up those of before, which it answers.

    All are locked first; violates what `make` violates, and then nothing has changed.
    """
    before = await places_of(tx, row["id"])
    await lock_slots(tx, [*before, *slots])
    keep = set(before) & set(slots)
    await tx.run(
        """
        INSERT INTO appointment_place (appointment_id, slot_id, part)
        SELECT $1, slot, $3 FROM unnest($2::uuid[]) slot
        """,
        row["id"],
        [slot for slot in slots if slot not in keep],
        part.value,
    )
    await tx.run(
        "DELETE FROM appointment_place WHERE appointment_id = $1 AND slot_id <> ALL($2)",
        row["id"],
        list(slots),
    )
    await tx.run(
        "UPDATE appointment_once SET day = $2 WHERE appointment_id = $1 AND day <> $2",
        row["id"],
        day,
    )
    await tx.run(
        "UPDATE appointment SET day = $2, slot_start = $3, slot_end = $4, part = $5,"
        " line_id = $6, must_move = false WHERE id = $1",
        row["id"],
        day,
        slot_start,
        slot_end,
        part.value,
        line_id,
    )
    return [slot for slot in before if slot not in keep]


async def checked_in(tx: Transaction, appointment_id: UUID, ticket_id: UUID) -> None:
    """Which ticket she got when she came."""
    await tx.run("UPDATE appointment SET ticket_id = $2 WHERE id = $1", appointment_id, ticket_id)


async def tick_off(
    tx: Transaction, appointment_id: UUID, papers: Sequence[str], version: int
) -> None:
    """What she says she has of what to bring; her row is locked."""
    await tx.run(
        "UPDATE appointment SET papers = $2, version = greatest(version + 1, $3) WHERE id = $1",
        appointment_id,
        list(papers),
        version,
    )
