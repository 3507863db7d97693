"""Playing a line forward: counters call by the rule, their own lines before those they help."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.wait.events import Event, detail_of, lines_of
from scheduler.wait.halls import Hall
from scheduler.wait.known import Known
from scheduler.wait.rollout import COMES, USUAL_SERVICE, Playing

SERVICE = USUAL_SERVICE * COMES
MORNING = 540.0


def a_hall(counters: dict[str, str], *, known: Known | None = None) -> Hall:
    """Nobody waits yet; the counters' lines are told as an event tells them."""
    hall = Hall("H")
    hall.begin_day(1)
    hall.known = known or Known()
    for code, lines in counters.items():
        hall.hear(Event(1, MORNING, "H", "", "counter_open", "", code, lines))
    return hall


def join(hall: Hall, line: str, *tickets: str, t: float = MORNING) -> None:
    for ticket in tickets:
        hall.hear(Event(1, t, "H", line, "issue", ticket))


def called(hall: Hall, t: float = MORNING) -> dict[str, float]:
    """Minutes until each is called."""
    hall.pass_to(t)
    at = Playing(hall, hall.t).play()
    return {
        waiting.ticket: round((at[waiting.seq] - hall.t) / SERVICE, 3)
        for waiting in hall.tickets.values()
        if waiting.seq in at
    }


def test_a_counter_that_helps_calls_its_own_people_first() -> None:
    hall = a_hall({"1": "A", "2": "B+A;helps@A"})
    join(hall, "A", "a1", "a2", "a3")
    join(hall, "B", "b1", "b2")
    # Counter 2 serves b1 and b2, and then a3, whom counter 1 could serve no sooner.
    assert called(hall) == {"a1": 0, "b1": 0, "a2": 1, "b2": 1, "a3": 2}


def test_whoever_has_waited_too_long_is_called_by_helpers_as_by_others() -> None:
    counters, help_after = {"1": "A", "2": "B+A;helps@A"}, {"A": 20.0}
    hall = a_hall(counters, known=Known(help_after=help_after))
    join(hall, "A", "a1", "a2")
    join(hall, "B", "b1", t=MORNING + 5)
    assert called(hall, MORNING + 10) == {"a1": 0, "b1": 0, "a2": 1}
    assert called(hall, MORNING + 21) == {"a1": 0, "a2": 0, "b1": 1}


def test_a_helper_counts_while_it_has_time() -> None:
    hall = a_hall({"1": "A", "2": "B+A;helps@A"})
    join(hall, "A", "a1")
    assert hall.open_for(hall.line("A"), MORNING) == 2
    join(hall, "B", "b1")
    assert hall.open_for(hall.line("A"), MORNING) == 1
    assert hall.open_for(hall.line("B"), MORNING) == 1


def test_a_counter_that_pauses_as_planned_calls_when_it_is_back() -> None:
    known = Known(pauses={"1": [(MORNING, MORNING + 30.0)]})
    hall = a_hall({"1": "A"}, known=known)
    join(hall, "A", "a1")
    assert called(hall) == {"a1": round(30.0 / SERVICE, 3)}
    hall.known = Known(pauses={"1": [(MORNING, math.inf)]})
    assert called(hall) == {}


def test_who_has_booked_goes_first_from_a_little_before_her_slot() -> None:
    hall = a_hall({"1": "A"})
    join(hall, "A", "a1", "a2", "a3")
    hall.hear(Event(1, MORNING + 1, "H", "A", "issue", "p", "", f"appointment@{MORNING + 10}"))
    assert called(hall, MORNING + 1) == {"a1": 0, "p": 1, "a2": 2, "a3": 3}


def test_people_of_a_line_that_no_counter_serves_are_left_out() -> None:
    hall = a_hall({"1": "A"})
    join(hall, "B", "b1")
    join(hall, "A", "a1")
    assert called(hall) == {"a1": 0}


LINES = st.lists(st.sampled_from("ABCD"), min_size=1, max_size=4, unique=True)


@given(LINES, st.sets(st.sampled_from("ABCD")))
def test_what_a_counter_helps_is_told_and_read_alike(lines: list[str], helps: set[str]) -> None:
    own, helped = lines_of(detail_of(lines, helps))
    assert own == tuple(lines)
    assert set(helped) == helps & set(lines)


@settings(max_examples=60, deadline=None)
@given(
    counters=st.lists(st.tuples(LINES, st.sets(st.sampled_from("ABCD"))), min_size=1, max_size=4),
    people=st.lists(
        st.tuples(st.sampled_from("ABCD"), st.floats(500, 560), st.sampled_from(["", "p"])),
        max_size=30,
    ),
)
def test_asked_for_one_it_says_what_it_says_of_all(
    counters: list[tuple[list[str], set[str]]], people: list[tuple[str, float, str]]
) -> None:
    hall = a_hall({f"{at}": detail_of(*each) for at, each in enumerate(counters)})
    for at, (line, t, word) in enumerate(people):
        detail = f"appointment@{t}" if word else ""
        hall.hear(Event(1, MORNING, "H", line, "issue", f"{at}", "", detail))
    every = Playing(hall, MORNING).play()
    served = {line for lines, _ in counters for line in lines}
    for waiting in hall.tickets.values():
        assert (waiting.seq in every) == (waiting.line.code in served)
        alone = Playing(hall, MORNING).play(waiting)
        assert alone.get(waiting.seq) == pytest.approx(every.get(waiting.seq))
