"""Growing the trees that ship, from simulated halls alone."""

from collections.abc import Mapping

import numpy as np

from scheduler.wait.boosting import Growing, Progress
from scheduler.wait.predictor import City, Row, Waits
from scheduler.wait.training.days import Day
from scheduler.wait.training.plans import a_hall
from scheduler.wait.trees import Trees

SHIPPED = Growing(trees=(200, 120, 120), rate=0.08, features=0.5)
ROUNDS = 2  # the second sees how wrong the first one's trees were today


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
            waits.city.close_day()
        rows.extend(waits.drain_rows())
        progress(at + 1, halls)
    return rows
