"""Appointments of people whose accounts are joined, who are erased, or who ask what is kept.

The people are locked before. What is freed here is offered on by the worker within seconds.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from models import booking_steps, waiting
from models.appointments import AppointmentState, Step
from models.database import Transaction
from models.slots import WaitlistState
from models.tickets import SYSTEM, Actor

_OPEN = "state IN ('held', 'offered', 'booked')"


async def move_to(
    tx: Transaction, was: UUID | None, into: UUID, person_key: UUID, *, now: datetime, version: int
) -> None:
    """Give her the appointments of her other account, and those others made for her number.

    Of two for one item and day the one made for whom she was until now is given up.
    """
    if not await _has_any(tx, was, person_key):
        return
    doubles = await tx.rows(
        f"""
        SELECT a.* FROM appointment a
        WHERE (a.citizen_id = $1 OR a.person_key = $3) AND {_OPEN} AND EXISTS (
            SELECT 1 FROM appointment_once mine
            JOIN appointment_once hers USING (item_id, day)
            WHERE mine.appointment_id = a.id AND hers.person = $2)
        ORDER BY a.id FOR UPDATE
        """,
        was,
        into,
        person_key,
    )
    for row in doubles:
        await _give_up(tx, row, SYSTEM, "accounts_joined", now=now, version=version)
    await tx.run(
        """
        DELETE FROM appointment_once mine USING appointment_once hers
        WHERE mine.person = ANY(ARRAY[$1, $3]::uuid[]) AND hers.person = $2
          AND hers.item_id = mine.item_id AND hers.day = mine.day
        """,
        was,
        into,
        person_key,
    )
    await tx.run(
        "UPDATE appointment_once SET person = $2 WHERE person = ANY(ARRAY[$1, $3]::uuid[])",
        was,
        into,
        person_key,
    )
    await tx.run(
        """
        UPDATE waitlist w SET state = 'left'
        WHERE (w.citizen_id = $1 OR w.person_key = $3) AND w.state IN ('waiting', 'offered')
          AND EXISTS (SELECT 1 FROM waitlist o WHERE o.citizen_id = $2 AND o.item_id = w.item_id
                      AND o.day = w.day AND o.state IN ('waiting', 'offered'))
        """,
        was,
        into,
        person_key,
    )
    for table in ("appointment", "waitlist"):
        versioned = ""
        if table == "appointment":
            versioned = """, version = greatest(version + 1, $4),
                shown_as = CASE WHEN person_key = $3 THEN NULL ELSE shown_as END,
                name = CASE WHEN person_key = $3 THEN NULL ELSE name END,
                phone = CASE WHEN person_key = $3 THEN NULL ELSE phone END"""
        await tx.run(
            f"""
            UPDATE {table} SET
                citizen_id = CASE WHEN citizen_id = $1 OR person_key = $3 THEN $2
                                  ELSE citizen_id END,
                acting_id = CASE WHEN acting_id = $1 THEN $2 ELSE acting_id END,
                person_key = nullif(person_key, $3){versioned}
            WHERE (citizen_id = $1 OR acting_id = $1 OR person_key = $3) AND $4::bigint > 0
            """,
            was,
            into,
            person_key,
            version,
        )
    await tx.run(
        "UPDATE booking_block SET person = $2 WHERE person = ANY(ARRAY[$1, $3]::uuid[])",
        was,
        into,
        person_key,
    )


async def forget(tx: Transaction, citizen_id: UUID, *, now: datetime, version: int) -> None:
    """Give up her appointments, and those of whoever is known through her alone."""
    if not await _has_any(tx, citizen_id, citizen_id):
        return
    opened = await tx.rows(
        f"""
        SELECT * FROM appointment
        WHERE (citizen_id = $1 OR acting_id = $1 AND citizen_id IS NULL) AND {_OPEN}
        ORDER BY id FOR UPDATE
        """,
        citizen_id,
    )
    for row in opened:
        await _give_up(tx, row, Actor("citizen", citizen_id), "erased", now=now, version=version)
    await tx.run(
        "UPDATE waitlist SET state = 'left' WHERE state IN ('waiting', 'offered')"
        " AND (citizen_id = $1 OR acting_id = $1 AND citizen_id IS NULL)",
        citizen_id,
    )
    for table in ("appointment", "waitlist"):
        await tx.run(
            f"UPDATE {table} SET person_key = NULL WHERE acting_id = $1 AND citizen_id IS NULL",
            citizen_id,
        )
    await tx.run("DELETE FROM booking_block WHERE person = $1", citizen_id)


async def kept_of(tx: Transaction, citizen_id: UUID) -> list[Any]:
    """The appointments for a citizen, and those that she made for somebody else."""
    return await tx.rows(
        """
        SELECT a.id, h.code AS hall, a.state, a.day, a.slot_start, a.slot_end, a.made_at,
               a.booked_at, a.ended_at, a.pardon, a.proxy_id AS proxy, a.ticket_id AS ticket,
               a.acting_id IS NOT DISTINCT FROM $1 AS made_for_another,
               ARRAY(SELECT i.code FROM item i WHERE i.id = ANY(a.items)) AS items
        FROM appointment a JOIN hall h ON h.id = a.hall_id
        WHERE a.citizen_id = $1 OR a.acting_id = $1 ORDER BY a.made_at
        """,
        citizen_id,
    )


async def _has_any(tx: Transaction, citizen_id: UUID | None, person_key: UUID) -> bool:
    """Whether anything of bookings names her: for most people nothing does."""
    row = await tx.row(
        """
        SELECT EXISTS (SELECT 1 FROM appointment WHERE citizen_id = $1)
            OR EXISTS (SELECT 1 FROM appointment WHERE acting_id = $1)
            OR EXISTS (SELECT 1 FROM appointment WHERE person_key = $2)
            OR EXISTS (SELECT 1 FROM waitlist WHERE citizen_id = $1)
            OR EXISTS (SELECT 1 FROM waitlist WHERE acting_id = $1)
            OR EXISTS (SELECT 1 FROM waitlist WHERE person_key = $2)
            OR EXISTS (SELECT 1 FROM booking_block WHERE person = ANY(ARRAY[$1, $2]))
        """,
        citizen_id,
        person_key,
    )
    return bool(row and row[0])


async def _give_up(
    tx: Transaction, row: Any, actor: Actor, detail: str, *, now: datetime, version: int
) -> None:
    state = AppointmentState.CANCELLED
    await booking_steps.take_step(
        tx, row, Step.CANCEL, state, now=now, actor=actor, version=version, detail=detail
    )
    await booking_steps.release(tx, row["id"])
    if row["state"] == AppointmentState.OFFERED and row["waitlist_id"] is not None:
        await waiting.settle(tx, row["waitlist_id"], WaitlistState.LEFT)
