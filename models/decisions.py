"""Deciding in a hall: the facts, and the statements that write what was decided.

A decision is: read the facts, decide, write what was decided if the facts still stand. The write
takes the hall's row lock, which puts the decisions of one hall (and nothing wider) in order, and
checks under it, in the same statement: round trips are what a decision costs. When the facts have
moved meanwhile nothing is written, and `decide` begins again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models.database import Transaction, statements, transaction
from models.halls import CounterState, LineState
from models.tickets import Actor, Move, TicketState, after


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What must be known of a line before somebody joins it."""

    state: LineState
    waiting_limit: int | None
    waiting: int
    has_open_ticket: bool
    level: int


@dataclass(frozen=True, slots=True)
class Head:
    """The first waiting ticket of a line."""

    id: UUID
    line: str
    rank_time: datetime


@dataclass(frozen=True, slots=True)
class CounterFacts:
    """A counter as it stands: who is at it, and who is first in each line that it serves."""

    id: UUID
    state: CounterState
    ticket_id: UUID | None
    ticket_state: TicketState | None
    heads: tuple[Head, ...]


Row = TypeVar("Row")
TRIES_BEFORE_LOCKING = 3
_turns: defaultdict[UUID, asyncio.Lock] = defaultdict(asyncio.Lock)


async def decide(hall_id: UUID, work: Callable[[Transaction], Awaitable[Row | None]]) -> Row:
    """Do `work` (read facts, decide, write) until its write finds the facts as it read them.

    `work` answers None when they had moved. After a few tries it is done under the hall's lock,
    where they cannot move.
    """
    # Decisions of this process wait here for each other, and not in the database: only another
    # process can then move the facts between reading and writing.
    async with _turns[hall_id]:
        for _ in range(TRIES_BEFORE_LOCKING):
            async with statements() as tx:
                row = await work(tx)
            if row is not None:
                return row
    async with deciding_in(hall_id) as tx:
        row = await work(tx)
    assert row is not None, "nothing moves under the hall's lock"
    return row


def deciding_in(hall_id: UUID) -> AbstractAsyncContextManager[Transaction]:
    """A transaction in which nobody else decides anything in this hall."""
    return transaction(f"SELECT 1 FROM hall WHERE id = '{hall_id}' FOR UPDATE")


async def line_facts(
    tx: Transaction, *, line_id: UUID, citizen_id: UUID | None, item_id: UUID
) -> LineFacts:
    """What decides whether a citizen may join, in one statement."""
    row = await tx.row(
        """
        SELECT state, waiting_limit,
            (SELECT count(*) FROM ticket t WHERE t.line_id = line.id AND t.state = 'waiting')
                AS waiting,
            EXISTS (SELECT 1 FROM ticket t WHERE t.citizen_id = $2 AND t.item_id = $3
                AND t.state IN ('waiting', 'called', 'serving', 'parked')) AS has_open_ticket,
            coalesce((SELECT level FROM citizen WHERE id = $2), 0) AS level
        FROM line WHERE id = $1
        """,
        line_id,
        citizen_id,
        item_id,
    )
    assert row is not None, "lines are never deleted"
    return LineFacts(
        state=LineState(row["state"]),
        waiting_limit=row["waiting_limit"],
        waiting=row["waiting"],
        has_open_ticket=row["has_open_ticket"],
        level=row["level"],
    )


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket about to be issued. Times are business time."""

    hall_id: UUID
    line_id: UUID
    item_id: UUID
    citizen_id: UUID | None
    day: date
    issued_at: datetime
    rank_time: datetime
    version: int
    level_required: int
    # Somebody has seen, under the hall's lock, that a limited line has room.
    within_limit: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """What a new ticket got: its number, and how many waited in the line before it."""

    id: UUID
    number: str
    ahead: int
    version: int


async def issue(tx: Transaction, new: NewTicket, actor: Actor) -> Issued | None:
    """Give the line's next number: a waiting ticket and its first event.

    Numbers are dense per line and day (`A001`, and `A1000` after `A999`), because the line counts
    them itself under its row's lock. None when the line is not open, the citizen not known surely
    enough, or (`within_limit` false) the line limited: then `line_facts` says what holds.
    """
    ticket_id: UUID = uuid7()
    row = await tx.row(
        """
        WITH locked AS (
            SELECT id FROM hall WHERE id = $2 FOR UPDATE
        ), place AS (
            UPDATE line SET numbered_on = $6, last_sequence = 1 + CASE
                WHEN numbered_on = $6 THEN last_sequence
                ELSE coalesce((SELECT max(sequence) FROM ticket
                               WHERE line_id = line.id AND day = $6), 0) END
            FROM locked
            WHERE line.id = $3 AND line.hall_id = locked.id AND line.state = 'open'
              AND (line.waiting_limit IS NULL OR $12)
              AND ($13 = 0 OR EXISTS (SELECT 1 FROM citizen WHERE id = $5 AND level >= $13))
            RETURNING line.code, line.last_sequence AS sequence
        ), issued AS (
            INSERT INTO ticket (id, hall_id, line_id, item_id, citizen_id, day, sequence, number,
                                state, issued_at, rank_time, version)
            SELECT $1, $2, $3, $4, $5, $6, sequence,
                   code || lpad(sequence::text, greatest(3, length(sequence::text)), '0'),
                   'waiting', $7, $8, $9
            FROM place
            RETURNING id, number
        ), event AS (
            INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind, actor_id)
            SELECT id, $2, $7, 'issue', 'waiting', $10, $11 FROM issued
        )
        SELECT number,
               (SELECT count(*) FROM ticket WHERE line_id = $3 AND state = 'waiting') AS ahead
        FROM issued
        """,
        ticket_id,
        new.hall_id,
        new.line_id,
        new.item_id,
        new.citizen_id,
        new.day,
        new.issued_at,
        new.rank_time,
        new.version,
        actor.kind,
        actor.id,
        new.within_limit,
        new.level_required,
    )
    return Issued(ticket_id, row["number"], row["ahead"], new.version) if row else None


async def counter_facts(tx: Transaction, hall_id: UUID, code: str) -> CounterFacts | None:
    """What decides what a counter may do; None when the hall has no such counter.

    It costs the same however long the lines are: only the head of each is read.
    """
    found = await tx.rows(
        """
        SELECT c.id, c.state, busy.id AS ticket_id, busy.state AS ticket_state,
               head.id AS head_id, head.line, head.rank_time
        FROM counter c
        LEFT JOIN ticket busy ON busy.counter_id = c.id AND busy.state IN ('called', 'serving')
        LEFT JOIN LATERAL (
            SELECT first.id, line.code AS line, first.rank_time
            FROM line
            CROSS JOIN LATERAL (
                SELECT id, rank_time FROM ticket
                WHERE ticket.line_id = line.id AND ticket.state = 'waiting'
                ORDER BY rank_time, id LIMIT 1
            ) first
            WHERE line.hall_id = c.hall_id AND line.code = ANY(c.serving)
        ) head ON true
        WHERE c.hall_id = $1 AND c.code = $2
        """,
        hall_id,
        code,
    )
    if not found:
        return None
    row = found[0]
    return CounterFacts(
        id=row["id"],
        state=CounterState(row["state"]),
        ticket_id=row["ticket_id"],
        ticket_state=TicketState(row["ticket_state"]) if row["ticket_state"] else None,
        heads=tuple(
            Head(each["head_id"], each["line"], each["rank_time"])
            for each in found
            if each["head_id"]
        ),
    )


async def own(
    tx: Transaction, ticket_id: UUID, citizen_id: UUID
) -> tuple[UUID, TicketState] | None:
    """The hall and the state of a citizen's ticket; None when there is none, or it is another's."""
    row = await tx.row(
        "SELECT hall_id, state FROM ticket WHERE id = $1 AND citizen_id = $2",
        ticket_id,
        citizen_id,
    )
    return (row["hall_id"], TicketState(row["state"])) if row else None


@dataclass(frozen=True, slots=True)
class Step:
    """A transition about to be made, of a ticket that is in state `before`."""

    hall_id: UUID
    move: Move
    before: TicketState
    at: datetime
    version: int
    actor: Actor
    detail: str | None = None


# What every transition writes, once `target` has found the ticket (and the counter it happens at).
# $1 and $10 are the target's own; the rest is the step.
_STEP = """
    WITH locked AS (
        SELECT id FROM hall WHERE id = $8 FOR UPDATE
    ), {target}, moved AS (
        UPDATE ticket SET
            state = $2::text,
            version = greatest(version + 1, $3::bigint),
            counter_id = coalesce(target.counter_id, ticket.counter_id),
            called_at = CASE WHEN $4::text = 'call' THEN $5::timestamptz ELSE called_at END,
            started_at = CASE WHEN $4::text = 'start' THEN $5::timestamptz ELSE started_at END,
            ended_at = CASE WHEN $2::text IN ('finished', 'missed', 'cancelled')
                       THEN $5::timestamptz ELSE ended_at END,
            outcome = CASE WHEN $4::text = 'finish' THEN $6::text ELSE outcome END
        FROM locked, target
        WHERE ticket.id = target.id AND ticket.hall_id = locked.id AND ticket.state = $9
        RETURNING ticket.*, target.counter_id AS at_counter
    ), event AS (
        INSERT INTO ticket_event
            (ticket_id, hall_id, at, move, state, actor_kind, actor_id, counter_id, detail)
        SELECT id, hall_id, $5, $4, state, $7, $10, at_counter, $6 FROM moved
    )
    SELECT t.id, t.number, t.state, h.code AS hall, l.code AS line, i.code AS item,
           t.issued_at, t.called_at, c.code AS counter, t.version, t.citizen_id
    FROM moved t
    JOIN hall h ON h.id = t.hall_id
    JOIN line l ON l.id = t.line_id
    JOIN item i ON i.id = t.item_id
    LEFT JOIN counter c ON c.id = t.counter_id
"""
_OPEN_COUNTER = """
    place AS (
        SELECT counter.id, counter.serving FROM counter, locked
        WHERE counter.hall_id = locked.id AND counter.code = {code} AND counter.state = 'open'
        FOR UPDATE OF counter
    )
"""
_ONE_TICKET = _STEP.format(target="target AS (SELECT $1::uuid AS id, NULL::uuid AS counter_id)")
_CALL_ONE = _STEP.format(
    target=_OPEN_COUNTER.format(code="$11::text")
    + ", target AS (SELECT $1::uuid AS id, place.id AS counter_id FROM place)"
)
# The published order itself: the lowest rank time of all lines that the counter serves.
_CALL_FIRST = _STEP.format(
    target=_OPEN_COUNTER.format(code="$1::text")
    + """, target AS (
        SELECT first.id, place.id AS counter_id
        FROM place
        JOIN line ON line.hall_id = $8 AND line.code = ANY(place.serving)
        CROSS JOIN LATERAL (
            SELECT id, rank_time FROM ticket
            WHERE ticket.line_id = line.id AND ticket.state = 'waiting'
            ORDER BY rank_time, id LIMIT 1
        ) first
        ORDER BY first.rank_time, first.id LIMIT 1
    )"""
)
# The two states are named for the index on tickets at counters: a plan cannot know what $9 will be.
_AT_COUNTER = _STEP.format(
    target="""target AS (
        SELECT ticket.id, ticket.counter_id
        FROM counter
        JOIN ticket ON ticket.counter_id = counter.id AND ticket.state = $9
            AND ticket.state IN ('called', 'serving')
        WHERE counter.hall_id = $8 AND counter.code = $1::text
    )"""
)


async def _make(
    tx: Transaction, sql: str, target: UUID | str, step: Step, *more: object
) -> asyncpg.Record | None:
    return await tx.row(
        sql,
        target,
        after(step.before, step.move).value,
        step.version,
        step.move.value,
        step.at,
        step.detail,
        step.actor.kind,
        step.hall_id,
        step.before.value,
        step.actor.id,
        *more,
    )


async def make(
    tx: Transaction, ticket_id: UUID, step: Step, *, counter: str | None = None
) -> asyncpg.Record | None:
    """Make one transition of a ticket; answers it as `VIEW_ONE` shows it.

    `counter` is the code of the counter it is called to. Raises WrongState when the move is
    impossible from `before`. None when the ticket is not in that state any more, or the counter is
    not open any more.
    """
    if counter is None:
        return await _make(tx, _ONE_TICKET, ticket_id, step)
    return await _make(tx, _CALL_ONE, ticket_id, step, counter)


async def call_first(tx: Transaction, counter: str, step: Step) -> asyncpg.Record | None:
    """Call the first of all lines that an open counter serves, in one statement.

    None when there is nobody, the counter is not open, or another call was faster. A counter that
    is not free violates `ticket_at_counter_once`.
    """
    return await _make(tx, _CALL_FIRST, counter, step)


async def move_at(tx: Transaction, counter: str, step: Step) -> asyncpg.Record | None:
    """Make one transition of the ticket at a counter; None when none there is in that state."""
    return await _make(tx, _AT_COUNTER, counter, step)


_VIEW = """
    SELECT t.id, t.number, t.state, h.code AS hall, l.code AS line, i.code AS item, t.issued_at,
           t.called_at, c.code AS counter, t.version, t.citizen_id,
           CASE WHEN t.state = 'waiting' THEN
               (SELECT count(*) FROM ticket o WHERE o.line_id = t.line_id AND o.state = 'waiting'
                AND (o.rank_time, o.id) < (t.rank_time, t.id))
           END AS ahead
    FROM ticket t
    JOIN hall h ON h.id = t.hall_id
    JOIN line l ON l.id = t.line_id
    JOIN item i ON i.id = t.item_id
    LEFT JOIN counter c ON c.id = t.counter_id
"""
VIEW_ONE = _VIEW + " WHERE t.id = $1"
VIEW_OF_CITIZEN = (
    _VIEW
    + """
    WHERE t.citizen_id = $1 AND ($2::uuid IS NULL OR t.id < $2)
    ORDER BY t.id DESC LIMIT $3
"""
)
