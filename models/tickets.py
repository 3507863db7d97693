"""Tickets 号票: their states, the transitions between them, and the statements that make them.

A decision in a hall is: read the facts, decide, write what was decided if the facts still stand.
The write takes the hall's row lock, which puts the decisions of one hall (and nothing wider) in
order, and checks under it, in the same statement: round trips are what a decision costs. When the
facts have moved meanwhile nothing is written, and `decide` begins again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

import asyncpg
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction, statements, transaction
from models.halls import Counter, CounterState, Hall, Line, LineState
from models.items import Item
from models.people import Citizen


class TicketState(StrEnum):
    """Where a ticket is in its life."""

    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    PARKED = "parked"
    FINISHED = "finished"
    MISSED = "missed"
    CANCELLED = "cancelled"


class Move(StrEnum):
    """What can happen to a ticket; the kind of its event row."""

    ISSUE = "issue"
    CALL = "call"
    START = "start"
    FINISH = "finish"
    MISS = "miss"
    CANCEL = "cancel"
    LAPSE = "lapse"  # the day ended and nobody had called it


_S = TicketState
# (state, move) -> next state. What is not in here cannot happen.
TRANSITIONS: dict[tuple[TicketState, Move], TicketState] = {
    (_S.WAITING, Move.CALL): _S.CALLED,
    (_S.CALLED, Move.START): _S.SERVING,
    (_S.SERVING, Move.FINISH): _S.FINISHED,
    (_S.CALLED, Move.MISS): _S.MISSED,
    (_S.WAITING, Move.CANCEL): _S.CANCELLED,
    (_S.CALLED, Move.CANCEL): _S.CANCELLED,
    (_S.WAITING, Move.LAPSE): _S.CANCELLED,
    (_S.CALLED, Move.LAPSE): _S.MISSED,
    (_S.SERVING, Move.LAPSE): _S.FINISHED,
    (_S.PARKED, Move.LAPSE): _S.CANCELLED,
}
OPEN_STATES = (_S.WAITING, _S.CALLED, _S.SERVING, _S.PARKED)
AT_COUNTER_STATES = (_S.CALLED, _S.SERVING)


class WrongState(Exception):
    """The ticket or counter is not in a state in which this can happen."""


def after(state: TicketState, move: Move) -> TicketState:
    """The state that follows. Raises WrongState when the move is not possible from here."""
    try:
        return TRANSITIONS[state, move]
    except KeyError:
        raise WrongState(f"{move} from {state}") from None


class Ticket(Model):
    """A number taken in a line. `rank_time` is the published order: the lowest is called first."""

    id = fields.UUIDField(primary_key=True)
    # Halls, lines, items and counters are never deleted, so the database need not check them at
    # every insert: such checks lock the shared rows and make halls wait for each other.
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField(
        "models.Hall", "tickets", db_constraint=False
    )
    line: fields.ForeignKeyRelation[Line] = fields.ForeignKeyField(
        "models.Line", "tickets", db_constraint=False
    )
    item: fields.ForeignKeyRelation[Item] = fields.ForeignKeyField(
        "models.Item", "tickets", db_constraint=False
    )
    citizen: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "tickets", null=True
    )
    counter: fields.ForeignKeyNullableRelation[Counter] = fields.ForeignKeyField(
        "models.Counter", "tickets", null=True, db_constraint=False
    )
    day = fields.DateField()
    sequence = fields.IntField()
    number = fields.CharField(max_length=12)
    state = fields.CharEnumField(TicketState, max_length=16)
    issued_at = fields.DatetimeField()
    rank_time = fields.DatetimeField()
    called_at = fields.DatetimeField(null=True)
    started_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    outcome = fields.CharField(max_length=64, null=True)
    # Real microseconds of the last change; rises with every transition.
    version = fields.BigIntField()

    class Meta:
        table = "ticket"
        constraints = (
            UniqueConstraint(fields=("line_id", "day", "sequence"), name="ticket_number_once"),
            UniqueConstraint(
                fields=("citizen_id", "item_id"),
                name="ticket_open_once",
                condition="state IN ('waiting', 'called', 'serving', 'parked')",
            ),
            UniqueConstraint(
                fields=("counter_id",),
                name="ticket_at_counter_once",
                condition="state IN ('called', 'serving')",
            ),
            CheckConstraint(check="sequence > 0", name="ticket_sequence_positive"),
        )


class TicketEvent(Model):
    """One thing that happened to a ticket: who, when, from where, why. Never changed."""

    id = fields.BigIntField(primary_key=True, generated=True)
    ticket: fields.ForeignKeyRelation[Ticket] = fields.ForeignKeyField(
        "models.Ticket", "events", db_constraint=False
    )
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField(
        "models.Hall", "events", db_constraint=False
    )
    at = fields.DatetimeField()
    move = fields.CharEnumField(Move, max_length=16)
    state = fields.CharEnumField(TicketState, max_length=16)
    actor_kind = fields.CharField(max_length=16)
    actor_id = fields.UUIDField(null=True)
    counter_id = fields.UUIDField(null=True)
    detail = fields.CharField(max_length=200, null=True)

    class Meta:
        table = "ticket_event"
        indexes = (("ticket_id", "id"),)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a citizen, a member of staff, or the system itself."""

    kind: str
    id: UUID | None = None


SYSTEM = Actor("system")


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
                try:
                    row = await work(tx)
                except asyncpg.UniqueViolationError as taken:
                    if taken.constraint_name != "ticket_at_counter_once":
                        raise
                    continue  # another console of this counter was faster
            if row is not None:
                return row
    async with deciding_in(hall_id) as tx:
        row = await work(tx)
    assert row is not None, "nothing moves under the hall's lock"
    return row


def deciding_in(hall_id: UUID) -> AbstractAsyncContextManager[Transaction]:
    """A transaction in which nobody else decides anything in this hall."""
    return transaction(f"SELECT 1 FROM hall WHERE id = '{hall_id}' FOR UPDATE")  # noqa: S608 a UUID


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
    """A transition about to be made. `counter_id` is where it happens; it becomes the ticket's."""

    hall_id: UUID
    ticket_id: UUID
    move: Move
    before: TicketState
    at: datetime
    version: int
    actor: Actor
    counter_id: UUID | None = None
    detail: str | None = None


async def make(tx: Transaction, step: Step) -> asyncpg.Record | None:
    """Make one transition and write its event; answers the ticket as `VIEW_ONE` shows it.

    Raises WrongState when the move is impossible from `before`. None when the ticket is not in that
    state any more, or when it would be called to a counter that is not open any more.
    """
    return await tx.row(
        """
        WITH locked AS (
            SELECT id FROM hall WHERE id = $10 FOR UPDATE
        ), place AS (
            SELECT counter.id FROM counter, locked
            WHERE $5 = 'call' AND counter.id = $4 AND counter.state = 'open'
            FOR UPDATE OF counter
        ), moved AS (
            UPDATE ticket SET
                state = $2::text,
                version = greatest(version + 1, $3::bigint),
                counter_id = coalesce($4::uuid, counter_id),
                called_at = CASE WHEN $5::text = 'call' THEN $6::timestamptz ELSE called_at END,
                started_at = CASE WHEN $5::text = 'start' THEN $6::timestamptz ELSE started_at END,
                ended_at = CASE WHEN $2::text IN ('finished', 'missed', 'cancelled')
                           THEN $6::timestamptz ELSE ended_at END,
                outcome = CASE WHEN $5::text = 'finish' THEN $7::text ELSE outcome END
            FROM locked
            WHERE ticket.id = $1 AND ticket.hall_id = locked.id AND ticket.state = $11
              AND ($5 <> 'call' OR EXISTS (SELECT 1 FROM place))
            RETURNING ticket.*
        ), event AS (
            INSERT INTO ticket_event
                (ticket_id, hall_id, at, move, state, actor_kind, actor_id, counter_id, detail)
            SELECT id, hall_id, $6, $5, state, $8, $9, $4, $7 FROM moved
        )
        SELECT t.id, t.number, t.state, h.code AS hall, l.code AS line, i.code AS item,
               t.issued_at, t.called_at, c.code AS counter, t.version, t.citizen_id
        FROM moved t
        JOIN hall h ON h.id = t.hall_id
        JOIN line l ON l.id = t.line_id
        JOIN item i ON i.id = t.item_id
        LEFT JOIN counter c ON c.id = t.counter_id
        """,
        step.ticket_id,
        after(step.before, step.move).value,
        step.version,
        step.counter_id,
        step.move.value,
        step.at,
        step.detail,
        step.actor.kind,
        step.actor.id,
        step.hall_id,
        step.before.value,
    )


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
