"""Plain bookings of one moment, decided together: one item in one slot, by whoever comes herself.

One statement locks who books and the slots, and writes what nothing stands against. Whoever it
writes nothing for is booked one by one (`models.booking`), where it is said why. What it saw of
others before it had the locks may be old: a slot's room is read from the row that it locked, one
for a person, item and day is a unique key, and where bookings are counted the locks are taken
before, by a statement of their own. Capacity is not decided here alone: the slot's CHECK holds
whatever is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from models.answers import FirstAnswer, keep_all
from models.appointments import AppointmentState, Step
from models.booking import NewAppointment
from models.database import rows, transaction
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
    def is_counted(self) -> bool:
        """Whether it is counted how often she has booked."""
        return self.per_week > 0 or self.per_month > 0

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


# Beginning and ending so long a statement costs as much as three or four bookings in it do.
GATHER_S: Final = 0.008
_SETTINGS: Final = f"AND {BRIEFLY} AND {FLUSH_LATER}"
# Who books and where, locked in the order in which everybody locks them.
_LOCK: Final = """people AS MATERIALIZED (
        SELECT id, level, phone, id_number FROM citizen WHERE id = ANY($2::uuid[]) {settings}
        ORDER BY id FOR NO KEY UPDATE {skip}
    ), slots AS MATERIALIZED (
        SELECT id, line_id, item_id, starts_at, ends_at, state,
               capacity + overbooking - for_elders - for_companies - for_desk - taken AS room,
               for_elders - taken_elders AS for_elders
        FROM slot WHERE id = ANY($3::uuid[]) AND (SELECT count(*) FROM people) >= 0
        ORDER BY starts_at, id FOR UPDATE {skip}
    )"""
# `OFFSET 0` keeps a look-up a look-up, row by row. All of hers is read once: how often she has
# booked, and what she missed since she was last blocked. Whose number is verified may be old enough
# for the places kept for elders: that is looked at one by one.
_DECIDE: Final = """
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
    ), {lock}, able AS MATERIALIZED (
        SELECT w.*, slot.room, slot.for_elders, hers.missed,
               row_number() OVER (PARTITION BY w.slot_id ORDER BY w.nth) AS place
        FROM wish w JOIN people citizen ON citizen.id = w.citizen_id
        JOIN slots slot ON slot.id = w.slot_id
        CROSS JOIN LATERAL (
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
          AND slot.state = 'open' AND slot.line_id = w.line_id
          AND slot.starts_at = w.slot_start AND slot.ends_at = w.slot_end
          AND slot.item_id IS NOT DISTINCT FROM (
              SELECT p.item_id FROM slot_plan p
              WHERE p.line_id = w.line_id AND p.item_id = w.item_id)
          AND (slot.for_elders <= 0 OR citizen.id_number IS NULL)
          AND (w.level_required = 0 OR {counts} >= w.level_required)
          AND (w.per_week = 0 OR hers.in_week < w.per_week)
          AND (w.per_month = 0 OR hers.in_month < w.per_month)
          AND NOT EXISTS (
              SELECT 1 FROM appointment_once o
              WHERE o.person = w.citizen_id AND o.item_id = w.item_id AND o.day = w.day OFFSET 0)
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
    SELECT w.nth, people.id IS NULL OR slots.id IS NULL AS left_out,
           coalesce(able.place <= able.room, false) AS made,
           coalesce(able.place > able.room AND able.for_elders <= 0, false) AS full,
           able.missed[1:20] AS missed
    FROM wish w LEFT JOIN people ON people.id = w.citizen_id LEFT JOIN slots ON slots.id = w.slot_id
    LEFT JOIN able USING (nth)
"""


def _in(patience: Patience) -> tuple[str, str]:
    """What locks alone, and what decides, by how long they wait."""
    endless = patience is Patience.ENDLESS
    lock = _LOCK.format(
        settings="" if endless else _SETTINGS,
        skip="SKIP LOCKED" if patience is Patience.NONE else "",
    )
    alone = lock.replace("$2", "$1").replace("$3", "$2")
    decide = _DECIDE.format(lock=lock, counts=counts_for("w.sign_in_id"))
    return f"WITH {alone} SELECT count(*) FROM slots", decide


_STATEMENTS: Final = {patience: _in(patience) for patience in Patience}


async def book_plainly(wish: PlainBooking) -> Decided:
    """Decide a plain booking together with others of the moment; it is kept when this returns.

    Violates the constraints that `models.booking.make` violates where somebody came between.
    """
    return await _together.make(wish)


async def _book_all(wishes: Sequence[PlainBooking], patience: Patience) -> list[Decided | Busy]:
    lock, decide = _STATEMENTS[patience]
    if not any(wish.is_counted or wish.answer for wish in wishes):
        return _decided(await rows(decide, *_columns(wishes)), patience)
    async with transaction() as tx:
        # What is counted must be seen as it is under her lock: by a statement that begins with it.
        if any(wish.is_counted for wish in wishes):
            people = [wish.citizen_id for wish in wishes]
            await tx.rows(lock, people, [wish.slot_id for wish in wishes])
        decided = _decided(await tx.rows(decide, *_columns(wishes)), patience)
        await keep_all(tx, _answers(wishes, decided))
    return decided


def _decided(found: Sequence[Any], patience: Patience) -> list[Decided | Busy]:
    # Who was left out as somebody holds her row or the slot's; or there is no such row.
    left_out = BUSY if patience is Patience.NONE else _BY_ITSELF
    decided: list[Decided | Busy] = [left_out] * len(found)
    for row in found:
        if not row["left_out"]:
            one = Decided(row["made"], row["full"], row["missed"] or ())
            decided[row["nth"] - 1] = one
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
    gather_s=GATHER_S,
)
