"""Whose turn it is to be projected."""

import math

from server.live.turns import (
    AT_LEAST_EVERY_S,
    AT_MOST_EVERY_S,
    BEHIND_S,
    STEP_BACK_S,
    Turns,
)

MOST = 10


def projected(*codes: str, at: float = 0.0) -> Turns:
    turns = Turns()
    turns.begin(codes, at)
    return turns


def test_a_quiet_hall_comes_at_once_when_something_happens() -> None:
    turns = projected("dg-01", at=100)
    turns.ask("dg-01", 100.01)
    assert turns.changed(100.01) == ["dg-01"]


def test_a_busy_hall_comes_again_when_its_shortest_interval_is_over() -> None:
    turns = projected("dg-01")
    turns.ask("dg-01", 10)
    turns.begin(["dg-01"], 10)
    turns.ask("dg-01", 10.1)
    assert turns.changed(10.1) == []
    assert turns.next_at() == 10 + AT_MOST_EVERY_S
    assert turns.changed(10 + AT_MOST_EVERY_S) == ["dg-01"]
    turns.ask("dg-01", 10.2, at_once=True)
    assert turns.changed(10.2) == ["dg-01"]


def test_the_news_that_has_waited_longest_is_told_first() -> None:
    turns = Turns()
    for code, at in (("dg-03", 3.0), ("dg-01", 1.0), ("dg-02", 2.0), ("dg-01", 4.0)):
        turns.ask(code, at)
    assert turns.changed(5) == ["dg-01", "dg-02", "dg-03"]


def test_every_hall_comes_again_though_nothing_happens() -> None:
    turns = projected("dg-01", "dg-02")
    assert turns.unchanged(AT_LEAST_EVERY_S - 0.1, MOST) == []
    assert turns.next_at() == AT_LEAST_EVERY_S
    assert turns.unchanged(AT_LEAST_EVERY_S, MOST) == ["dg-01", "dg-02"]
    assert turns.unchanged(AT_LEAST_EVERY_S, MOST) == []


def test_so_many_at_most_come_again_at_once() -> None:
    turns = projected(*(f"dg-{nth:02}" for nth in range(25)))
    handed_out = [turns.unchanged(AT_LEAST_EVERY_S, MOST) for _ in range(3)]
    assert [len(codes) for codes in handed_out] == [10, 10, 5]
    assert len({code for codes in handed_out for code in codes}) == 25


def test_a_hall_projected_meanwhile_does_not_come_again_so_soon() -> None:
    turns = projected("dg-01")
    turns.ask("dg-01", 8)
    turns.begin(["dg-01"], 8)
    assert turns.unchanged(AT_LEAST_EVERY_S, MOST) == []
    assert turns.unchanged(8 + AT_LEAST_EVERY_S, MOST) == ["dg-01"]


def test_where_nothing_happened_steps_back_for_news_that_waits_but_not_for_ever() -> None:
    turns = projected("dg-01")
    turns.ask("dg-02", AT_LEAST_EVERY_S - 2 * BEHIND_S)
    assert turns.unchanged(AT_LEAST_EVERY_S, MOST) == []
    assert turns.unchanged(AT_LEAST_EVERY_S + STEP_BACK_S, MOST) == ["dg-01"]


def test_where_nothing_happened_comes_beside_news_that_is_told_in_time() -> None:
    turns = projected("dg-01")
    turns.ask("dg-02", AT_LEAST_EVERY_S - BEHIND_S / 2)
    assert turns.unchanged(AT_LEAST_EVERY_S, MOST) == ["dg-01"]


def test_a_hall_may_ask_to_come_sooner_and_not_later() -> None:
    turns = projected("dg-01")
    turns.again("dg-01", 4)
    turns.again("dg-01", 9)
    assert turns.next_at() == 4
    assert turns.unchanged(4, MOST) == ["dg-01"]


def test_what_happens_while_a_hall_is_read_counts_for_its_next_turn() -> None:
    turns = Turns()
    turns.ask("dg-01", 1)
    turns.begin(["dg-01"], 2)
    turns.ask("dg-01", 2.1)
    assert turns.changed(2 + AT_MOST_EVERY_S) == ["dg-01"]


def test_another_workers_hall_has_no_turn_here() -> None:
    turns = projected("dg-01")
    turns.ask("dg-01", 1)
    turns.forget("dg-01")
    assert "dg-01" not in turns
    assert turns.changed(math.inf) == []
    assert turns.unchanged(math.inf, MOST) == []
