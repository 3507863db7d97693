"""A ticket's history: what each event made of it. The events alone tell where it stands. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from models.tickets import Move, Priority, TicketState


@dataclass(frozen=True, slots=True)
class Happened:
    """One event, as it is stored. What it did not change is None."""

    move: Move
    state: TicketState
    at: datetime
    hall_id: UUID
    counter_id: UUID | None = None
    detail: str | None = None
    line_id: UUID | None = None
    number: str | None = None
    rank_time: datetime | None = None
    held_for: UUID | None = None
    visit_id: UUID | None = None
    # She is at the hall (True), or must check in there before she is called (False).
    here: bool | None = None
    undoes: int | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a ticket stands: all that can happen to change while it lives."""

    state: TicketState
    hall_id: UUID
    line_id: UUID
    number: str
    rank_time: datetime
    counter_id: UUID | None = None
    called_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    recalls: int = 0
    priority: Priority | None = None
    priority_at: datetime | None = None
    returned_at: datetime | None = None
    lapsed: bool = False
    sent_from: str | None = None
    visit_id: UUID | None = None
    checked_in_at: datetime | None = None
    away: bool = False


# What a move changes besides the state, the place and the end.
_OWN_CHANGES: Mapping[Move, Callable[[Standing, Happened], dict[str, Any]]] = {
    Move.CALL: lambda _, e: {"counter_id": e.counter_id, "called_at": e.at, "recalls": 0},
    Move.RECALL: lambda before, _: {"recalls": before.recalls + 1},
    Move.START: lambda _, e: {"started_at": e.at},
    Move.RESUME: lambda _, e: {"counter_id": e.counter_id},
    Move.FINISH: lambda _, e: {"outcome": e.detail},
    Move.CLAIM: lambda _, e: {"priority": Priority(e.detail or "")},
    Move.CONFIRM: lambda _, e: {"priority_at": e.at},
    Move.REFUSE: lambda _, __: {"priority": None},
    Move.LAPSE: lambda _, __: {"lapsed": True},
    Move.CHECK_IN: lambda _, e: _presence(e),
}


class NoHistory(Exception):
    """Events that no ticket can have had."""


# From these on she waits as somebody who was never called.
BACK_IN_LINE = frozenset({Move.RETURN, Move.RETURN_TO_LINE, Move.TRANSFER, Move.MOVE, Move.REROUTE})
_ENDED = frozenset({TicketState.FINISHED, TicketState.MISSED, TicketState.CANCELLED})


def replay(events: Iterable[Happened]) -> Standing:
    """Where a ticket stands after these events, in their order. Raises NoHistory."""
    kept: list[Happened] = []
    for event in events:
        if event.move is not Move.UNDO:
            kept.append(event)
        elif len(kept) < 2 or kept.pop().id != event.undoes:
            raise NoHistory("what is undone is not what happened last")
    if not kept or kept[0].move is not Move.ISSUE:
        raise NoHistory("a ticket begins by being issued")
    standing = _issued(kept[0])
    for event in kept[1:]:
        standing = follow(standing, event)
    return standing


def follow(before: Standing, event: Happened) -> Standing:
    """Where a ticket stands after one more event, other than an undo."""
    own = _back_in_line if event.move in BACK_IN_LINE else _OWN_CHANGES.get(event.move)
    return replace(
        before,
        state=event.state,
        hall_id=event.hall_id,
        line_id=event.line_id or before.line_id,
        number=event.number or before.number,
        rank_time=event.rank_time or before.rank_time,
        visit_id=event.visit_id or before.visit_id,
        ended_at=event.at if event.state in _ENDED else None,
        **(own(before, event) if own else {}),
    )


def _back_in_line(before: Standing, event: Happened) -> dict[str, Any]:
    return {
        "counter_id": event.held_for,
        "called_at": None,
        "started_at": None,
        "recalls": 0,
        "lapsed": False,
        "sent_from": _sent_from(before, event),
        "returned_at": event.at if event.move is Move.RETURN else before.returned_at,
        **(_presence(event) if is_told_anew(event.here, event.hall_id, before.hall_id) else {}),
    }


def _sent_from(before: Standing, event: Happened) -> str | None:
    """Where she was before staff gave her another number; she herself knows why she goes."""
    if event.move in {Move.TRANSFER, Move.REROUTE} and event.line_id is not None:
        return event.detail
    return None if event.move is Move.MOVE else before.sent_from


def _issued(event: Happened) -> Standing:
    if event.line_id is None or event.number is None or event.rank_time is None:
        raise NoHistory("a new ticket has a number and a place")
    return Standing(
        event.state,
        event.hall_id,
        event.line_id,
        event.number,
        event.rank_time,
        visit_id=event.visit_id,
        **_presence(event),
    )


def is_told_anew(here: bool | None, hall: UUID, before: UUID) -> bool:
    """Whether an event tells if she is at the hall: it says so, or it is another hall's."""
    return here is not None or hall != before


def _presence(event: Happened) -> dict[str, Any]:
    """Since when she is at the hall, and whether she must check in, by what an event says of it."""
    return {"checked_in_at": event.at if event.here else None, "away": event.here is False}
