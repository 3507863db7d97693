"""Visits as they stand: read whole and locked, with what is known of the lines they lead through.

Plain statements inside a transaction. Locks are taken in this order: the halls where the visit has
numbers, its people (a new ticket refers to them), its tickets, its own row; docs/decisions.md has
the order of all.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.database import Transaction
from models.halls import ISSUING_STOPPED
from models.tickets import OPEN_STATES, Priority, TicketState
from models.visits import Left, VisitState


@dataclass(frozen=True, slots=True)
class NewVisit:
    """A visit about to begin: whose, where, from when on she counts as waiting."""

    id: UUID
    hall_id: UUID
    citizen_id: UUID | None
    acting_id: UUID | None
    proxy_id: UUID | None
    person_key: UUID | None
    day: date
    begun_at: datetime
    rank_time: datetime
    bundle: str | None = None
    form: bytes | None = None


@dataclass(frozen=True, slots=True)
class HeldStop:
    """A stop of a visit that this transaction holds; from `hall_id` on it tells of its ticket."""

    id: UUID
    item_id: UUID
    place: int
    after: Sequence[UUID]
    turn: int | None
    ticket_id: UUID | None
    given_after: UUID | None
    left_out: Left | None
    added_with: UUID | None
    # Where it was booked: when its slot began, from which its number counts.
    slot_start: datetime | None = None
    hall_id: UUID | None = None
    state: TicketState | None = None
    priority: Priority | None = None
    priority_at: datetime | None = None

    @property
    def is_pending(self) -> bool:
        """Whether its turn is still to come."""
        return self.ticket_id is None and self.left_out is None

    @property
    def is_under_way(self) -> bool:
        """Whether it has a ticket that is not over."""
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class HeldVisit:
    """A visit whose row this transaction holds, with its stops in order."""

    id: UUID
    hall_id: UUID
    citizen_id: UUID | None
    acting_id: UUID | None
    proxy_id: UUID | None
    person_key: UUID | None
    day: date
    rank_time: datetime
    state: VisitState
    stops: tuple[HeldStop, ...]

    @property
    def pending(self) -> tuple[HeldStop, ...]:
        """The stops whose turn is still to come."""
        return tuple(stop for stop in self.stops if stop.is_pending)

    @property
    def last(self) -> HeldStop | None:
        """The stop that was given a ticket last."""
        given = [stop for stop in self.stops if stop.turn is not None]
        return max(given, key=lambda stop: stop.turn or 0, default=None)

    @property
    def is_at(self) -> UUID:
        """The hall where she is: that of her last number, wherever it was moved to."""
        return (self.last.hall_id if self.last else None) or self.hall_id

    @property
    def is_under_way(self) -> bool:
        """Whether any of its tickets is not over."""
        return any(stop.is_under_way for stop in self.stops)

    def is_within(self, halls: Collection[UUID]) -> bool:
        """Whether it is, and has its numbers, in these halls only."""
        return {self.is_at, *(stop.hall_id or self.is_at for stop in self.stops)} <= set(halls)

    @property
    def on_behalf_of(self) -> UUID | None:
        """Whom it is for, where somebody else signed her in."""
        return (self.citizen_id or self.proxy_id) if self.acting_id else None

    def with_item(self, item_id: UUID) -> HeldStop | None:
        """The stop for an item that is pending, else the one given a ticket last."""
        of_item = [stop for stop in self.stops if stop.item_id == item_id]
        return max(of_item, key=lambda stop: (stop.is_pending, stop.turn or 0), default=None)


@dataclass(frozen=True, slots=True)
class StopFacts:
    """What is known of a line of the hall that serves the item of a stop."""

    line_id: UUID
    is_open: bool
    is_full: bool
    # Waiting people whose place in the order is before the visit's, and counters open for the line.
    ahead: int
    counters: int
    # The open number that she has for this item; another visit of hers that will give her one.
    ticket_id: UUID | None
    is_pending_elsewhere: bool
    # Whether whoever asks may see that number: it is for her, or she took it.
    may_see_ticket: bool = False


async def hold(tx: Transaction, visit_id: UUID) -> HeldVisit | None:
    """A visit's row, locked, and its stops; None when there is none.

    Its halls and its people are locked before.
    """
    row = await tx.row("SELECT * FROM visit WHERE id = $1 FOR UPDATE", visit_id)
    if row is None:
        return None
    stops = await tx.rows(
        """
        SELECT s.*, t.state, t.hall_id, t.priority, t.priority_at
        FROM visit_stop s LEFT JOIN ticket t ON t.id = s.ticket_id
        WHERE s.visit_id = $1 ORDER BY s.place
        """,
        visit_id,
    )
    return HeldVisit(
        id=row["id"],
        hall_id=row["hall_id"],
        citizen_id=row["citizen_id"],
        acting_id=row["acting_id"],
        proxy_id=row["proxy_id"],
        person_key=row["person_key"],
        day=row["day"],
        rank_time=row["rank_time"],
        state=VisitState(row["state"]),
        stops=tuple(_stop(stop) for stop in stops),
    )


def _stop(row: Any) -> HeldStop:
    return HeldStop(
        id=row["id"],
        item_id=row["item_id"],
        place=row["place"],
        after=tuple(row["after"]),
        turn=row["turn"],
        ticket_id=row["ticket_id"],
        given_after=row["given_after"],
        left_out=Left(row["left_out"]) if row["left_out"] else None,
        added_with=row["added_with"],
        slot_start=row["slot_start"],
        hall_id=row["hall_id"],
        state=TicketState(row["state"]) if row["state"] else None,
        priority=Priority(row["priority"]) if row["priority"] else None,
        priority_at=row["priority_at"],
    )


async def lock_halls(tx: Transaction, visit_id: UUID, citizen_id: UUID | None) -> set[UUID]:
    """Lock the halls where a visit is or has numbers, in the order of their ids.

    Nothing where it is neither for this citizen nor was she who signed in; None stands for anybody.
    """
    found = await tx.rows(
        """
        SELECT id FROM hall WHERE id IN (
            SELECT hall_id FROM visit
            WHERE id = $1 AND ($2::uuid IS NULL OR citizen_id = $2 OR acting_id = $2)
            UNION ALL
            SELECT t.hall_id FROM visit v JOIN visit_stop s ON s.visit_id = v.id
            JOIN ticket t ON t.id = s.ticket_id
            WHERE v.id = $1 AND ($2::uuid IS NULL OR v.citizen_id = $2 OR v.acting_id = $2))
        ORDER BY id FOR UPDATE
        """,
        visit_id,
        citizen_id,
    )
    return {row["id"] for row in found}


async def hold_people(tx: Transaction, visit_id: UUID) -> None:
    """Keep a visit's people from being joined away or erased until the transaction ends."""
    await tx.run(
        """
        SELECT 1 FROM citizen WHERE id IN (
            SELECT unnest(ARRAY[citizen_id, acting_id]) FROM visit WHERE id = $1)
        ORDER BY id FOR KEY SHARE
        """,
        visit_id,
    )


async def hold_people_at(tx: Transaction, counter_id: UUID) -> None:
    """The same of whoever is at a counter."""
    await tx.run(
        """
        SELECT 1 FROM citizen WHERE id IN (
            SELECT unnest(ARRAY[citizen_id, acting_id]) FROM ticket
            WHERE counter_id = $1 AND state IN ('called', 'serving'))
        ORDER BY id FOR KEY SHARE
        """,
        counter_id,
    )


_LINES_NOW = """
    SELECT o.item_id, line.id, line.waiting_limit,
        line.state = 'open' AND NOT {stopped} AS is_open,
        (SELECT count(*) FROM ticket t WHERE t.line_id = line.id AND t.state = 'waiting')
            AS waiting,
        (SELECT count(*) FROM ticket t WHERE t.line_id = line.id AND t.state = 'waiting'
            AND t.rank_time < $3) AS ahead,
        (SELECT count(*) FROM counter c WHERE c.hall_id = o.hall_id AND c.state = 'open'
            AND line.code = ANY(c.serving)) AS counters,
        hers.id AS ticket_id, $7::uuid IN (hers.citizen_id, hers.acting_id) AS may_see,
        EXISTS (SELECT 1 FROM visit v JOIN visit_stop s ON s.visit_id = v.id
            WHERE (v.citizen_id = $4 OR v.person_key = $5) AND v.ended_at IS NULL
            AND v.id <> $6 AND s.item_id = o.item_id
            AND s.ticket_id IS NULL AND s.left_out IS NULL) AS pending_elsewhere
    FROM unnest($2::uuid[]) AS wanted (item_id)
    JOIN offering o ON o.item_id = wanted.item_id AND o.hall_id = $1
    JOIN line ON line.id = o.line_id
    LEFT JOIN LATERAL (
        SELECT id, citizen_id, acting_id FROM ticket t
        WHERE (t.citizen_id = $4 OR t.person_key = $5)
          AND t.item_id = o.item_id AND t.ended_at IS NULL LIMIT 1) hers ON true
""".replace("{stopped}", ISSUING_STOPPED.format(now="$8"))


async def lines_now(
    tx: Transaction,
    hall_id: UUID,
    item_ids: Sequence[UUID],
    visit: HeldVisit | NewVisit,
    *,
    now: datetime,
    asked_by: UUID | None = None,
) -> dict[UUID, StopFacts]:
    """The line that serves each of these items in a hall, as it is; without those not offered.

    Nobody moves in them while the hall is locked. What the visit itself has pending counts for
    nothing.
    """
    found = await tx.rows(
        _LINES_NOW,
        hall_id,
        list(item_ids),
        visit.rank_time,
        visit.citizen_id,
        visit.person_key,
        visit.id,
        asked_by,
        now,
    )
    return {row["item_id"]: _facts(row) for row in found}


def _facts(row: Any) -> StopFacts:
    limit = row["waiting_limit"]
    return StopFacts(
        line_id=row["id"],
        is_open=row["is_open"],
        is_full=limit is not None and row["waiting"] >= limit,
        ahead=row["ahead"],
        counters=row["counters"],
        ticket_id=row["ticket_id"],
        is_pending_elsewhere=row["pending_elsewhere"],
        may_see_ticket=bool(row["may_see"]),
    )
