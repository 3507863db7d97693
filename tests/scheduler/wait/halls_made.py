"""Simulated halls for the tests of waits: some days of events, the same for the same seed."""

from functools import cache

import numpy as np

from scheduler.wait.city import City, Range
from scheduler.wait.events import Event
from scheduler.wait.predictor import Waits
from scheduler.wait.prior import shipped_trees
from scheduler.wait.training.days import Day
from scheduler.wait.training.plans import HallPlan, a_hall


@cache
def a_plan(seed: int) -> HallPlan:
    return a_hall("H", np.random.default_rng([7, seed]))


@cache
def some_days(seed: int, days: int = 2) -> tuple[Event, ...]:
    dice = np.random.default_rng([8, seed])
    plan = a_plan(seed)
    return tuple(event for day in range(days) for event in Day(plan, day, dice).play())


def a_predictor(credit: float = 15.0) -> Waits:
    return Waits(City(shipped_trees()), credit=credit)


def heard(events: "tuple[Event, ...] | list[Event]") -> Waits:
    waits = a_predictor()
    for event in events:
        waits.hear(event)
    return waits


def is_sound(shown: Range | None) -> bool:
    """Finite, in order, never negative."""
    if shown is None:
        return True
    ends = (shown.p10, shown.p50, shown.p90)
    return bool(np.isfinite(ends).all()) and 0 <= ends[0] <= ends[1] <= ends[2]
