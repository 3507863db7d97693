"""A city's first morning: crowds before halls of which nothing is known, counters open late."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from scheduler.wait.arrival import in_turn
from scheduler.wait.calibration import MOST_AT_FIRST, Calibration
from scheduler.wait.city import City, Promise, Range
from scheduler.wait.events import Event
from scheduler.wait.halls import Hall
from scheduler.wait.predictor import Waits
from scheduler.wait.prior import shipped_trees
from scheduler.wait.training.days import Day
from scheduler.wait.training.plans import HallPlan, LinePlan

OPENS = 570.0
PEOPLE_AN_HOUR = 44
LINES = "ABCDE"


class FirstMorning(Day):
    """Clerks open their counters one after another, within eight minutes, and stay."""

    def _shifts(self) -> None:
        for counter in range(len(self.plan.counters)):
            self._plan_for(self.plan.opens + self.dice.uniform(0, 8), "opens", counter)
        self._plan_for(self.plan.closes + 90, "ends", None)


class Said(NamedTuple):
    """What was told, of the how manieth of her line, and how long she then waited."""

    at: float
    n: int
    told: Range
    wait: float


def a_plan(code: str, dice: np.random.Generator) -> HallPlan:
    """A hall to which a third more people come than it can serve, most of them at opening."""
    codes = LINES[: int(dice.integers(2, 6))]
    shares = dice.dirichlet(np.full(len(codes), 3.0))
    lines = tuple(
        LinePlan(each, float(share), float(dice.uniform(4, 14)), 0.6, 0.0)
        for each, share in zip(codes, shares, strict=True)
    )
    work = PEOPLE_AN_HOUR * sum(line.share * line.service for line in lines) / 60
    counters: list[tuple[str, ...]] = [(line.code,) for line in lines]
    while len(counters) < round(work / 1.3):
        both = dice.choice(list(codes), 2, p=shares)
        counters.append(tuple(sorted({str(each) for each in both})))
    crowd = np.array([0, 0, 1.6, 1.3, 1, 1, 0.8, 0.8, 0.6])
    return HallPlan(
        code,
        tells="counters",
        lines=lines,
        counters=tuple(counters),
        opens=OPENS,
        closes=840.0,
        lunch=None,
        profile=tuple(float(each) for each in crowd / crowd.sum()),
        people=PEOPLE_AN_HOUR * float(crowd.sum()) / 2,
        credit=0.0,
        priority=0.03,
        missed=0.05,
        impatient=0.0,
        patience=60.0,
        restless=0.05,
        absent=0.0,
    )


def a_morning(seed: int, halls: int = 10) -> list[Event]:
    events = []
    for at in range(halls):
        dice = np.random.default_rng([seed, at])
        events += FirstMorning(a_plan(f"H{at}", dice), 0, dice).play()
    return sorted(events, key=lambda event: event.t)


@cache
def told(seed: int) -> tuple[list[Said], list[Said]]:
    """What is told in the first hour: to whoever joins, and every five minutes to all who wait."""
    events = a_morning(seed)
    called = {
        (event.hall, event.line, event.ticket): event.t for event in events if event.kind == "call"
    }
    waits, looks = Waits(City(shipped_trees())), OPENS + 5
    joined, waiting = [], []
    for event in events:
        if event.t > OPENS + 60:
            break
        if event.t > looks:
            for code, hall in waits.halls.items():
                for key, shown in waits.project(code, looks).items():
                    ends = called.get((code, *key))
                    if shown and ends:
                        waiting.append(Said(looks, hall.tickets[key].n, shown, ends - looks))
            looks += 5
        promise = waits.hear(event)
        key = event.line, event.ticket
        if promise and promise.shown and (event.hall, *key) in called:
            n = waits.halls[event.hall].tickets[key].n
            ends = called[event.hall, *key]
            joined.append(Said(event.t, n, promise.shown, ends - event.t))
    return joined, waiting


@pytest.mark.parametrize("seed", [1, 2])
def test_most_of_what_is_told_in_a_new_citys_first_hour_comes_true(seed: int) -> None:
    for all_said in told(seed):
        for ten in range(6):
            said = [one for one in all_said if ten * 10 <= one.at - OPENS < ten * 10 + 10]
            within = [one.told.p10 - 0.01 <= one.wait <= one.told.p90 + 0.01 for one in said]
            assert np.mean(within) >= 0.7, (ten, len(said))


@pytest.mark.parametrize("seed", [1, 2])
def test_where_somebody_is_ahead_a_range_is_a_range_and_not_any_time(seed: int) -> None:
    for all_said in told(seed):
        behind = [one.told for one in all_said if one.n > 1]
        assert len(behind) > 300
        assert all(each.p90 - each.p50 >= 0.1 and each.p50 > each.p10 for each in behind)
        wide = [(each.p90 + 3) / (each.p50 + 3) for each in behind]
        assert np.quantile(wide, 0.99) < 12


def test_what_comes_true_early_widens_and_narrows_only_once_the_day_is_over() -> None:
    calibration = Calibration()
    promise = Promise(
        kind="line",
        x=np.zeros(0, np.float32),
        ref=6.0,
        offset=2.0,
        y50=0.0,
        y10=-0.6,
        y90=0.6,
        low=-0.6,
        high=0.6,
        said=(0.0, 0.0),
        shown=None,
    )
    for _ in range(200):  # the first of each line: called at once
        calibration.label(0, -1.5, promise)
    low, high = calibration.ends(3, (-0.6, 0.6), (0.0, 0.0))
    assert (low, high) == (-0.6 - MOST_AT_FIRST, 0.6)
    calibration.settle()
    low, high = calibration.ends(3, (-0.6, 0.6), (0.0, 0.0))
    assert high == pytest.approx(-1.5)


def test_services_that_still_last_are_not_taken_for_quick_ones() -> None:
    hall = Hall("H")
    hall.begin_day(1)

    def hear(t: float, kind: str, ticket: str, counter: str = "") -> None:
        hall.hear(Event(1, t, "H", "A", kind, ticket=ticket, counter=counter))

    for at in range(6):
        hear(540.0, "issue", str(at))
        hear(540.0, "call", str(at), f"c{at}")
    hear(542.0, "finish", "0", "c0")
    hear(560.0, "finish", "1", "c1")
    ended = (2 + 20 + 25 / 5 * 3) / (2 + 3)
    assert hall.service_means()["A"] > 1.5 * ended


def test_who_comes_later_is_called_later() -> None:
    told = [Range(10, 23, 40), Range(0, 4, 30), Range(2, 12, 45), None, Range(0, 1, 2)]
    now, soon, later, none, at_last = in_turn(told, (0, 15, 30, 60, 90))
    assert now == Range(10, 23, 40)
    assert soon == Range(0, 8, 30)
    assert later == Range(2, 12, 45)
    assert (none, at_last) == (None, Range(0, 1, 2))
