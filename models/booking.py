"""Booking: what decides it, and the statements that write it.

Whoever books is locked before (`models.proxies.acting`, or her own row), so what she has booked is
counted where nothing moves. Places are taken by rows of `appointment_place`: `models.slots`.
Locks are taken in this order: citizens, appointments, slots by time, the waitlist.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from models.appointments import AppointmentState, Step
from models.database import Transaction
from models.proving import counts_for
from models.slots import Part
from models.tickets import Actor


@dataclass(frozen=True, slots=True)
class SlotAt:
    """A slot, how many places everybody may still book, and how many are left of those kept."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    open: bool
    room: int
    for_elders: int
    for_companies: int
    for_desk: int


@dataclass(frozen=True, slots=True)
class BookingFacts:
    """What decides whether somebody may book; `level` None: who asks is no citizen any more.

    `slots` are for each item its line's, or its own, from the one asked for to the day's end.
    """

    level: int | None
    blocked_until: datetime | None
    has_one: bool
    in_week: int
    in_month: int
    slots: tuple[tuple[SlotAt, ...], ...]


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose appointment it is, as a ticket tells it: `acting_id` booked it for somebody else."""

    citizen_id: UUID | None
    acting_id: UUID | None = None
    proxy_id: UUID | None = None
    person_key: UUID | None = None

    @property
    def person(self) -> UUID:
        """What tells one person from another, with or without an account."""
        person = self.citizen_id or self.person_key
        assert person is not None, "somebody comes"
        return person

    @property
    def on_behalf_of(self) -> UUID | None:
        """Whom events name, where somebody else booked it."""
        return (self.citizen_id or self.proxy_id) if self.acting_id else None


@dataclass(frozen=True, slots=True)
class NewAppointment:
    """An appointment about to be made: held, offered or booked at once."""

    id: UUID
    hall_id: UUID
    line_id: UUID
    items: tuple[UUID, ...]
    whose: Whose
    part: Part
    slots: tuple[UUID, ...]
    day: date
    slot_start: datetime
    slot_end: datetime
    state: AppointmentState
    now: datetime
    held_until: datetime | None
    code: str
    actor: Actor
    version: int
    waitlist_id: UUID | None = None
    # What is shown of her name who has no account, and her name and telephone, sealed.
    shown_as: str | None = None
    name: bytes | None = field(default=None, repr=False)
    phone: bytes | None = field(default=None, repr=False)


def whose(row: Any) -> Whose:
    """Whose an appointment's row is."""
    return Whose(row["citizen_id"], row["acting_id"], row["proxy_id"], row["person_key"])


_SLOT_AT = tuple(each.name for each in fields(SlotAt))
_FACTS = f"""
    SELECT (SELECT {counts_for("$2")} FROM citizen WHERE id = $1) AS level,
           (SELECT max(until) FROM booking_block
            WHERE person = $3 AND until > $4 AND granted IS NOT TRUE) AS blocked_until,
           EXISTS (SELECT 1 FROM appointment_once
                   WHERE person = $3 AND day = $5 AND item_id = ANY($6::uuid[])) AS has_one,
           counted.*, nth, slot.id, starts_at, ends_at, slot.state = 'open' AS open,
           capacity + overbooking - for_elders - for_companies - for_desk - taken + EXISTS (
               SELECT 1 FROM appointment_place p
               WHERE p.appointment_id = $12 AND p.slot_id = slot.id)::int AS room,
           for_elders - taken_elders AS for_elders,
           for_companies - taken_companies AS for_companies, for_desk - taken_desk AS for_desk
    FROM (
        SELECT count(*) FILTER (WHERE day BETWEEN $9::date AND $9::date + 6) AS in_week,
               count(*) FILTER (WHERE day BETWEEN $10 AND $11) AS in_month
        FROM (SELECT day FROM appointment WHERE citizen_id = $3
              AND state IN ('held', 'offered', 'booked', 'checked_in', 'missed')
              AND id IS DISTINCT FROM $12 OFFSET 0) hers
    ) counted
    CROSS JOIN unnest($6::uuid[], $7::uuid[]) WITH ORDINALITY AS wanted (item, line, nth)
    LEFT JOIN LATERAL (
        SELECT * FROM slot WHERE line_id = wanted.line AND starts_at >= $8 AND day = $5
        AND item_id IS NOT DISTINCT FROM (
            SELECT item_id FROM slot_plan
            WHERE line_id = wanted.line AND slot_plan.item_id = wanted.item)
        ORDER BY starts_at LIMIT 60
    ) slot ON true
    ORDER BY nth, starts_at
"""
# Of who has no account the same is found by her key.
_FACTS_FOR = _FACTS.replace("citizen_id = $3", "person_key = $3")


def locking(citizen_id: UUID) -> str:
    """The statement that locks a citizen who books: her bookings are made one after the other."""
    return f"SELECT 1 FROM citizen WHERE id = '{citizen_id}' FOR NO KEY UPDATE"


async def facts(
    tx: Transaction,
    *,
    asked_by: UUID | None,
    sign_in_id: UUID | None,
    whose: Whose,
    items: Sequence[UUID],
    lines: Sequence[UUID],
    slot_start: datetime,
    day: date,
    now: datetime,
    besides: UUID | None = None,
) -> BookingFacts:
    """What decides whether somebody may book, in one statement; `besides` one appointment.

    `lines` serve the `items`, one each.
    """
    first = day.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    found = await tx.rows(
        _FACTS if whose.citizen_id else _FACTS_FOR,
        asked_by,
        sign_in_id,
        whose.person,
        now,
        day,
        list(items),
        list(lines),
        slot_start,
        day - timedelta(days=day.weekday()),
        first,
        last,
        besides,
    )
    one = found[0]
    slots: list[list[SlotAt]] = [[] for _ in items]
    for row in found:
        if row["id"] is not None:
            slots[row["nth"] - 1].append(SlotAt(**{name: row[name] for name in _SLOT_AT}))
    return BookingFacts(
        one["level"],
        one["blocked_until"],
        one["has_one"],
        one["in_week"],
        one["in_month"],
        tuple(map(tuple, slots)),
    )


async def make(tx: Transaction, new: NewAppointment) -> None:
    """Write an appointment with its places and its first event.

    Violates a CHECK of `SLOT_FULL`, or `SLOT_CLOSED`, where there is no place, and `ONCE` where she
    has one for the item on that day.
    """
    step = {
        AppointmentState.HELD: Step.HOLD,
        AppointmentState.OFFERED: Step.OFFER,
        AppointmentState.BOOKED: Step.BOOK,
    }[new.state]
    booked = new.state is AppointmentState.BOOKED
    await tx.run(
        """
        WITH once AS (
            INSERT INTO appointment_once (person, item_id, day, appointment_id)
            SELECT $10, item, $13, $1 FROM unnest($5::uuid[]) item ORDER BY item
        ), place AS (
            INSERT INTO appointment_place (appointment_id, slot_id, part)
            SELECT $1, slot, $12 FROM unnest($11::uuid[]) WITH ORDINALITY s (slot, nth)
            ORDER BY nth
        ), event AS (
            INSERT INTO appointment_event (appointment_id, hall_id, at, step, state, slot_start,
                actor_kind, actor_id, on_behalf_of)
            VALUES ($1, $2, $17, $22, $16, $14, $23, $24, $25)
        )
        INSERT INTO appointment (id, hall_id, line_id, item_id, items, citizen_id, acting_id,
            proxy_id, person_key, part, day, slot_start, slot_end, state, made_at, held_until,
            booked_at, check_in_code, version, waitlist_id, shown_as, name, phone)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $26, $27, $28, $29)
        """,
        new.id,
        new.hall_id,
        new.line_id,
        new.items[0],
        list(new.items),
        new.whose.citizen_id,
        new.whose.acting_id,
        new.whose.proxy_id,
        new.whose.person_key,
        new.whose.person,
        list(new.slots),
        new.part.value,
        new.day,
        new.slot_start,
        new.slot_end,
        new.state.value,
        new.now,
        new.held_until,
        new.now if booked else None,
        new.code,
        new.version,
        step.value,
        new.actor.kind,
        new.actor.id,
        new.whose.on_behalf_of,
        new.waitlist_id,
        new.shown_as,
        new.name,
        new.phone,
    )
