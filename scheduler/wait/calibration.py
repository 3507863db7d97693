"""Keeping ranges honest: conformalised quantiles that follow what comes true.

For each of p10 and p90 the last scores `y - f` are kept, by how many are ahead; what is added to f
is their quantile at a level that moves until the share that it promises is the share that is met.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

KEPT: Final = 1500
ENOUGH: Final = 60
EVERY: Final = 8
STEP: Final = 0.005
TARGETS: Final = (0.1, 0.9)
BOUNDS: Final = ((0.02, 0.3), (0.7, 0.98))
BINS: Final = 9


def bin_of(n: int) -> int:
    """The bin of the n-th in line."""
    return min(max(n, 1).bit_length() - 1, BINS - 1)


class Scores:
    """The last scores of both ends, as a ring, and the shift that they ask for."""

    __slots__ = ("count", "kept", "levels", "shift")

    def __init__(self) -> None:
        self.kept = np.zeros((2, 0), np.float32)
        self.count = 0
        self.levels = [*TARGETS]
        self.shift = [0.0, 0.0]

    def add(self, low: float, high: float) -> None:
        """Count one in; now and then look at the shifts again."""
        size = self.kept.shape[1]
        if self.count >= size and size < KEPT:
            grown = np.zeros((2, min(max(64, 2 * size), KEPT)), np.float32)
            grown[:, :size] = self.kept
            self.kept = grown
        at = self.count % self.kept.shape[1]
        self.kept[0, at], self.kept[1, at] = low, high
        self.count += 1
        if self.count % EVERY == 0:
            self.look()

    def look(self) -> None:
        """Set the shifts to the quantiles of the scores."""
        known = min(self.count, self.kept.shape[1])
        if not known:
            return
        for end in (0, 1):
            at = min(max(math.ceil(self.levels[end] * known) - 1, 0), known - 1)
            self.shift[end] = float(np.partition(self.kept[end, :known], at)[at])

    def follow(self, end: int, hit: bool) -> None:
        """Move the level towards what was promised."""
        low, high = BOUNDS[end]
        moved = self.levels[end] + STEP * (TARGETS[end] - hit)
        self.levels[end] = min(max(moved, low), high)


class Calibration:
    """Scores by bin and pooled; `met` is the share of late that fell into its range."""

    def __init__(self) -> None:
        self.bins = [Scores() for _ in range(BINS)]
        self.pooled = Scores()
        self.met = 0.8

    def _of(self, n: int) -> Scores:
        scores = self.bins[bin_of(n)]
        return scores if scores.count >= ENOUGH else self.pooled

    def shifts(self, n: int) -> tuple[float, float]:
        """What to add to f10 and f90 for the n-th in line."""
        low, high = self._of(n).shift
        return low, high

    def label(self, n: int, y: float, f10: float, f90: float, low: float, high: float) -> None:
        """A wait came true; low and high are the ends as they were promised, as y."""
        scores = self.bins[bin_of(n)]
        for each in (scores, self.pooled):
            each.follow(0, y < low)
            each.follow(1, y < high)
            each.add(y - f10, y - f90)
        self.met += 0.005 * ((low <= y <= high) - self.met)
