"""What ships: trees grown on simulated halls, for the time before a hall has waits of its own."""

import numpy as np

from scheduler.wait.predictor import KINDS
from scheduler.wait.trees import Trees


def plain_trees() -> Trees:
    """Trees that say: the backbone, give or take."""
    stumps = np.zeros((3, 1), np.intp)
    return Trees(
        stumps,
        np.zeros((3, 1), np.float32),
        np.zeros((3, 2), np.float32),
        (0, 1, 2),
        (0.0, -0.7, 0.6),
    )


def shipped_trees() -> dict[str, Trees]:
    """The shipped trees of each kind."""
    return dict.fromkeys(KINDS, plain_trees())
