"""Who waits for a place, and who is the next to be offered one.

The slots concerned are locked before; entries are locked after them, those that others hold just
now are passed over for this once, and looked at again by the worker within seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from models.booking import Whose
from models.database import Transaction, rows
from models.slots import Part, WaitlistState
from scheduler.booking import BookingRules
from scheduler.calendar import business_day

_USUAL: Final = BookingRules()


@dataclass(frozen=True, slots=True)
class NewWait:
    """Somebody who is about to wait for a place between two moments of a day."""

    id: UUID
    hall_id: UUID
    line_id: UUID
    item_id: UUID
    whose: Whose
    part: Part
    day: date
    many: int
    starts_from: datetime
    until: datetime
    now: datetime


async def join(tx: Transaction, new: NewWait) -> None:
    """Let her wait; of two for one person, item and day the second violates a unique key."""
    await tx.run(
        """
        INSERT INTO waitlist (id, hall_id, line_id, item_id, citizen_id, acting_id, proxy_id,
            person_key, part, day, many, starts_from, until, state, joined_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'waiting', $14)
        """,
        new.id,
        new.hall_id,
        new.line_id,
        new.item_id,
        new.whose.citizen_id,
        new.whose.acting_id,
        new.whose.proxy_id,
        new.whose.person_key,
        new.part.value,
        new.day,
        new.many,
        new.starts_from,
        new.until,
        new.now,
    )


# That whom `w` is for has booked as often in the week or month of `s` as one may at its hall.
_BOOKED_ENOUGH = f"""
    SELECT 1 FROM hall h CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE date_trunc('week', a.day::timestamp)
                                    = date_trunc('week', s.day::timestamp)) AS in_week,
               count(*) FILTER (WHERE date_trunc('month', a.day::timestamp)
                                    = date_trunc('month', s.day::timestamp)) AS in_month
        FROM appointment a WHERE (a.citizen_id = w.citizen_id OR a.person_key = w.person_key)
        AND a.state IN ('held', 'offered', 'booked', 'checked_in', 'missed')
    ) hers CROSS JOIN LATERAL (
        SELECT coalesce((h.rules->>'book_per_week')::int, {_USUAL.book_per_week}) AS per_week,
               coalesce((h.rules->>'book_per_month')::int, {_USUAL.book_per_month}) AS per_month
    ) may WHERE h.id = s.hall_id
      AND (0 < per_week AND per_week <= in_week OR 0 < per_month AND per_month <= in_month)
"""
# Whom a slot `s` could be offered to at a moment: it lies in her time, is of her item's slots, and
# nothing of hers stands against it.
FITS = f"""
    w.line_id = s.line_id AND w.day = s.day AND w.state = 'waiting'
    AND w.starts_from <= s.starts_at AND s.ends_at <= w.until
    AND s.item_id IS NOT DISTINCT FROM (
        SELECT item_id FROM slot_plan p WHERE p.line_id = s.line_id AND p.item_id = w.item_id)
    AND (s.taken + s.for_elders + s.for_companies + s.for_desk < s.capacity + s.overbooking
         OR w.part = 'elders' AND s.taken_elders < s.for_elders
         OR w.part = 'companies' AND s.taken_companies < s.for_companies)
    AND NOT EXISTS (SELECT 1 FROM appointment_once o WHERE o.item_id = w.item_id AND o.day = w.day
                    AND o.person = coalesce(w.citizen_id, w.person_key) OFFSET 0)
    AND NOT EXISTS (SELECT 1 FROM booking_block b WHERE b.until > {{now}} AND b.granted IS NOT TRUE
                    AND b.person = coalesce(w.citizen_id, w.person_key) OFFSET 0)
    AND NOT EXISTS ({_BOOKED_ENOUGH} OFFSET 0)
"""


async def next_for(tx: Transaction, slot_id: UUID, now: datetime, besides: Sequence[UUID]) -> Any:
    """The first who waits for a place in this slot, locked, and the slot; None: nobody does."""
    return await tx.row(
        f"""
        SELECT w.*, s.starts_at AS slot_starts_at
        FROM slot s JOIN waitlist w ON {FITS.format(now="$2")}
        WHERE s.id = $1 AND s.state = 'open' AND s.starts_at > $2 AND w.id <> ALL($3)
        ORDER BY w.id LIMIT 1 FOR UPDATE OF w SKIP LOCKED
        """,
        slot_id,
        now,
        list(besides),
    )


async def near(tx: Transaction, slot_id: UUID, many: int) -> list[Any]:
    """The open slots around one that may make a row with it, in order, locked; others' are not."""
    return await tx.rows(
        """
        SELECT o.*, o.capacity + o.overbooking - o.taken
               - o.for_elders - o.for_companies - o.for_desk AS room
        FROM slot s JOIN slot o ON o.line_id = s.line_id AND o.day = s.day
            AND o.item_id IS NOT DISTINCT FROM s.item_id AND o.state = 'open'
            AND o.starts_at BETWEEN s.starts_at - ($2 - 1) * (s.ends_at - s.starts_at)
                                AND s.starts_at + ($2 - 1) * (s.ends_at - s.starts_at)
        WHERE s.id = $1 ORDER BY o.starts_at FOR UPDATE OF o SKIP LOCKED
        """,
        slot_id,
        many,
    )


async def offered(tx: Transaction, wait_id: UUID, appointment_id: UUID) -> None:
    """She is offered this place."""
    await tx.run(
        "UPDATE waitlist SET state = 'offered', appointment_id = $2 WHERE id = $1",
        wait_id,
        appointment_id,
    )


async def settle(tx: Transaction, wait_id: UUID, state: WaitlistState) -> None:
    """What became of the place that she was offered."""
    await tx.run(
        "UPDATE waitlist SET state = $2 WHERE id = $1 AND state = 'offered'", wait_id, state.value
    )


async def slots_to_offer(now: datetime) -> list[UUID]:
    """Slots with room for which somebody waits: nobody has been offered it yet."""
    found = await rows(
        f"""
        SELECT DISTINCT s.id, s.starts_at FROM waitlist w JOIN slot s ON {FITS.format(now="$2")}
        WHERE s.state = 'open' AND s.starts_at > $2 AND w.day >= $1
        ORDER BY s.starts_at, s.id
        """,
        business_day(now),
        now,
    )
    return [row["id"] for row in found]


async def end_what_is_over(now: datetime) -> None:
    """Whose time has passed waits no more."""
    await rows("UPDATE waitlist SET state = 'over' WHERE state = 'waiting' AND until <= $1", now)


async def leave(tx: Transaction, wait_id: UUID) -> None:
    """She waits no more."""
    await tx.run("UPDATE waitlist SET state = 'left' WHERE id = $1 AND state = 'waiting'", wait_id)
