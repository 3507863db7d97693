"""A ticket's life: drawn as it is, and told by its events."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

import app as yiting
from models.history import Happened, NoHistory, replay
from models.lifecycle import lifecycle_page
from models.tickets import TRANSITIONS, UNDOABLE, Move, TicketState, WrongState, after

HALL, LINE, COUNTER = (UUID(int=number) for number in (1, 2, 3))
NINE = datetime(2026, 11, 23, 1, tzinfo=UTC)
ISSUED = Happened(
    Move.ISSUE, TicketState.WAITING, NINE, HALL, line_id=LINE, number="A001", rank_time=NINE, id=1
)


def step(nth: int, move: Move, state: TicketState, **more: object) -> Happened:
    at = NINE + timedelta(minutes=nth)
    return Happened(move, state, at, HALL, COUNTER, id=nth, **more)  # type: ignore[arg-type]


CALLED = step(2, Move.CALL, TicketState.CALLED)
STARTED = step(3, Move.START, TicketState.SERVING)


def test_the_drawing_in_the_docs_is_of_the_code() -> None:
    written = (yiting.HERE / "docs" / "lifecycle.md").read_text()
    assert written == lifecycle_page(), "run: python -m models.lifecycle > docs/lifecycle.md"


@pytest.mark.parametrize("move", [move for move in Move if move not in {Move.ISSUE, Move.UNDO}])
@pytest.mark.parametrize("state", list(TicketState))
def test_what_is_not_drawn_cannot_happen(state: TicketState, move: Move) -> None:
    if (state, move) in TRANSITIONS:
        assert after(state, move) is TRANSITIONS[state, move]
    else:
        with pytest.raises(WrongState):
            after(state, move)


def test_every_state_is_reached_and_every_open_one_left() -> None:
    assert {*TRANSITIONS.values()} == {*TicketState}
    left = {before for before, _ in TRANSITIONS}
    assert left == {*TicketState} - {TicketState.FINISHED, TicketState.CANCELLED}


def test_only_what_a_counter_does_can_be_taken_back() -> None:
    assert {move for _, move in TRANSITIONS} >= UNDOABLE
    assert not UNDOABLE & {Move.CANCEL, Move.LAPSE, Move.MOVE, Move.MERGE}


def test_events_tell_where_a_ticket_stands() -> None:
    serving = replay([ISSUED, CALLED, STARTED])
    assert (serving.state, serving.number, serving.rank_time) == ("serving", "A001", NINE)
    assert (serving.counter_id, serving.called_at, serving.started_at) == (
        COUNTER,
        CALLED.at,
        STARTED.at,
    )


def test_what_was_undone_has_not_been() -> None:
    undone = step(4, Move.UNDO, TicketState.CALLED, undoes=3)
    assert replay([ISSUED, CALLED, STARTED, undone]) == replay([ISSUED, CALLED])


@pytest.mark.parametrize(
    "events",
    [
        [],
        [CALLED],
        [ISSUED, step(2, Move.UNDO, TicketState.WAITING, undoes=1)],
        [ISSUED, CALLED, STARTED, step(4, Move.UNDO, TicketState.WAITING, undoes=2)],
        [Happened(Move.ISSUE, TicketState.WAITING, NINE, HALL)],
    ],
)
def test_events_that_no_ticket_can_have_had_tell_nothing(events: list[Happened]) -> None:
    with pytest.raises(NoHistory):
        replay(events)
