"""Tickets 号票: their states, the transitions between them, and who makes them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from tortoise import fields
from tortoise.fields.base import OnDelete
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.halls import Counter, Hall, Line
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
    LAPSE = "lapse"  # the day ended before it did
    RECALL = "recall"
    PARK = "park"
    RESUME = "resume"
    RETURN = "return"  # she was missed, and came back in time
    TRANSFER = "transfer"  # the clerk sends her to another line, counter or hall
    RETURN_TO_LINE = "return_to_line"  # the counter that called her closes before she has come
    MOVE = "move"  # she goes to another hall
    REROUTE = "reroute"  # another line takes her: hers is stopped, or she has paid
    STAY = "stay"  # her line is stopped, and nobody else takes her
    LET_PASS = "let_pass"  # noqa: S105 no password
    CLAIM = "claim"  # she says that she has priority
    CONFIRM = "confirm"  # and that is so
    REFUSE = "refuse"  # or is not
    CHECK_IN = "check_in"  # she is at the hall
    MERGE = "merge"  # two accounts were one person's, and this the lesser of her two tickets
    UNDO = "undo"


_S = TicketState
OPEN_STATES = (_S.WAITING, _S.CALLED, _S.SERVING, _S.PARKED)
# (state, move) -> next state. What is not in here cannot happen; docs/lifecycle.md draws it.
TRANSITIONS: dict[tuple[TicketState, Move], TicketState] = {
    (_S.WAITING, Move.CLAIM): _S.WAITING,
    (_S.WAITING, Move.CONFIRM): _S.WAITING,
    (_S.WAITING, Move.REFUSE): _S.WAITING,
    (_S.WAITING, Move.CHECK_IN): _S.WAITING,
    (_S.WAITING, Move.LET_PASS): _S.WAITING,
    (_S.WAITING, Move.MOVE): _S.WAITING,
    (_S.WAITING, Move.REROUTE): _S.WAITING,
    (_S.WAITING, Move.STAY): _S.WAITING,
    (_S.WAITING, Move.CALL): _S.CALLED,
    (_S.CALLED, Move.RECALL): _S.CALLED,
    (_S.CALLED, Move.START): _S.SERVING,
    (_S.CALLED, Move.TRANSFER): _S.WAITING,
    (_S.CALLED, Move.RETURN_TO_LINE): _S.WAITING,
    (_S.SERVING, Move.TRANSFER): _S.WAITING,
    (_S.SERVING, Move.PARK): _S.PARKED,
    (_S.PARKED, Move.RESUME): _S.SERVING,
    (_S.SERVING, Move.FINISH): _S.FINISHED,
    (_S.CALLED, Move.MISS): _S.MISSED,
    (_S.MISSED, Move.RETURN): _S.WAITING,
    (_S.WAITING, Move.CANCEL): _S.CANCELLED,
    (_S.CALLED, Move.CANCEL): _S.CANCELLED,
    (_S.PARKED, Move.CANCEL): _S.CANCELLED,
    (_S.WAITING, Move.LAPSE): _S.CANCELLED,
    (_S.CALLED, Move.LAPSE): _S.MISSED,
    (_S.SERVING, Move.LAPSE): _S.FINISHED,
    (_S.PARKED, Move.LAPSE): _S.CANCELLED,
    **{(state, Move.MERGE): _S.CANCELLED for state in OPEN_STATES},
}
# What a counter may take back for a moment: the ticket then stands as it did before.
UNDOABLE = frozenset(
    {
        Move.CALL,
        Move.START,
        Move.FINISH,
        Move.MISS,
        Move.PARK,
        Move.RESUME,
        Move.TRANSFER,
    }
)


class Priority(StrEnum):
    """Why somebody may be served before others who came a little earlier."""

    ELDERLY = "elderly"  # over 70
    DISABLED = "disabled"
    PREGNANT = "pregnant"
    MILITARY = "military"
    WITH_INFANT = "with_infant"


# Whether a ticket `t` was ended by the end of its day.
DAY_ENDED = "t.lapsed AS day_ended"


# The number that a ticket `t` of a visit was followed by when it was over.
NEXT_TICKET = """
    CASE WHEN t.visit_id IS NOT NULL AND t.ended_at IS NOT NULL THEN (
        SELECT s.ticket_id FROM visit_stop s
        WHERE s.visit_id = t.visit_id AND s.given_after = t.id LIMIT 1)
    END AS next_ticket"""
# The appointment that a ticket `t` came of, as JSON; null for who has not booked. Of several items
# booked together the first number checked in; each of them has its own slot.
OF_APPOINTMENT = """(
        SELECT json_build_object('id', a.id, 'slot_start', coalesce((
                   SELECT s.slot_start FROM visit_stop s
                   WHERE t.visit_id IS NOT NULL AND s.ticket_id = t.id), a.slot_start))
        FROM appointment a WHERE a.ticket_id = CASE WHEN t.visit_id IS NULL THEN t.id ELSE (
            SELECT s.ticket_id FROM visit_stop s
            WHERE s.visit_id = t.visit_id AND s.turn = 1 LIMIT 1) END) AS appointment"""


class WrongState(Exception):
    """Something is not in a state in which this can happen.

    `state` is the one it is in: of a ticket, a counter, a line, a visit, a proxy. `told` says in
    Chinese and English what else stands against it.
    """

    def __init__(
        self, why: str, state: StrEnum | None = None, *, told: tuple[str, str] | None = None
    ) -> None:
        super().__init__(why)
        self.state = state
        self.told = told


def after(state: TicketState, move: Move) -> TicketState:
    """The state that follows. Raises WrongState when the move is not possible from here."""
    try:
        return TRANSITIONS[state, move]
    except KeyError:
        raise WrongState(f"{move} from {state}", state) from None


# One ticket is open at a time for a person and item: the keys below that hold it.
OPEN_ONCE: Final = frozenset({"ticket_open_once", "ticket_open_once_for"})


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
    # Who took it for somebody, and through which proxy. Then `citizen` is whom it is for; where she
    # has no account it is null, and a key of her number tells that she holds one ticket.
    acting: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "tickets_for_others", null=True, on_delete=OnDelete.RESTRICT
    )
    proxy_id = fields.UUIDField(null=True)
    person_key = fields.UUIDField(null=True)
    # What is shown of a name that was given at the hall: masked (`models.holders`).
    shown_as = fields.CharField(max_length=16, null=True)
    # Where it was called or parked last; while it waits, the counter that it is held for.
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
    # How often it was called again since it was called.
    recalls = fields.SmallIntField(db_default=0)
    # What she claims, and since when that counts.
    priority = fields.CharEnumField(Priority, max_length=16, null=True)
    priority_at = fields.DatetimeField(null=True)
    returned_at = fields.DatetimeField(null=True)
    # The day's end ended it, no person.
    lapsed = fields.BooleanField(db_default=False)
    # The number and hall from which staff sent her on, and why: `models.history.SentFrom` reads it.
    sent_from = fields.CharField(max_length=200, null=True)
    # The visit of several items that it is a stop of.
    visit_id = fields.UUIDField(null=True)
    # Since when she is known to be at the hall; and that she must check in before she is called.
    checked_in_at = fields.DatetimeField(null=True)
    away = fields.BooleanField(db_default=False)
    # Of the numbers that this person took by phone on this day, the how manieth; null: not by
    # phone. Being unique it keeps caps exact, whatever happens at once.
    nth_of_day = fields.SmallIntField(null=True)
    # Real microseconds of the last change; rises with every transition.
    version = fields.BigIntField()

    class Meta:
        table = "ticket"
        constraints = (
            UniqueConstraint(fields=("line_id", "day", "sequence"), name="ticket_number_once"),
            UniqueConstraint(
                fields=("citizen_id", "item_id"),
                name="ticket_open_once",
                condition="ended_at IS NULL",
            ),
            UniqueConstraint(
                fields=("person_key", "item_id"),
                name="ticket_open_once_for",
                condition="ended_at IS NULL AND person_key IS NOT NULL",
            ),
            # What a person took on a day is also looked up here.
            UniqueConstraint(
                fields=("citizen_id", "day", "nth_of_day"), name="ticket_nth_of_citizen"
            ),
            UniqueConstraint(
                fields=("person_key", "day", "nth_of_day"),
                name="ticket_nth_of_person",
                condition="person_key IS NOT NULL",
            ),
            UniqueConstraint(
                fields=("counter_id",),
                name="ticket_at_counter_once",
                condition="state IN ('called', 'serving')",
            ),
            CheckConstraint(check="sequence > 0", name="ticket_sequence_positive"),
            CheckConstraint(
                check="(ended_at IS NULL) = (state IN ('waiting', 'called', 'serving', 'parked'))",
                name="ticket_open_until_ended",
            ),
        )


class TicketEvent(Model):
    """One thing that happened to a ticket: who, when, from where, why. Never changed.

    Together they tell where it stands (`models.history`).
    """

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
    # For whom the actor acted: a citizen, or the proxy where that person is none.
    on_behalf_of = fields.UUIDField(null=True)
    # The counter at which it happened.
    counter_id = fields.UUIDField(null=True)
    detail = fields.CharField(max_length=200, null=True)
    # What it got, if any: a number in a line, a place in the order, a counter to wait for.
    line_id = fields.UUIDField(null=True)
    number = fields.CharField(max_length=12, null=True)
    rank_time = fields.DatetimeField(null=True)
    held_for = fields.UUIDField(null=True)
    # The visit that it became part of.
    visit_id = fields.UUIDField(null=True)
    # Whether she is at the hall from then on (true), or must check in there first (false).
    here = fields.BooleanField(null=True)
    # The event that this one takes back.
    undoes = fields.BigIntField(null=True)

    class Meta:
        table = "ticket_event"
        indexes = (("ticket_id", "id"),)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a citizen, a member of staff, or the system itself."""

    kind: str
    id: UUID | None = None


SYSTEM = Actor("system")
