"""Ranges of those who have waited a while, and of those who come later: true of eight in ten."""

from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from scheduler.wait.city import Range
from scheduler.wait.events import Event
from scheduler.wait.predictor import HORIZONS
from tests.scheduler.wait.halls_made import a_predictor, heard, some_days

NEAR_MIN = 8.0


@cache
def came_true(seed: int, days: int) -> dict[str, list[bool]]:
    """By what was asked every twenty minutes: whether the wait that came true was in its range."""
    waits = a_predictor()
    found: dict[str, list[bool]] = defaultdict(list)
    told: dict[tuple[str, str], list[tuple[str, float, Range]]] = defaultdict(list)
    later: dict[str, list[tuple[float, str, Range]]] = defaultdict(list)
    ask_at, day = 0.0, -1
    for event in some_days(seed, days):
        if event.day != day:
            day, ask_at = event.day, event.t + 17.0
            told.clear()
            later.clear()
        while ask_at < event.t:
            for place, shown in waits.project("H", ask_at).items():
                if shown:
                    told[place].append(("midway", ask_at, shown))
            for line, curve in waits.on_arrival("H", ask_at).items():
                for horizon, shown in zip(HORIZONS[1:], curve[1:], strict=True):
                    if shown:
                        later[line].append((ask_at + horizon, str(horizon), shown))
            ask_at += 20.0
        waits.hear(event)
        key = (event.line, event.ticket)
        if event.kind == "issue" and "appointment" not in event.detail:
            told[key] += [
                (asked, event.t, shown)
                for due, asked, shown in later[event.line]
                if abs(due - event.t) <= NEAR_MIN
            ]
        elif event.kind == "call":
            for asked, since, shown in told.pop(key, ()):
                wait = event.t - since
                found[asked].append(shown.p10 - 0.01 <= wait <= shown.p90 + 0.01)
    return found


@pytest.mark.parametrize("asked", ["midway", "15", "30", "60", "90"])
def test_eight_in_ten_come_true(asked: str) -> None:
    within = came_true(0, 6)[asked]
    assert len(within) > 300
    assert 0.7 < np.mean(within) < 0.9


def issue(ticket: str, t: float) -> Event:
    return Event(9, t, "H", "L0", "issue", ticket)


def test_who_has_waited_a_while_is_asked_after_as_one_who_has() -> None:
    waits = heard([*some_days(0), issue("a", 700.0), issue("b", 700.5), issue("c", 709.8)])
    hall = waits.hall("H")
    hall.pass_to(710.0)
    kinds = {ticket: each.promise.kind for (_, ticket), each in hall.tickets.items()}
    assert set(kinds.values()) <= {"line", "rolled"}
    waits.hear(Event(9, 740.0, "H", "L0", "call", "a"))
    asked = [promise.kind for each in hall.tickets.values() for promise, _ in each.asked]
    assert asked == ["midway", "midway"]


def test_what_comes_true_midway_is_learned_from_the_moment_it_was_asked() -> None:
    waits = heard([*some_days(0), issue("a", 700.0), issue("b", 701.0)])
    waits.drain_rows()
    waits.hear(Event(9, 730.0, "H", "L0", "call", "a"))  # here it is asked after b, too
    waits.hear(Event(9, 742.0, "H", "L0", "call", "b"))
    [row] = [row for row in waits.drain_rows() if row.kind == "midway"]
    assert row.ref * np.exp(row.y) - waits.city.offset == pytest.approx(12.0)
