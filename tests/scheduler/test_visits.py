"""The order of a visit's stops is the best there is."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.visits import LineNow, NoOrder, Stop, ends_after, in_order, releases

MINUTES = st.integers(0, 90).map(float)


@st.composite
def visits(draw: st.DrawFn) -> list[Stop[int]]:
    """Up to six stops, each after any of some that a hidden order puts before it."""
    hidden = draw(st.permutations(range(draw(st.integers(1, 6)))))
    stops = [
        Stop(
            key,
            draw(MINUTES),
            draw(MINUTES),
            frozenset(draw(st.sets(st.sampled_from(hidden[:place])))) if place else frozenset(),
        )
        for place, key in enumerate(hidden)
    ]
    return draw(st.permutations(stops))


def is_allowed(order: tuple[Stop[int], ...]) -> bool:
    done: set[int] = set()
    for stop in order:
        if not stop.after <= done:
            return False
        done.add(stop.key)
    return True


@settings(max_examples=300, deadline=None)
@given(visits())
def test_no_order_ends_earlier(stops: list[Stop[int]]) -> None:
    order = in_order(stops)
    assert sorted(stop.key for stop in order) == sorted(stop.key for stop in stops)
    assert is_allowed(tuple(order))
    best = min(ends_after(each) for each in permutations(stops) if is_allowed(each))
    assert ends_after(order) == best


def test_she_goes_to_the_short_line_while_her_wait_in_the_long_one_runs() -> None:
    order = in_order([Stop("long", 40, 10), Stop("short", 5, 30)])
    assert [stop.key for stop in order] == ["short", "long"]
    assert ends_after(order) == 50


def test_what_must_come_first_does_although_its_line_is_longer() -> None:
    order = in_order([Stop("b", 0, 10, frozenset("a")), Stop("a", 60, 10)])
    assert [stop.key for stop in order] == ["a", "b"]


def test_stops_of_equal_waits_stay_as_they_were_given() -> None:
    assert [stop.key for stop in in_order([Stop(key, 3, 5) for key in "cab"])] == ["c", "a", "b"]


def test_what_has_been_done_keeps_nothing_waiting() -> None:
    assert [stop.key for stop in in_order([Stop("b", 0, 1, frozenset(["done"]))])] == ["b"]


def test_stops_that_wait_for_each_other_have_no_order() -> None:
    with pytest.raises(NoOrder):
        in_order([Stop("a", 0, 1, frozenset("b")), Stop("b", 0, 1, frozenset("a"))])


def test_a_wait_is_those_before_her_at_so_many_minutes_by_the_counters_that_serve() -> None:
    assert releases({"a": LineNow(6, 10, 3), "b": LineNow(0, 10, 1)}) == {"a": 20, "b": 0}


def test_lines_that_nobody_serves_come_last_the_shortest_first() -> None:
    lines = {"shut": LineNow(0, 10, 0), "served": LineNow(9, 10, 1), "shut_long": LineNow(3, 10, 0)}
    found = releases(lines)
    assert sorted(found, key=found.__getitem__) == ["served", "shut", "shut_long"]
