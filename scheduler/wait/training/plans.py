"""Halls to simulate: drawn at random, and meant to differ more than real ones do."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

# What a hall's events tell: each counter with its lines, how many are open, or only who calls.
Tells = Literal["counters", "numbers", "calls"]
_TELLS: Final[tuple[Tells, ...]] = ("counters", "numbers", "calls")


@dataclass(frozen=True, slots=True)
class LinePlan:
    """A line: its share of those who come, minutes of a service and how they scatter."""

    code: str
    share: float
    service: float
    scatter: float
    booked: float  # share who book


@dataclass(frozen=True, slots=True)
class HallPlan:
    """A hall; times in minutes of the day, shares between 0 and 1."""

    code: str
    tells: Tells
    lines: tuple[LinePlan, ...]
    counters: tuple[tuple[str, ...], ...]
    opens: float
    closes: float
    lunch: tuple[float, float] | None  # closed for all
    profile: tuple[float, ...]  # weights of the half hours from an hour before it opens
    people: float  # a usual day's
    credit: float
    priority: float
    missed: float
    impatient: float  # share who leave, after `patience` minutes on average
    patience: float
    restless: float  # how much pace and crowd differ from day to day
    absent: float  # share of counters that stay shut on a day


def a_hall(code: str, dice: np.random.Generator) -> HallPlan:
    """Draw a hall."""
    tells = _TELLS[int(dice.choice(3, p=[0.45, 0.4, 0.15]))]
    count = int(dice.integers(1, 9))
    codes = [f"L{at}" for at in range(count)]
    shares = dice.dirichlet(np.full(count, 1.5))
    booked = float(dice.choice([0.0, 0.15, 0.3])) if dice.random() < 0.6 else 0.0
    quick = 0.2 if tells == "calls" and dice.random() < 0.6 else 1.0  # as in a call centre
    lines = tuple(
        LinePlan(
            each,
            float(share),
            quick * float(np.exp(dice.uniform(np.log(3.0), np.log(18.0)))),
            float(dice.uniform(0.35, 1.1)),
            booked * float(dice.random() < 0.7),
        )
        for each, share in zip(codes, shares, strict=True)
    )
    counters = _counters(lines, dice)
    opens = float(dice.choice([480, 510, 540]))
    closes = float(dice.choice([960, 990, 1020, 1080]))
    lunch = (720.0, 720.0 + float(dice.choice([60, 90]))) if dice.random() < 0.2 else None
    minutes = closes - opens - (lunch[1] - lunch[0] if lunch else 0.0)
    absent = float(dice.uniform(0.0, 0.2))
    mean = sum(line.share * line.service for line in lines)
    load = float(dice.uniform(0.65, 1.08))
    people = load * len(counters) * (1 - absent) * 0.93 * minutes / mean
    return HallPlan(
        code,
        tells,
        lines,
        counters,
        opens,
        closes,
        lunch,
        _profile(opens, closes, dice),
        min(people, 1500.0),
        float(dice.choice([0.0, 10.0, 15.0, 30.0])),
        float(dice.uniform(0.0, 0.1)),
        float(dice.uniform(0.0, 0.1)),
        float(dice.choice([0.0, 0.05, 0.15, 0.3])),
        float(dice.uniform(20.0, 90.0)) * quick,
        float(dice.uniform(0.03, 0.2)),
        absent,
    )


def _counters(
    lines: tuple[LinePlan, ...], dice: np.random.Generator
) -> tuple[tuple[str, ...], ...]:
    """Counters with their lines: each line has one at least, the busy ones more."""
    work = np.array([line.share * line.service for line in lines])
    work /= work.sum()
    breadth = float(dice.choice([1.0, 1.6, 2.5, 10.0]))
    counters = []
    size = int(dice.integers(len(lines), max(len(lines) + 1, 2 * len(lines) + 4)))
    for at in range(size):
        first = at if at < len(lines) else int(dice.choice(len(lines), p=work))
        able = {first}
        while len(able) < len(lines) and dice.random() < 1.0 - 1.0 / breadth:
            able.add(int(dice.integers(len(lines))))
        counters.append(tuple(lines[each].code for each in sorted(able)))
    return tuple(counters)


def _profile(opens: float, closes: float, dice: np.random.Generator) -> tuple[float, ...]:
    """When people come: a peak in the morning, one after noon, and unrest."""
    middles = np.arange(opens - 45.0, closes - 15.0, 30.0)
    morning = np.exp(-(((middles - opens - dice.uniform(20, 120)) / dice.uniform(40, 120)) ** 2))
    noon = np.exp(-(((middles - dice.uniform(800, 920)) / dice.uniform(60, 120)) ** 2))
    early = np.where(middles < opens, dice.uniform(0.0, 0.6), 1.0)
    late = np.where(middles > closes - 45, 0.3, 1.0)
    level = 0.3 + dice.uniform(0.3, 1.5) * morning + dice.uniform(0.1, 1.0) * noon
    weights = level * early * late * dice.uniform(0.8, 1.2, len(middles))
    return tuple(float(each) for each in weights / weights.sum())
