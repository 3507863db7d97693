"""Plain bookings of one moment, decided together: one item in one slot, by whoever comes herself.

Two statements decide them all: one locks who books and the slots; the other sees all that was there
when they were locked, and writes what nothing stands against. Whoever it writes nothing for is
booked one by one (`models.booking`), where it is said why. Capacity is not decided here alone: the
slot's row is locked, and its CHECK holds whatever is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from models.answers import FirstAnswer, keep_all
from models.appointments import AppointmentState, Step
from models.booking import NewAppointment
from models.database import transaction
from models.proving import counts_for
from models.together import BRIEFLY, BUSY, FLUSH_LATER, Busy, Patience, Together


@dataclass(frozen=True, slots=True)
class PlainBooking:
    """An appointment about to be made for a citizen, held or booked: one item, one slot.

    She must be known as surely as `level_required` says, also by the channel of her sign-in, and
    may have `per_week` and `per_month` at most (0: any number). `answer` is kept with it.
    """

    new: NewAppointment
    sign_in_id: UUID | None
    level_required: int
    per_week: int
    per_month: int
    answer: FirstAnswer | None = None

    @property
    def citizen_id(self) -> UUID:
        """Who books."""
        return self.new.whose.person

    @property
    def slot_id(self) -> UUID:
        """Where."""
        return self.new.slots[0]


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a plain booking: it is `made`, or nothing stands against it but a `full` slot.

    Neither: it is to be decided by itself. `missed` is when she did not come, the last time first.
    """

    made: bool
    full: bool
    missed: Sequence[datetime]


_LOCK: Final = """
    WITH people AS MATERIALIZED (
        SELECT id FROM citizen WHERE id = ANY($1::uuid[]) {settings}
        ORDER BY id FOR NO KEY UPDATE {skip}
    ), slots AS MATERIALIZED (
        SELECT id FROM slot WHERE id = ANY($2::uuid[]) AND (SELECT count(*) FROM people) >= 0
        ORDER BY starts_at, id FOR UPDATE {skip}
    )
    SELECT ARRAY(SELECT id FROM people) AS people, ARRAY(SELECT id FROM slots) AS slots
"""
_SETTINGS: Final = f"AND {BRIEFLY} AND {FLUSH_LATER}"
_LOCKING: Final = {
    Patience.BRIEFLY: _LOCK.format(settings=_SETTINGS, skip=""),
    Patience.NONE: _LOCK.format(settings=_SETTINGS, skip="SKIP LOCKED"),
    Patience.ENDLESS: _LOCK.format(settings="", skip=""),
}
# `OFFSET 0` keeps a look-up a look-up, row by row. All of hers is read once: how often she has
# booked, and what she missed since she was last blocked. Whose number is verified may be old enough
# for the places kept for elders; those look at it one by one.
_DECIDE: Final = f"""
    WITH wish AS MATERIALIZED (
        SELECT w.*, date_trunc('week', w.day::timestamp)::date AS monday,
               date_trunc('month', w.day::timestamp)::date AS first,
               (date_trunc('month', w.day::timestamp) + interval '1 month')::date AS next
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[],
            $7::date[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[],
            $12::timestamptz[], $13::timestamptz[], $14::text[], $15::bigint[], $16::int[],
            $17::uuid[], $18::int[], $19::int[], $20::text[]
        ) WITH ORDINALITY AS w (
            id, citizen_id, slot_id, hall_id, line_id, item_id, day, slot_start, slot_end, state,
            step, at, held_until, code, version, level_required, sign_in_id, per_week, per_month,
            key, nth)
    ), able AS MATERIALIZED (
        SELECT w.*, slot.room, slot.for_elders, hers.missed,
               row_number() OVER (PARTITION BY w.slot_id ORDER BY w.nth) AS place
        FROM wish w CROSS JOIN LATERAL (
            SELECT capacity + overbooking - for_elders - for_companies - for_desk - taken AS room,
                   for_elders - taken_elders AS for_elders
            FROM slot
            WHERE id = w.slot_id AND state = 'open' AND line_id = w.line_id
              AND starts_at = w.slot_start AND ends_at = w.slot_end
              AND item_id IS NOT DISTINCT FROM (
                  SELECT p.item_id FROM slot_plan p
                  WHERE p.line_id = w.line_id AND p.item_id = w.item_id)
            OFFSET 0
        ) slot CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(until > w.at AND granted IS NOT TRUE), false) AS holds,
                   coalesce(max(since), '-infinity') AS since
            FROM booking_block WHERE person = w.citizen_id OFFSET 0
        ) block CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE counts AND day BETWEEN w.monday AND w.monday + 6)
                       AS in_week,
                   count(*) FILTER (WHERE counts AND day >= w.first AND day < w.next) AS in_month,
                   array_agg(slot_start ORDER BY slot_start DESC) FILTER (
                       WHERE state = 'missed' AND pardoned_at IS NULL AND slot_start > block.since)
                       AS missed
            FROM (SELECT day, state, slot_start, pardoned_at,
                         state IN ('held', 'offered', 'booked', 'checked_in', 'missed') AS counts
                  FROM appointment WHERE citizen_id = w.citizen_id OFFSET 0) a
        ) hers
        WHERE NOT block.holds
          AND (w.per_week = 0 OR hers.in_week < w.per_week)
          AND (w.per_month = 0 OR hers.in_month < w.per_month)
          AND NOT EXISTS (
              SELECT 1 FROM appointment_once o
              WHERE o.person = w.citizen_id AND o.item_id = w.item_id AND o.day = w.day OFFSET 0)
          AND EXISTS (
              SELECT 1 FROM citizen
              WHERE id = w.citizen_id AND (slot.for_elders <= 0 OR id_number IS NULL)
                AND (w.level_required = 0 OR {counts_for("w.sign_in_id")} >= w.level_required)
              OFFSET 0)
          AND (w.key IS NULL OR NOT EXISTS (
              SELECT 1 FROM answer a WHERE a.person_id = w.citizen_id AND a.key = w.key OFFSET 0))
    ), granted AS MATERIALIZED (
        SELECT * FROM able WHERE place <= room
    ), once AS (
        INSERT INTO appointment_once (person, item_id, day, appointment_id)
        SELECT citizen_id, item_id, day, id FROM granted ORDER BY 1, 2, 3
    ), place AS (
        INSERT INTO appointment_place (appointment_id, slot_id, part)
        SELECT id, slot_id, 'everybody' FROM granted ORDER BY nth
    ), event AS (
        INSERT INTO appointment_event (appointment_id, hall_id, at, step, state, slot_start,
            actor_kind, actor_id)
        SELECT id, hall_id, at, step, state, slot_start, 'citizen', citizen_id
        FROM granted ORDER BY nth
    ), made AS (
        INSERT INTO appointment (id, hall_id, line_id, item_id, items, citizen_id, part, day,
            slot_start, slot_end, state, made_at, held_until, booked_at, check_in_code, version)
        SELECT id, hall_id, line_id, item_id, ARRAY[item_id], citizen_id, 'everybody', day,
               slot_start, slot_end, state, at, held_until, CASE state WHEN 'booked' THEN at END,
               code, version
        FROM granted ORDER BY nth
    )
    SELECT nth, place <= room AS made, place > room AND for_elders <= 0 AS full, missed[1:20]
    FROM able
"""


async def book_plainly(wish: PlainBooking) -> Decided:
    """Decide a plain booking together with others of the moment; it is kept when this returns.

    Violates the constraints that `models.booking.make` violates where somebody came between.
    """
    return await _together.make(wish)


async def _book_all(wishes: Sequence[PlainBooking], patience: Patience) -> list[Decided | Busy]:
    people, slots = [wish.citizen_id for wish in wishes], [wish.slot_id for wish in wishes]
    async with transaction() as tx:
        locked = await tx.row(_LOCKING[patience], people, slots)
        assert locked is not None, "two arrays are a row"
        free_people, free_slots = set(locked["people"]), set(locked["slots"])
        free = [
            nth
            for nth, wish in enumerate(wishes)
            if wish.citizen_id in free_people and wish.slot_id in free_slots
        ]
        # Who was left out as somebody holds her row or the slot's; or there is no such row.
        left_out = BUSY if patience is Patience.NONE else _BY_ITSELF
        decided: list[Decided | Busy] = [left_out] * len(wishes)
        for row in await tx.rows(_DECIDE, *_columns([wishes[nth] for nth in free])):
            nth = free[row["nth"] - 1]
            decided[nth] = Decided(row["made"], row["full"], row["missed"] or ())
        await keep_all(tx, _answers(wishes, decided))
    return decided


_BY_ITSELF: Final = Decided(made=False, full=False, missed=())


def _columns(wishes: Sequence[PlainBooking]) -> list[list[Any]]:
    """What `_DECIDE` takes."""
    news = [wish.new for wish in wishes]
    step = {AppointmentState.HELD: Step.HOLD, AppointmentState.BOOKED: Step.BOOK}
    return [
        [new.id for new in news],
        [wish.citizen_id for wish in wishes],
        [wish.slot_id for wish in wishes],
        [new.hall_id for new in news],
        [new.line_id for new in news],
        [new.items[0] for new in news],
        [new.day for new in news],
        [new.slot_start for new in news],
        [new.slot_end for new in news],
        [new.state.value for new in news],
        [step[new.state].value for new in news],
        [new.now for new in news],
        [new.held_until for new in news],
        [new.code for new in news],
        [new.version for new in news],
        [wish.level_required for wish in wishes],
        [wish.sign_in_id for wish in wishes],
        [wish.per_week for wish in wishes],
        [wish.per_month for wish in wishes],
        [wish.answer and wish.answer.key for wish in wishes],
    ]


def _answers(
    wishes: Sequence[PlainBooking], decided: Sequence[Decided | Busy]
) -> list[tuple[FirstAnswer, bytes]]:
    return [
        (wish.answer, wish.answer.body(one.missed))
        for wish, one in zip(wishes, decided, strict=True)
        if wish.answer is not None and isinstance(one, Decided) and one.made
    ]


_together: Together[PlainBooking, Decided] = Together(
    _book_all,
    hall=lambda wish: wish.slot_id,
    # What she has booked is counted before the statement, so she books once in each.
    apart=lambda wish: wish.citizen_id,
    in_turn=False,
)
