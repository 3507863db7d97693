"""A ticket's p50 moves as much as what happens asks for, and no more: on recorded days.

Of forecasts that only ever move for a reason the squared movements add up to what squared error
they save (Augenblick and Rabin, "Belief Movement, Uncertainty Reduction, and Rational Updating",
2021). So the sum of the one over the sum of the other tells of oscillation: 1 is none. One day's
people all err alike, so that a day's ratio may well be 2; what swings to and fro has 5 or 10.
"""

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise, takewhile
from pathlib import Path

import pytest

from scheduler.wait.city import City
from scheduler.wait.events import Event, event_of
from scheduler.wait.predictor import Waits
from scheduler.wait.prior import shipped_trees

TRACES = Path(__file__).resolve().parents[4] / "shared" / "data" / "traces"
EVERY = 2.0
MOST = 3.0
SLOWER = 1.15
DAYS, LEARNED = 4, 2
ELEVEN = 660.0

pytestmark = pytest.mark.skipif(not TRACES.exists(), reason="the traces of ../shared are not here")

Said = tuple[int, float, list[tuple[float, float]]]  # day, called at; when, when it would be
Days = tuple[Event, ...]


@cache
def recorded(name: str) -> Days:
    """The first days of a trace, of its busiest hall; none of the days that are scored."""
    with gzip.open(TRACES / f"{name}.csv.gz", "rt", encoding="utf-8") as trace:
        rows = map(event_of, csv.DictReader(trace))
        events = list(takewhile(lambda event: event.day < DAYS, rows))
    halls = [event.hall for event in events]
    busiest = max(sorted(set(halls)), key=halls.count)
    return tuple(event for event in events if event.hall == busiest)


@cache
def slowed(name: str) -> Days:
    """From eleven on all takes 15 % longer, and people come as they did."""
    late = [
        replace(event, t=ELEVEN + (event.t - ELEVEN) * SLOWER)
        if event.day >= LEARNED
        and event.t > ELEVEN
        and event.kind in {"call", "finish", "miss", "leave"}
        else event
        for event in recorded(name)
    ]
    return tuple(sorted(late, key=lambda event: (event.day, event.t)))


@cache
def said_on(days: Days) -> list[Said]:
    """Of everybody who was called after the learned days: when that was said to be."""
    waits = Waits(City(shipped_trees()), credit=15.0)
    said: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    found: list[Said] = []
    day, now = -1, 0.0
    for event in days:
        if event.day != day:
            day, now = event.day, event.t
            said.clear()
        while day >= LEARNED and now < event.t:
            for place, shown in waits.project(event.hall, now).items():
                if shown:
                    said[place].append((now, now + shown.p50))
            now += EVERY
        waits.hear(event)
        if event.kind == "call" and (moments := said.pop((event.line, event.ticket), None)):
            found.append((day, event.t, moments))
    return found


def movement(days: Days, during: Callable[[int, float], bool] = lambda *_: True) -> float:
    """Squared movement of when people are said to be called, over the squared error it saved."""
    moved = saved = 0.0
    for day, called, moments in said_on(days):
        ends = [end for now, end in moments if during(day, now)]
        if len(ends) > 3:
            moved += sum((b - a) ** 2 for a, b in pairwise(ends))
            saved += (ends[0] - called) ** 2 - (ends[-1] - called) ** 2
    return moved / saved


@pytest.mark.parametrize("name", ["warsaw", "simulated"])
def test_on_days_as_they_were_what_is_said_does_not_oscillate(name: str) -> None:
    assert 0 < movement(recorded(name)) < MOST


@pytest.mark.parametrize("name", ["warsaw", "simulated"])
def test_where_all_slows_down_what_is_said_follows_and_does_not_oscillate(name: str) -> None:
    assert 0 < movement(slowed(name), lambda _, now: now > ELEVEN) < MOST


@pytest.mark.parametrize("name", ["warsaw", "simulated"])
def test_after_a_counter_closes_what_is_said_does_not_oscillate(name: str) -> None:
    closed = closings(recorded(name))
    assert closed

    def just_after(day: int, now: float) -> bool:
        return any(day == on and at <= now < at + 45.0 for on, at in closed)

    assert 0 < movement(recorded(name), just_after) < MOST


def closings(days: Days) -> list[tuple[int, float]]:
    """When a counter closed, or a line had one less, at work."""
    open_now: dict[str, int] = {}
    found = []
    for event in days:
        closes = event.kind == "counter_close"
        if event.kind == "counters":
            count = int(event.detail)
            closes = count < open_now.get(event.line, 0)
            open_now[event.line] = count
        if closes and 570.0 < event.t < 900.0:
            found.append((event.day, event.t))
    return found


@pytest.mark.parametrize("name", ["warsaw", "simulated"])
def test_in_a_burst_what_is_said_does_not_oscillate(name: str) -> None:
    came = Counter(
        (event.day, int(event.t // 30))
        for event in recorded(name)
        if event.kind == "issue" and event.day >= LEARNED
    )
    bursts = {half for half, _ in came.most_common(6)}

    def in_a_burst(day: int, now: float) -> bool:
        return any((day, int(now // 30) - late) in bursts for late in (0, 1))

    assert 0 < movement(recorded(name), in_a_burst) < MOST
