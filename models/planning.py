"""Planning slots: what a hall's slots rest on, and the statements that write them.

A slot that somebody has booked is never deleted: it is closed, and keeps as many places as are
taken. Slots are written line by line, in the order of time, as everybody locks them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from models.database import Transaction


@dataclass(frozen=True, slots=True)
class PlannedSlot:
    """A slot as it is to be; see `models.slots.Slot`."""

    starts_at: datetime
    ends_at: datetime
    planned: int
    overbooking: int
    for_elders: int
    for_companies: int
    for_desk: int
    serves: float
    walk_ins: float


async def take_turn(tx: Transaction, hall_id: UUID, *, wait: bool = False) -> bool:
    """Whether nobody else plans this hall's slots just now; then nobody does until `tx` ends.

    With `wait` it is our turn when this returns.
    """
    if wait:
        await tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 6))", str(hall_id))
        return True
    row = await tx.row("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 6))", str(hall_id))
    return bool(row and row[0])


async def counters_of(tx: Transaction, hall_id: UUID) -> list[Any]:
    """The lines that each counter of a hall serves as its own."""
    return await tx.rows(
        "SELECT ARRAY(SELECT unnest(skills) EXCEPT SELECT unnest(helps)) AS own"
        " FROM counter WHERE hall_id = $1",
        hall_id,
    )


def serving(counters: Sequence[Any]) -> defaultdict[str, float]:
    """How many counters serve each line: one of three lines is a third of one in each."""
    many: defaultdict[str, float] = defaultdict(float)
    for row in counters:
        for line in row["own"]:
            many[line] += 1 / len(row["own"])
    return many


async def plans_of(tx: Transaction, hall_id: UUID) -> list[Any]:
    """What managers of a hall planned differently from what is usual."""
    return await tx.rows("SELECT * FROM slot_plan WHERE hall_id = $1", hall_id)


async def came_since(tx: Transaction, since: datetime) -> list[Any]:
    """How many were expected, and how many did not come, by hall, item, weekday and hour.

    Who was pardoned counts as having stayed away all the same: her place was empty.
    """
    return await tx.rows(
        """
        SELECT hall.code AS hall, item.code AS item,
               extract(isodow FROM slot_start AT TIME ZONE 'Asia/Shanghai')::int - 1 AS weekday,
               extract(hour FROM slot_start AT TIME ZONE 'Asia/Shanghai')::int AS hour,
               sum(expected)::int AS expected, sum(missed)::int AS missed
        FROM (SELECT hall_id, item_id, slot_start, count(*) AS expected,
                     count(*) FILTER (WHERE state = 'missed') AS missed
              FROM appointment WHERE state IN ('missed', 'checked_in') AND slot_start >= $1
              GROUP BY 1, 2, 3) a
        JOIN hall ON hall.id = a.hall_id JOIN item ON item.id = a.item_id
        GROUP BY 1, 2, 3, 4
        """,
        since,
    )


async def walk_ins_since(tx: Transaction, hall_id: UUID, first: date, last: date) -> list[Any]:
    """How many took a number without booking, by line, weekday and quarter of an hour."""
    return await tx.rows(
        """
        SELECT line_id, extract(isodow FROM day)::int - 1 AS weekday,
               extract(epoch FROM (issued_at AT TIME ZONE 'Asia/Shanghai')::time)::int / 900
                   AS quarter,
               count(*)::float AS people, count(DISTINCT day) AS days
        FROM ticket t
        WHERE hall_id = $1 AND day >= $2 AND day < $3
          AND NOT EXISTS (SELECT 1 FROM appointment a WHERE a.ticket_id = t.id OFFSET 0)
        GROUP BY 1, 2, 3
        """,
        hall_id,
        first,
        last,
    )


# A slot that is not as {new} says; what a manager said of it stands.
_DIFFERS = """NOT slot.overridden AND (
        slot.ends_at, slot.state::text, slot.planned, slot.overbooking, slot.for_elders,
        slot.for_companies, slot.for_desk, slot.serves, slot.walk_ins
    ) IS DISTINCT FROM (
        {new}.ends_at, 'open', {new}.planned, {new}.overbooking,
        greatest({new}.for_elders, slot.taken_elders),
        greatest({new}.for_companies, slot.taken_companies),
        greatest({new}.for_desk, slot.taken_desk), {new}.serves, {new}.walk_ins)"""
# What is as planned already is only looked at: whoever books there waits for nobody.
_WRITE = f"""
    INSERT INTO slot (id, hall_id, line_id, item_id, day, starts_at, ends_at, state, planned,
                      capacity, overbooking, for_elders, for_companies, serves, walk_ins, for_desk)
    SELECT id, $2, $3, $4, (starts_at AT TIME ZONE 'Asia/Shanghai')::date, starts_at, ends_at,
           'open', planned, planned, overbooking, for_elders, for_companies, serves, walk_ins,
           for_desk
    FROM unnest($1::uuid[], $5::timestamptz[], $6::timestamptz[], $7::int[], $8::int[], $9::int[],
                $10::int[], $11::float[], $12::float[], $13::int[])
        AS w (id, starts_at, ends_at, planned, overbooking, for_elders, for_companies, serves,
              walk_ins, for_desk)
    WHERE NOT EXISTS (
        SELECT 1 FROM slot
        WHERE slot.line_id = $3 AND slot.item_id IS NOT DISTINCT FROM $4
          AND slot.starts_at = w.starts_at AND NOT ({_DIFFERS.format(new="w")}) OFFSET 0)
    ORDER BY starts_at
    ON CONFLICT (line_id, item_id, starts_at) DO UPDATE SET
        ends_at = excluded.ends_at, state = 'open', planned = excluded.planned,
        overbooking = excluded.overbooking, serves = excluded.serves,
        walk_ins = excluded.walk_ins,
        for_elders = greatest(excluded.for_elders, slot.taken_elders),
        for_companies = greatest(excluded.for_companies, slot.taken_companies),
        for_desk = greatest(excluded.for_desk, slot.taken_desk),
        capacity = greatest(excluded.planned, slot.taken - excluded.overbooking
            + greatest(excluded.for_elders, slot.taken_elders)
            + greatest(excluded.for_companies, slot.taken_companies)
            + greatest(excluded.for_desk, slot.taken_desk))
    WHERE {_DIFFERS.format(new="excluded")}
    RETURNING 1
"""


async def write(
    tx: Transaction,
    hall_id: UUID,
    line_id: UUID,
    item_id: UUID | None,
    slots: Sequence[PlannedSlot],
) -> int:
    """Write a line's slots, or those of one of its items; how many differ from before."""
    found = await tx.rows(
        _WRITE,
        [uuid7() for _ in slots],
        hall_id,
        line_id,
        item_id,
        [slot.starts_at for slot in slots],
        [slot.ends_at for slot in slots],
        [slot.planned for slot in slots],
        [slot.overbooking for slot in slots],
        [slot.for_elders for slot in slots],
        [slot.for_companies for slot in slots],
        [slot.serves for slot in slots],
        [slot.walk_ins for slot in slots],
        [slot.for_desk for slot in slots],
    )
    return len(found)


async def close_others(
    tx: Transaction,
    hall_id: UUID,
    keep: Sequence[tuple[UUID, UUID | None, datetime]],
    now: datetime,
) -> int:
    """Slots from now on that are none of these go; those with bookings are closed instead."""
    found = await tx.rows(
        """
        WITH kept AS (
            SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[])
                AS k (line_id, item_id, starts_at)
        ), others AS MATERIALIZED (
            SELECT slot.id FROM slot
            WHERE hall_id = $1 AND starts_at > $5 AND NOT EXISTS (
                SELECT 1 FROM kept WHERE kept.line_id = slot.line_id
                AND kept.item_id IS NOT DISTINCT FROM slot.item_id
                AND kept.starts_at = slot.starts_at)
            ORDER BY line_id, item_id NULLS FIRST, starts_at FOR UPDATE
        ), gone AS (
            DELETE FROM slot USING others
            WHERE slot.id = others.id
              AND taken + taken_elders + taken_companies + taken_desk = 0 RETURNING 1
        ), closed AS (
            UPDATE slot SET state = 'closed', planned = 0, overridden = false FROM others
            WHERE slot.id = others.id
              AND taken + taken_elders + taken_companies + taken_desk > 0
              AND (state <> 'closed' OR planned > 0 OR overridden) RETURNING 1
        )
        SELECT 1 FROM gone UNION ALL SELECT 1 FROM closed
        """,
        hall_id,
        [line for line, _, _ in keep],
        [item for _, item, _ in keep],
        [start for _, _, start in keep],
        now,
    )
    return len(found)


# Looked at are slots that are closed, or in which more have booked than fit, and what is marked:
# usually nothing. `OFFSET 0` and arrays keep look-ups look-ups, whatever statistics say.
_MARK = """
    WITH tight AS MATERIALIZED (
        SELECT id, CASE state WHEN 'open' THEN planned + overbooking ELSE 0 END AS fit FROM slot
        WHERE hall_id = $1 AND starts_at > $2
          AND taken + taken_elders + taken_companies + taken_desk
              > CASE state WHEN 'open' THEN planned + overbooking ELSE 0 END
    ), ill AS MATERIALIZED (
        SELECT DISTINCT p.appointment_id AS id
        FROM tight CROSS JOIN LATERAL (
            SELECT place.appointment_id, row_number() OVER (ORDER BY b.booked_at, b.id) AS nth
            FROM appointment_place place CROSS JOIN LATERAL (
                SELECT id, booked_at FROM appointment WHERE id = place.appointment_id OFFSET 0) b
            WHERE place.slot_id = tight.id OFFSET 0
        ) p
        WHERE p.nth > tight.fit
    ), looked_at AS MATERIALIZED (
        SELECT id FROM ill
        UNION
        SELECT a.id FROM appointment a
        WHERE a.hall_id = $1 AND a.must_move AND a.state = 'booked' AND EXISTS (
            SELECT 1 FROM appointment_place place JOIN slot ON slot.id = place.slot_id
            WHERE place.appointment_id = a.id AND slot.starts_at > $2 OFFSET 0)
    ), marked AS (
        UPDATE appointment SET version = greatest(version + 1, $3),
            must_move = id = ANY(ARRAY(SELECT id FROM ill))
        WHERE id = ANY(ARRAY(SELECT id FROM looked_at)) AND state = 'booked'
          AND must_move <> (id = ANY(ARRAY(SELECT id FROM ill)))
        RETURNING id, must_move
    )
    SELECT id FROM marked WHERE must_move
"""


async def mark_unfitting(tx: Transaction, hall_id: UUID, now: datetime, version: int) -> list[Any]:
    """Mark bookings whose slot is closed, or has fewer places than had booked before them.

    Those that fit again are marked no more. Answers those newly marked.
    """
    return await tx.rows(_MARK, hall_id, now, version)
