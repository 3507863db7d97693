"""Growing the trees that ship, from simulated halls alone."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from scheduler.wait.boosting import Growing, Progress
from scheduler.wait.city import KINDS, City, Kind, Row
from scheduler.wait.predictor import Waits
from scheduler.wait.refit import refit
from scheduler.wait.training.days import Day
from scheduler.wait.training.plans import a_hall
from scheduler.wait.trees import Trees

SHIPPED: Final = Growing(trees=(180, 90, 90), features=0.5)
ROUNDS: Final = 2  # in the second, today's errors are those of the first one's trees
_MOST_ROWS: Final = 150_000


def grown_on_simulated(
    *,
    halls: int,
    days: int,
    seed: int,
    kinds: Collection[Kind] = KINDS,
    others: Mapping[str, Trees] = MappingProxyType({}),
    progress: Progress = lambda _, __: None,
) -> dict[str, Trees]:
    """The trees to ship, grown on so many halls over so many days; minutes of one core.

    Of some `kinds` only, `others` are what the rest is foretold by.
    """
    trees = dict(others)
    # Errors of midway and on arrival tell nothing that anything else is learned from.
    rounds = ROUNDS if {"line", "rolled"} & set(kinds) else 1
    total = rounds * (halls + _GROWING)
    for at in range(rounds):
        before = at * (halls + _GROWING)

        def tell(done: int, of: int, before: int = before, span: int = halls) -> None:
            progress(before + done * span // max(of, 1), total)

        rows = simulated_rows(
            trees, halls=halls, days=days, seed=seed + at * 1_000_003, progress=tell
        )
        grown = refit(rows, seed, kinds=kinds, how=SHIPPED, most=_MOST_ROWS)
        trees |= {kind: each for kind, (each, _) in grown.items()}
        progress(before + halls + _GROWING, total)
    return trees


_GROWING: Final = 20  # what growing takes, told in halls


def simulated_rows(
    trees: Mapping[str, Trees],
    *,
    halls: int,
    days: int,
    seed: int,
    progress: Progress = lambda _, __: None,
) -> list[Row]:
    """The rows of so many halls over so many days, each hall beginning with nothing."""
    rows: list[Row] = []
    for at in range(halls):
        dice = np.random.default_rng([seed, at])
        plan = a_hall(f"H{at}", dice)
        waits = Waits(City(trees), credit=plan.credit)
        for day in range(days):
            for event in Day(plan, day, dice).play():
                waits.hear(event)
            waits.close_day()
        rows.extend(waits.drain_rows())
        progress(at + 1, halls)
    return rows
