"""Checking a database: whether all that was decided fits together, at one moment.

Everything is read in one snapshot, so halls may be at work meanwhile. Tickets and events are read a
page at a time; only the places of one day are held in memory.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg

from models.agreeing import BROKEN
from models.agreeing_bookings import BROKEN_BOOKINGS
from models.agreeing_payments import BROKEN_PAYMENTS
from models.agreeing_receipts import BROKEN_RECEIPTS
from models.database import Transaction, transaction
from models.faults import Fault, Found, Kind, fault_of_place, faults_of_ticket
from models.turns import Turns

PAGE: Final = 2_000
MOST_KEPT: Final = 20
# Statements here are few and read much: each is worth a plan of its own.
SNAPSHOT: Final = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL plan_cache_mode = auto"
)
NOBODY: Final = UUID(int=0)

# Told how much is done of how much.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at: everything, or the tickets that a hall ever had, or those of a day."""

    hall_id: UUID | None = None
    day: date | None = None


EVERYTHING: Final = Scope()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at, and what is wrong with it."""

    tickets: int
    events: int
    appointments: int
    bills: int
    answers: int
    found: Found

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.found.counts


async def verify(
    scope: Scope = EVERYTHING, *, progress: Progress = lambda _done, _all: None
) -> Verdict:
    """Check all that `scope` names, as it is at this moment."""
    async with transaction(SNAPSHOT) as tx:
        return await verify_in(tx, scope, progress=progress)


async def verify_in(
    tx: Transaction, scope: Scope, *, progress: Progress = lambda _done, _all: None
) -> Verdict:
    """The same, as a transaction sees it."""
    walk = await _begin(tx, scope, progress)
    await _check_tickets(walk)
    await _check_turns(walk)
    await _check_sets(walk)
    [booked] = await tx.rows(_APPOINTMENTS, scope.hall_id, scope.day)
    [billed] = await tx.rows(_BILLS, scope.hall_id, scope.day)
    answers = await _check_answers(walk)
    progress(walk.done, walk.done)
    many = (walk.tickets, walk.events, booked["many"], billed["many"], answers)
    return Verdict(*many, walk.found)


async def with_events(
    tx: Transaction, scope: Scope
) -> AsyncIterator[tuple[asyncpg.Record, Sequence[asyncpg.Record]]]:
    """All tickets of `scope` by their ids, each with its events in order."""
    after = NOBODY
    while page := await tx.rows(_TICKETS, scope.hall_id, scope.day, after, PAGE):
        after = page[-1]["id"]
        events = defaultdict(list)
        for event in await tx.rows(_EVENTS_OF, [row["id"] for row in page]):
            events[event["ticket_id"]].append(event)
        for row in page:
            yield row, events[row["id"]]


@dataclass(slots=True)
class _Walk:
    """One check under way."""

    tx: Transaction
    scope: Scope
    found: Found
    progress: Progress
    halls: dict[UUID, str]
    lines: dict[UUID, asyncpg.Record]
    total: int
    tickets: int = 0
    events: int = 0
    done: int = field(default=0)

    def add(self, kind: Kind, ticket: Any, detail: str = "") -> None:
        """Count a fault of a ticket."""
        hall = self.halls.get(ticket["hall_id"])
        day, number = ticket["day"], ticket["number"]
        self.found.add(Fault(kind, hall, day, number, ticket["id"], detail))

    def advance(self, by: int = 1) -> None:
        """Tell now and then how far it is."""
        self.done += by
        if self.done % PAGE < by:
            self.progress(self.done, max(self.total, self.done))


async def _begin(tx: Transaction, scope: Scope, progress: Progress) -> _Walk:
    halls = await tx.rows("SELECT id, code FROM hall")
    lines = await tx.rows("SELECT id, hall_id, code FROM line")
    # An estimate will do, and costs nothing.
    sizes = await tx.rows(
        "SELECT greatest(reltuples, 0)::bigint AS rows FROM pg_class"
        " WHERE oid IN ('ticket'::regclass, 'ticket_event'::regclass)"
    )
    return _Walk(
        tx,
        scope,
        Found(MOST_KEPT),
        progress,
        halls={row["id"]: row["code"] for row in halls},
        lines={row["id"]: row for row in lines},
        total=sum(row["rows"] for row in sizes),
    )


async def _check_tickets(walk: _Walk) -> None:
    """Each ticket by itself: do its events tell where it stands, and does it stand anywhere."""
    async for ticket, events in with_events(walk.tx, walk.scope):
        walk.tickets += 1
        walk.advance()
        for kind, detail in faults_of_ticket(ticket, events):
            walk.add(kind, ticket, detail)
        if misfit := fault_of_place(ticket, walk.lines.get(ticket["line_id"])):
            walk.add("out_of_place", ticket, misfit)


async def _check_turns(walk: _Walk) -> None:
    """All events in the order of decisions: was everybody called in her turn."""
    turns, after = Turns(), -1
    while page := await walk.tx.rows(_EVENTS, walk.scope.hall_id, walk.scope.day, after, PAGE):
        after = page[-1]["id"]
        walk.events += len(page)
        walk.advance(len(page))
        for event in page:
            ahead = turns.passed_over(event)
            if ahead is not None:
                hall = walk.halls.get(event["hall_id"])
                what, detail = event["of_number"], f"event {event['id']}, ahead was {ahead}"
                fault = Fault("out_of_turn", hall, event["day"], what, event["ticket_id"], detail)
                walk.found.add(fault)


async def _check_sets(walk: _Walk) -> None:
    """What holds between rows: one statement for each kind, which finds those that break it."""
    every = (*BROKEN, *BROKEN_BOOKINGS, *BROKEN_PAYMENTS, *BROKEN_RECEIPTS)
    for kind, sql in every:
        for row in await walk.tx.rows(sql, walk.scope.hall_id, walk.scope.day):
            hall = walk.halls.get(row["hall_id"])
            fault = Fault(kind, hall, row["day"], row["what"], row["ticket"], row["detail"])
            walk.found.add(fault)


async def _check_answers(walk: _Walk) -> int:
    """Whether what first answers tell of exists; how many answers there are.

    Answers belong to no hall and no day: with either named, they are not looked at.
    """
    if walk.scope != EVERYTHING:
        return 0
    named = [row["name"] for row in await walk.tx.rows(_TABLES)]
    seen, after = 0, NOBODY
    while page := await walk.tx.rows(_ANSWERS, after, PAGE):
        after = page[-1]["id"]
        seen += len(page)
        told = {row["id"]: _told_id(row["body"]) for row in page}
        missing = {row["id"] for row in page if row["status"] is None} | {
            answer for answer, thing in told.items() if thing is None
        }
        things = {thing for thing in told.values() if thing is not None}
        there = await _existing(walk.tx, named, things)
        missing |= {answer for answer, thing in told.items() if thing and thing not in there}
        for answer in sorted(missing):
            walk.found.add(Fault("answer_without_effect", what=f"answer {answer}"))
    return seen


async def _existing(tx: Transaction, tables: Sequence[str], ids: set[UUID]) -> set[UUID]:
    there: set[UUID] = set()
    for table in tables:
        if missing := ids - there:
            found = await tx.rows(f"SELECT id FROM {table} WHERE id = ANY($1)", list(missing))
            there |= {row["id"] for row in found}
    return there


def _told_id(body: bytes | None) -> UUID | None:
    """The id of what an answer tells of; None when it tells of nothing."""
    try:
        told = json.loads(body or b"")
        return UUID(told["id"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


_TICKETS = """
    SELECT t.* FROM ticket t
    WHERE t.id > $3
      AND ($1::uuid IS NULL OR t.hall_id = $1 OR EXISTS (
          SELECT 1 FROM ticket_event e WHERE e.ticket_id = t.id AND e.hall_id = $1))
      AND ($2::date IS NULL OR t.day = $2)
    ORDER BY t.id LIMIT $4
"""
_EVENTS_OF = "SELECT * FROM ticket_event WHERE ticket_id = ANY($1) ORDER BY ticket_id, id"
_EVENTS = """
    SELECT e.id, e.ticket_id, e.hall_id, e.at, e.move, e.state, e.counter_id, e.line_id, e.here,
           e.rank_time, e.held_for, t.day, t.number AS of_number
    FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id
    WHERE e.id > $3 AND ($1::uuid IS NULL OR e.hall_id = $1) AND ($2::date IS NULL OR t.day = $2)
    ORDER BY e.id LIMIT $4
"""
_APPOINTMENTS = """
    SELECT count(*) AS many FROM appointment
    WHERE ($1::uuid IS NULL OR hall_id = $1) AND ($2::date IS NULL OR day = $2)
"""
_BILLS = """
    SELECT count(*) AS many FROM bill b WHERE ($1::uuid IS NULL OR b.hall_id = $1)
      AND ($2::date IS NULL OR (b.made_at AT TIME ZONE 'Asia/Shanghai')::date = $2)
"""
_ANSWERS = "SELECT id, status, body FROM answer WHERE id > $1 ORDER BY id LIMIT $2"
# Whatever can be created with a key has an id of its own; tickets are most of it.
_TABLES = """
    SELECT quote_ident(table_name) AS name FROM information_schema.columns
    WHERE table_schema = current_schema() AND column_name = 'id' AND data_type = 'uuid'
      AND table_name <> 'answer'
    ORDER BY table_name <> 'ticket', table_name
"""
