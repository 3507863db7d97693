"""What foretelling a wait costs, in processor time: one at issue, and all of a crowded hall."""

import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from scheduler.wait.city import City
from scheduler.wait.events import Event
from scheduler.wait.predictor import Waits
from scheduler.wait.prior import shipped_trees
from scheduler.wait.training.days import Day
from scheduler.wait.training.plans import HallPlan, LinePlan
from server.bench.bench import Bench, Figure, measurement, percentile

PREDICTION_BAR_S: Final = 200e-6
HALL_BAR_S: Final = 15e-3
WAITING: Final = 200
COUNTERS: Final = 20
_LINES: Final = 10
_LOOKS: Final = 40
HALL: Final = "bench"


@measurement("predictions")
async def predictions(bench: Bench) -> list[Figure]:
    """One prediction, and a look at a hall with 200 waiting and 20 counters."""
    bench.say("days of a hall are heard")
    waits, day = a_known_hall()
    at_issue: list[Sequence[float]] = []
    looks: list[Sequence[float]] = []
    for number in range(1, bench.plan.rounds + 1):
        bench.say(f"round {number} of {bench.plan.rounds}")
        at_issue.append(heard(waits, day + number))
        looks.append(looked_at(waits, day + number))
    # Others on this machine can only add to what it costs.
    issue, look = (
        min(rounds, key=lambda took: percentile(took, 95)) for rounds in (at_issue, looks)
    )
    note = "processor time, the best of the rounds, p95"
    return [
        _figure("a wait foretold at issue", issue, PREDICTION_BAR_S, note),
        _figure(
            f"a hall foretold, {WAITING} waiting", look, HALL_BAR_S, f"{note}; arrivals included"
        ),
    ]


def _figure(what: str, took: Sequence[float], bar: float, note: str) -> Figure:
    return Figure(
        what=what,
        value=percentile(took, 95),
        unit="seconds",
        bar=bar,
        p50_s=percentile(took, 50),
        p99_s=percentile(took, 99),
        note=f"{note}; {len(took)} times",
    )


def a_plan() -> HallPlan:
    """A busy hall with so many counters, each serving two of ten lines."""
    codes = [f"L{at}" for at in range(_LINES)]
    return HallPlan(
        code=HALL,
        tells="counters",
        lines=tuple(LinePlan(code, 1 / _LINES, 6.0, 0.8, 0.0) for code in codes),
        counters=tuple(
            (codes[at % _LINES], codes[(at * 3 + 1) % _LINES]) for at in range(COUNTERS)
        ),
        opens=540.0,
        closes=1020.0,
        lunch=None,
        profile=(1 / 16,) * 16,
        people=1300.0,
        credit=15.0,
        priority=0.05,
        missed=0.05,
        impatient=0.15,
        patience=45.0,
        restless=0.1,
        absent=0.0,
    )


def a_day(day: int) -> list[Event]:
    """A day of that hall, the same for the same number."""
    return Day(a_plan(), day, np.random.default_rng([3, day])).play()


def a_known_hall(days: int = 2) -> tuple[Waits, int]:
    """A predictor that has heard so many days, and the last of them."""
    waits = Waits(City(shipped_trees()), credit=a_plan().credit)
    for day in range(days):
        for event in a_day(day):
            waits.hear(event)
        waits.close_day()
    return waits, days - 1


def heard(waits: Waits, day: int) -> list[float]:
    """Let a predictor hear a day; how many seconds of the processor each prediction took."""
    took = []
    for event in a_day(day):
        began = time.thread_time_ns()
        promise = waits.hear(event)
        if promise is not None:
            took.append((time.thread_time_ns() - began) / 1e9)
    return took


def looked_at(waits: Waits, day: int) -> list[float]:
    """Fill the hall at that day's end, and look at it again and again; seconds of each look."""
    now = 1100.0
    for at in range(COUNTERS):
        lines = "+".join(a_plan().counters[at])
        waits.hear(Event(day, now, HALL, "", "counter_open", "", f"c{at}", lines))
    for at in range(WAITING):
        waits.hear(Event(day, now + at / 10, HALL, f"L{at % _LINES}", "issue", f"w{at}"))
    took = []
    for nth in range(_LOOKS):
        began = time.thread_time_ns()
        told = waits.project(HALL, now + 30.0 + nth / 4)
        waits.on_arrival(HALL, now + 30.0 + nth / 4)
        took.append((time.thread_time_ns() - began) / 1e9)
        if len(told) < WAITING:
            raise RuntimeError(f"{len(told)} wait, not {WAITING}")
    return took
