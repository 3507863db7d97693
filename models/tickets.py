"""Tickets 号票: their states, the transitions between them, and the statements that make them.

Every statement here runs inside a transaction that has locked the hall's row: that lock, and
nothing wider, puts the decisions of one hall in order.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction, transaction
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
    last_sequence: int
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


def deciding_in(hall_id: UUID) -> AbstractAsyncContextManager[Transaction]:
    """A transaction in which nobody else decides anything in this hall."""
    return transaction(f"SELECT 1 FROM hall WHERE id = '{hall_id}' FOR UPDATE")  # noqa: S608 a UUID


async def line_facts(
    tx: Transaction, *, line_id: UUID, day: date, citizen_id: UUID | None, item_id: UUID
) -> LineFacts:
    """What decides whether a citizen may join, in one statement."""
    row = await tx.row(
        """
        SELECT state, waiting_limit,
            (SELECT count(*) FROM ticket t WHERE t.line_id = line.id AND t.state = 'waiting')
                AS waiting,
            (SELECT coalesce(max(sequence), 0) FROM ticket t
              WHERE t.line_id = line.id AND t.day = $2) AS last_sequence,
            EXISTS (SELECT 1 FROM ticket t WHERE t.citizen_id = $3 AND t.item_id = $4
                AND t.state IN ('waiting', 'called', 'serving', 'parked')) AS has_open_ticket,
            coalesce((SELECT level FROM citizen WHERE id = $3), 0) AS level
        FROM line WHERE id = $1
        """,
        line_id,
        day,
        citizen_id,
        item_id,
    )
    assert row is not None, "lines are never deleted"
    return LineFacts(
        state=LineState(row["state"]),
        waiting_limit=row["waiting_limit"],
        waiting=row["waiting"],
        last_sequence=row["last_sequence"],
        has_open_ticket=row["has_open_ticket"],
        level=row["level"],
    )


def number_of(line_code: str, sequence: int) -> str:
    """The number as it is printed and called: `A001`, and `A1000` after `A999`."""
    return f"{line_code}{sequence:03d}"


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket about to be issued. Times are business time."""

    hall_id: UUID
    line_id: UUID
    line_code: str
    item_id: UUID
    citizen_id: UUID | None
    day: date
    sequence: int
    issued_at: datetime
    rank_time: datetime
    version: int


async def issue(tx: Transaction, new: NewTicket, actor: Actor) -> UUID:
    """Store a new waiting ticket and its first event; answers its id."""
    ticket_id: UUID = uuid7()
    await tx.run(
        """
        WITH ticket AS (
            INSERT INTO ticket (id, hall_id, line_id, item_id, citizen_id, day, sequence, number,
                                state, issued_at, rank_time, version)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, $10, $11)
            RETURNING id, hall_id, state, issued_at
        )
        INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind, actor_id)
        SELECT id, hall_id, issued_at, 'issue', state, $12, $13 FROM ticket
        """,
        ticket_id,
        new.hall_id,
        new.line_id,
        new.item_id,
        new.citizen_id,
        new.day,
        new.sequence,
        number_of(new.line_code, new.sequence),
        new.issued_at,
        new.rank_time,
        new.version,
        actor.kind,
        actor.id,
    )
    return ticket_id


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


async def owned_state(tx: Transaction, ticket_id: UUID, citizen_id: UUID) -> TicketState | None:
    """The present state of a citizen's ticket; None when there is none, or it is another's."""
    row = await tx.row(
        "SELECT state FROM ticket WHERE id = $1 AND citizen_id = $2", ticket_id, citizen_id
    )
    return TicketState(row["state"]) if row else None


async def move(
    tx: Transaction,
    ticket_id: UUID,
    made: Move,
    state: TicketState,
    *,
    at: datetime,
    version: int,
    actor: Actor,
    counter_id: UUID | None = None,
    detail: str | None = None,
) -> asyncpg.Record:
    """Write one transition and its event; answers the ticket as `VIEW_ONE` shows it.

    `state` is the new state, as `after` gave it. `counter_id` is where it happened; it becomes the
    ticket's counter.
    """
    row = await tx.row(
        """
        WITH moved AS (
            UPDATE ticket SET
                state = $2::text,
                version = greatest(version + 1, $3::bigint),
                counter_id = coalesce($4::uuid, counter_id),
                called_at = CASE WHEN $5::text = 'call' THEN $6::timestamptz ELSE called_at END,
                started_at = CASE WHEN $5::text = 'start' THEN $6::timestamptz ELSE started_at END,
                ended_at = CASE WHEN $2::text IN ('finished', 'missed', 'cancelled')
                           THEN $6::timestamptz ELSE ended_at END,
                outcome = CASE WHEN $5::text = 'finish' THEN $7::text ELSE outcome END
            WHERE id = $1
            RETURNING *
        ), event AS (
            INSERT INTO ticket_event
                (ticket_id, hall_id, at, move, state, actor_kind, actor_id, counter_id, detail)
            SELECT id, hall_id, $6, $5, state, $8, $9, $4, $7 FROM moved
        )
        SELECT t.id, t.number, t.state, h.code AS hall, l.code AS line, i.code AS item,
               t.issued_at, t.called_at, c.code AS counter, t.version, t.citizen_id,
               NULL::bigint AS ahead
        FROM moved t
        JOIN hall h ON h.id = t.hall_id
        JOIN line l ON l.id = t.line_id
        JOIN item i ON i.id = t.item_id
        LEFT JOIN counter c ON c.id = t.counter_id
        """,
        ticket_id,
        state.value,
        version,
        counter_id,
        made.value,
        at,
        detail,
        actor.kind,
        actor.id,
    )
    assert row is not None, "tickets are never deleted"
    return row


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
