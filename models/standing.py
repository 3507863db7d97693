"""Where tickets stand, read and written whole: for what happens too seldom to need one statement.

These are plain statements inside a transaction that holds the locks of the halls concerned. The row
is written as `models.history` says it must be after the event, and the event beside it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from models.database import Transaction
from models.decisions import VIEW_ONE, Head
from models.halls import ISSUING_STOPPED
from models.history import Happened, Standing, follow, replay
from models.tickets import Actor, Move, Priority, TicketState, after
from models.whole import Written, sequence_of, write


@dataclass(frozen=True, slots=True)
class Held:
    """A ticket whose row this transaction holds: where it stands, and what never changes."""

    id: UUID
    item_id: UUID
    citizen_id: UUID | None
    acting_id: UUID | None
    proxy_id: UUID | None
    person_key: UUID | None
    day: date
    issued_at: datetime
    now: Standing

    @property
    def on_behalf_of(self) -> UUID | None:
        """Whom it is for, where somebody else took it."""
        return (self.citizen_id or self.proxy_id) if self.acting_id else None


@dataclass(frozen=True, slots=True)
class LineAt:
    """A line that somebody may come to: whether as many wait in it as it takes.

    `stopped`: its manager lets it give out no more numbers today. `reason`: the words, in two
    languages, why it is not open, where it is not and somebody gave them.
    """

    id: UUID
    full: bool
    stopped: bool = False
    is_open: bool = True
    reason: tuple[str | None, str | None] = (None, None)


async def hold(tx: Transaction, ticket_id: UUID) -> Held | None:
    """A ticket's row, locked; None when there is none."""
    row = await tx.row("SELECT * FROM ticket WHERE id = $1 FOR UPDATE", ticket_id)
    return _held(row) if row else None


async def hold_waiting(tx: Transaction, line_id: UUID) -> list[Held]:
    """Those who wait in a line, in its order, their rows locked."""
    found = await tx.rows(
        "SELECT * FROM ticket WHERE line_id = $1 AND state = 'waiting'"
        " ORDER BY rank_time, id FOR UPDATE",
        line_id,
    )
    return [_held(row) for row in found]


async def hold_open(tx: Transaction, hall_id: UUID, day: date, *states: TicketState) -> list[Held]:
    """A hall's tickets of days up to this one that are in these states, their rows locked."""
    found = await tx.rows(
        """
        SELECT * FROM ticket
        WHERE hall_id = $1 AND ended_at IS NULL AND day <= $2 AND state = ANY($3)
        ORDER BY rank_time, id FOR UPDATE
        """,
        hall_id,
        day,
        [state.value for state in states],
    )
    return [_held(row) for row in found]


async def hold_at(tx: Transaction, counter_id: UUID) -> Held | None:
    """The ticket that is called to a counter or served there."""
    row = await tx.row(
        "SELECT * FROM ticket WHERE counter_id = $1 AND state IN ('called', 'serving') FOR UPDATE",
        counter_id,
    )
    return _held(row) if row else None


async def hold_parked(
    tx: Transaction, hall_id: UUID, counter_id: UUID, number: str | None
) -> Held | None:
    """The parked ticket of this number, or without one the first of those parked at the counter."""
    row = await tx.row(
        """
        SELECT * FROM ticket
        WHERE hall_id = $1 AND ended_at IS NULL AND state = 'parked'
          AND CASE WHEN $3::text IS NULL THEN counter_id = $2 ELSE number = $3 END
        ORDER BY rank_time, id LIMIT 1 FOR UPDATE
        """,
        hall_id,
        counter_id,
        number,
    )
    return _held(row) if row else None


async def find(tx: Transaction, hall_id: UUID, day: date, ticket: str) -> UUID | None:
    """A hall's ticket by its id or, on that day, by its number."""
    if re.fullmatch(r"[A-Z]{1,4}[0-9]{3,8}", ticket):
        line, sequence = ticket.rstrip("0123456789"), sequence_of(ticket)
        row = await tx.row(
            """
            SELECT t.id FROM line JOIN ticket t ON t.line_id = line.id
            WHERE line.hall_id = $1 AND line.code = $2 AND t.day = $3 AND t.sequence = $4
            """,
            hall_id,
            line,
            day,
            sequence,
        )
    else:
        try:
            ticket_id = UUID(ticket)
        except ValueError:
            return None
        row = await tx.row(
            "SELECT id FROM ticket WHERE id = $1 AND hall_id = $2", ticket_id, hall_id
        )
    return row["id"] if row else None


async def make(
    tx: Transaction,
    held: Held,
    event: Happened,
    *,
    version: int,
    actor: Actor,
    on_behalf_of: UUID | None = None,
) -> asyncpg.Record:
    """Write what happened, and where the ticket stands after it; answers it as `VIEW_ONE` does.

    Raises WrongState when the move is impossible from where it stands. A unique key is violated
    when the ticket is opened again and she has taken another since, or the counter is not free.
    """
    written = replace(_written(held, event), on_behalf_of=on_behalf_of)
    return await _write(tx, written, version, actor)


async def make_all(
    tx: Transaction,
    made: Iterable[tuple[Held, Happened]],
    *,
    version: int,
    actor: Actor,
) -> dict[UUID, int]:
    """The same for many tickets at once, in as few statements; answers their versions by id."""
    written = [_written(held, event) for held, event in made]
    return await write(tx, written, version=version, actor=actor)


def _written(held: Held, event: Happened) -> Written:
    event = replace(event, state=after(held.now.state, event.move))
    return Written(held.id, follow(held.now, event), event, held.on_behalf_of)


async def undo(
    tx: Transaction,
    held: Held,
    event: Happened,
    events: Sequence[Happened],
    *,
    version: int,
    actor: Actor,
) -> asyncpg.Record:
    """Let a ticket stand as it did before the last of its `events`, which `event.undoes` names.

    Violates a unique key as `make` does.
    """
    before = replay(events[:-1])
    event = replace(
        event,
        state=before.state,
        line_id=before.line_id,
        number=before.number,
        rank_time=before.rank_time,
    )
    return await _write(tx, Written(held.id, before, event, held.on_behalf_of), version, actor)


async def _write(tx: Transaction, written: Written, version: int, actor: Actor) -> asyncpg.Record:
    await write(tx, [written], version=version, actor=actor)
    row = await tx.row(VIEW_ONE, written.ticket_id)
    assert row is not None, "it was there a moment ago"
    return row


async def history(tx: Transaction, ticket_id: UUID) -> list[Happened]:
    """All that happened to a ticket, in order."""
    found = await tx.rows("SELECT * FROM ticket_event WHERE ticket_id = $1 ORDER BY id", ticket_id)
    return [happened(row) for row in found]


def happened(row: Any) -> Happened:
    """An event's row as what happened."""
    return Happened(
        move=Move(row["move"]),
        state=TicketState(row["state"]),
        at=row["at"],
        hall_id=row["hall_id"],
        counter_id=row["counter_id"],
        detail=row["detail"],
        line_id=row["line_id"],
        number=row["number"],
        rank_time=row["rank_time"],
        held_for=row["held_for"],
        visit_id=row["visit_id"],
        here=row["here"],
        undoes=row["undoes"],
        id=row["id"],
    )


def standing(row: Any) -> Standing:
    """A ticket's row as where it stands."""
    return Standing(
        state=TicketState(row["state"]),
        hall_id=row["hall_id"],
        line_id=row["line_id"],
        number=row["number"],
        rank_time=row["rank_time"],
        counter_id=row["counter_id"],
        called_at=row["called_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        outcome=row["outcome"],
        recalls=row["recalls"],
        priority=Priority(row["priority"]) if row["priority"] else None,
        priority_at=row["priority_at"],
        returned_at=row["returned_at"],
        lapsed=row["lapsed"],
        sent_from=row["sent_from"],
        visit_id=row["visit_id"],
        checked_in_at=row["checked_in_at"],
        away=row["away"],
    )


async def line_for(
    tx: Transaction, hall_id: UUID, item_id: UUID, *, now: datetime
) -> LineAt | None:
    """The line of a hall that serves an item; None when the hall does not offer it."""
    row = await tx.row(
        """
        SELECT line.id, line.waiting_limit, line.state = 'open' AS is_open, line.reason,
            line.reason_en,
            (SELECT count(*) FROM ticket t WHERE t.line_id = line.id AND t.state = 'waiting')
                AS waiting, """
        + ISSUING_STOPPED.format(now="$3")
        + """ AS stopped
        FROM offering JOIN line ON line.id = offering.line_id
        WHERE offering.hall_id = $1 AND offering.item_id = $2
        """,
        hall_id,
        item_id,
        now,
    )
    if row is None:
        return None
    limit = row["waiting_limit"]
    full = limit is not None and row["waiting"] >= limit
    return LineAt(
        row["id"],
        full=full,
        stopped=row["stopped"],
        is_open=row["is_open"],
        reason=(row["reason"], row["reason_en"]),
    )


async def behind(tx: Transaction, held: Held, people: int) -> list[Head]:
    """The first so many who wait behind a ticket in its line and may be called, in their order."""
    found = await tx.rows(
        """
        SELECT ticket.id, line.code AS line, rank_time
        FROM ticket JOIN line ON line.id = ticket.line_id
        WHERE line_id = $1 AND ticket.state = 'waiting' AND NOT away
          AND (rank_time, ticket.id) > ($2, $3)
        ORDER BY rank_time, ticket.id LIMIT $4
        """,
        held.now.line_id,
        held.now.rank_time,
        held.id,
        people,
    )
    return [Head(row["id"], row["line"], row["rank_time"]) for row in found]


def _held(row: Any) -> Held:
    return Held(
        id=row["id"],
        item_id=row["item_id"],
        citizen_id=row["citizen_id"],
        acting_id=row["acting_id"],
        proxy_id=row["proxy_id"],
        person_key=row["person_key"],
        day=row["day"],
        issued_at=row["issued_at"],
        now=standing(row),
    )
