"""Notices that time brings: an appointment comes near, a payment is not finished.

What happens to appointments, bills and visits writes its notices by triggers (migration
`notices_of_matters`). What only time brings is found here, as long as it is true: nothing is
written before its moment, so nothing has to be unwritten when an appointment is moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from models.database import Transaction
from models.notice_kinds import RULES, NoticeKind, Urgency

# An order that is not paid is told of so long before it ends.
ORDER_ENDS_SOON: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Reminder:
    """A hall's people are reminded `before` their slot, and not once it is `unless` before it."""

    hall_id: UUID
    kind: NoticeKind
    before: timedelta
    unless: timedelta


# Who booked or moved it later than the reminder's moment needs none. Rows are held, so that one
# which is moved meanwhile is either not reminded of, or its reminder is taken back.
_REMIND: Final = """
    WITH due AS (
        SELECT a.id, a.hall_id, a.item_id, a.slot_start, a.citizen_id, a.acting_id, r.kind
        FROM unnest($2::uuid[], $3::text[], $4::interval[], $5::interval[])
            AS r (hall_id, kind, before, unless)
        JOIN appointment a ON a.hall_id = r.hall_id AND a.state = 'booked' AND NOT a.must_move
        WHERE a.slot_start > $1::timestamptz + r.unless AND a.slot_start <= $1 + r.before
          AND a.slot_start > $1 AND a.slot_start <= $1 + $6::interval
          AND (SELECT max(e.at) FROM appointment_event e WHERE e.appointment_id = a.id
               AND e.step IN ('book', 'confirm', 'reschedule')) <= a.slot_start - r.before
          AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.event_key =
              r.kind || ':' || a.id || ':' || extract(epoch FROM a.slot_start)::bigint)
        ORDER BY a.slot_start, a.id LIMIT $7 FOR SHARE OF a SKIP LOCKED
    )
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, hall_id, facts, urgency,
                        happened_at, useful_until, state, try_after)
    SELECT uuidv7(), kind || ':' || due.id || ':' || extract(epoch FROM slot_start)::bigint,
           person, kind, due.id, hall_id,
           jsonb_build_object('item', item_id, 'slot', slot_start), $8, $1, slot_start,
           'waiting', now()
    FROM due CROSS JOIN LATERAL (SELECT citizen_id AS person UNION SELECT acting_id) whom
    WHERE person IS NOT NULL
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING RETURNING 1
"""
_LEAVE: Final = """
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, hall_id, facts, urgency,
                        happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'leave:' || a.id || ':' || extract(epoch FROM a.slot_start)::bigint,
           person, $3, a.id, a.hall_id,
           jsonb_build_object('item', a.item_id, 'slot', a.slot_start,
               'minutes', greatest(1, (d.travel_s + 59) / 60)),
           $4, $2, a.slot_start, 'waiting', now()
    FROM appointment a JOIN departure d ON d.id = a.id CROSS JOIN LATERAL (
        SELECT a.citizen_id AS person UNION SELECT a.acting_id) whom
    WHERE a.id = ANY($1::uuid[]) AND person IS NOT NULL
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING
"""
_MUST_MOVE: Final = """
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, hall_id, facts, urgency,
                        happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'must_move:' || a.id || ':' || a.version, person, $3, a.id, a.hall_id,
           jsonb_build_object('item', a.item_id, 'slot', a.slot_start), $4, $2, a.slot_start,
           'waiting', now()
    FROM appointment a CROSS JOIN LATERAL (
        SELECT a.citizen_id AS person UNION SELECT a.acting_id) whom
    WHERE a.id = ANY($1::uuid[]) AND person IS NOT NULL
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING
"""
_ENDING: Final = """
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, ticket_id, hall_id, facts,
                        urgency, happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'ending:' || o.id, person, $3, b.id, b.ticket_id, b.hall_id,
           jsonb_build_object('title', b.title, 'amount_fen', b.amount_fen, 'until', o.close_at),
           $4, $1::timestamptz, o.close_at, 'waiting', now()
    FROM (SELECT * FROM pay_order WHERE state = 'pending' AND close_at > $1
            AND close_at <= $1 + $2::interval
            AND placed_at <= close_at - $2::interval) o
    JOIN bill b ON b.id = o.bill_id AND b.state = 'due' CROSS JOIN LATERAL (
        SELECT b.citizen_id AS person UNION SELECT b.acting_id) whom
    WHERE person IS NOT NULL
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING RETURNING 1
"""


async def remind(
    tx: Transaction, reminders: Sequence[Reminder], *, now: datetime, limit: int
) -> int:
    """Write the reminders whose moment has come, each once a slot; how many were new."""
    found = await tx.rows(
        _REMIND,
        now,
        [each.hall_id for each in reminders],
        [each.kind.value for each in reminders],
        [each.before for each in reminders],
        [each.unless for each in reminders],
        max((each.before for each in reminders), default=timedelta()),
        limit,
        Urgency.MATTER,
    )
    return len(found)


async def write_leave_now(
    tx: Transaction, appointment_ids: Sequence[UUID], *, now: datetime
) -> None:
    """That it is time to set off to these appointments, for whom they are and who made them."""
    kind = NoticeKind.APPOINTMENT_LEAVE
    await tx.run(_LEAVE, list(appointment_ids), now, kind.value, RULES[kind].urgency)


async def write_must_move(
    tx: Transaction, appointment_ids: Sequence[UUID], *, now: datetime
) -> None:
    """That the hall's hours changed, and these appointments must be moved."""
    kind = NoticeKind.APPOINTMENT_MUST_MOVE
    await tx.run(_MUST_MOVE, list(appointment_ids), now, kind.value, RULES[kind].urgency)


async def tell_of_ending_orders(tx: Transaction, *, now: datetime) -> int:
    """That a payment was begun, and ends soon unless it is made; how many were told."""
    kind = NoticeKind.BILL_EXPIRING
    found = await tx.rows(_ENDING, now, ORDER_ENDS_SOON, kind.value, RULES[kind].urgency)
    return len(found)
