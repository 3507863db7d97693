"""The nightly refit: trees from the waits that came true."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from scheduler.wait.boosting import Growing, Progress, grow
from scheduler.wait.predictor import KINDS, Row
from scheduler.wait.trees import Trees

FEWEST: Final = 1500
MOST: Final = 60_000
REFITTING: Final = Growing(features=0.5)


def refit(
    rows: Sequence[Row],
    seed: int,
    how: Growing = REFITTING,
    progress: Progress = lambda _, __: None,
) -> dict[str, Trees]:
    """Trees of each kind of which there are rows enough; oldest rows first, newest last.

    Some seconds on one core; the same rows and seed give the same trees.
    """
    grown = {}
    for kind in KINDS:
        ours = [row for row in rows if row.kind == kind][-MOST:]
        if len(ours) < FEWEST:
            continue
        x = np.stack([row.x for row in ours])
        y = np.array([row.y for row in ours])
        weight = np.sqrt(np.array([row.ref for row in ours]))
        grown[kind] = grow(x, y, weight, seed, how, progress)
    return grown
