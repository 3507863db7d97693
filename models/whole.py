"""Tickets written whole, one or many at once: each row as its history says, the event beside it.

Two statements, however many. The rows are locked already, with the halls they are in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from models.database import Transaction
from models.history import Happened, Standing
from models.tickets import Actor


@dataclass(frozen=True, slots=True)
class Written:
    """Where a ticket stands from now on, what brought it there, and for whom that was done."""

    ticket_id: UUID
    now: Standing
    event: Happened
    on_behalf_of: UUID | None


# Each column of a ticket that can change, with its type and what stands in it.
_ROW: Final[Mapping[str, tuple[str, Callable[[Standing], Any]]]] = {
    "state": ("text", lambda now: now.state.value),
    "hall_id": ("uuid", lambda now: now.hall_id),
    "line_id": ("uuid", lambda now: now.line_id),
    "number": ("text", lambda now: now.number),
    "sequence": ("int", lambda now: sequence_of(now.number)),
    "rank_time": ("timestamptz", lambda now: now.rank_time),
    "counter_id": ("uuid", lambda now: now.counter_id),
    "called_at": ("timestamptz", lambda now: now.called_at),
    "started_at": ("timestamptz", lambda now: now.started_at),
    "ended_at": ("timestamptz", lambda now: now.ended_at),
    "outcome": ("text", lambda now: now.outcome),
    "recalls": ("smallint", lambda now: now.recalls),
    "priority": ("text", lambda now: now.priority.value if now.priority else None),
    "priority_at": ("timestamptz", lambda now: now.priority_at),
    "returned_at": ("timestamptz", lambda now: now.returned_at),
    "lapsed": ("bool", lambda now: now.lapsed),
    "sent_from": ("text", lambda now: now.sent_from),
    "visit_id": ("uuid", lambda now: now.visit_id),
    "checked_in_at": ("timestamptz", lambda now: now.checked_in_at),
    "away": ("bool", lambda now: now.away),
}
# Each column of an event, but for who did it.
_EVENT: Final[Mapping[str, tuple[str, Callable[[Written], Any]]]] = {
    "ticket_id": ("uuid", lambda written: written.ticket_id),
    "hall_id": ("uuid", lambda written: written.event.hall_id),
    "at": ("timestamptz", lambda written: written.event.at),
    "move": ("text", lambda written: written.event.move.value),
    "state": ("text", lambda written: written.event.state.value),
    "on_behalf_of": ("uuid", lambda written: written.on_behalf_of),
    "counter_id": ("uuid", lambda written: written.event.counter_id),
    "detail": ("text", lambda written: written.event.detail),
    "line_id": ("uuid", lambda written: written.event.line_id),
    "number": ("text", lambda written: written.event.number),
    "rank_time": ("timestamptz", lambda written: written.event.rank_time),
    "held_for": ("uuid", lambda written: written.event.held_for),
    "visit_id": ("uuid", lambda written: written.event.visit_id),
    "here": ("bool", lambda written: written.event.here),
    "undoes": ("bigint", lambda written: written.event.undoes),
}


def _arrays(types: Sequence[str], *, after: int) -> str:
    """Parameters of these types, an array each, behind so many others."""
    return ", ".join(f"${after + nth}::{kind}[]" for nth, kind in enumerate(types, 1))


_STAND: Final = f"""
    UPDATE ticket SET {", ".join(f"{name} = new.{name}" for name in _ROW)},
        version = greatest(version + 1, $1)
    FROM unnest($2::uuid[], {_arrays([kind for kind, _ in _ROW.values()], after=2)})
        AS new (id, {", ".join(_ROW)})
    WHERE ticket.id = new.id
    RETURNING ticket.id, ticket.version
"""
_RECORD: Final = f"""
    INSERT INTO ticket_event (actor_kind, actor_id, {", ".join(_EVENT)})
    SELECT $1, $2, * FROM unnest({_arrays([kind for kind, _ in _EVENT.values()], after=2)})
"""


async def write(
    tx: Transaction, written: Sequence[Written], *, version: int, actor: Actor
) -> dict[UUID, int]:
    """Write tickets and their events, in this order; answers the tickets' new versions by id.

    A unique key is violated when a ticket is opened again and its holder has taken another since,
    or when the counter is not free.
    """
    if not written:
        return {}
    found = await tx.rows(
        _STAND,
        version,
        [each.ticket_id for each in written],
        *([value(each.now) for each in written] for _, value in _ROW.values()),
    )
    await tx.run(
        _RECORD,
        actor.kind,
        actor.id,
        *([value(each) for each in written] for _, value in _EVENT.values()),
    )
    return {row["id"]: row["version"] for row in found}


def sequence_of(number: str) -> int:
    """The count in a number: 23 in A023."""
    return int(number.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
