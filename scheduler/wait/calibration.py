"""Keeping ranges honest: conformalised quantiles that follow what comes true.

For each of p10 and p90 the last scores `y - f` are kept in bins, by how many are ahead or by how
long it is until somebody arrives; what is added to f is their quantile at a level that moves until
the share that it promises is the share that is met.
"""

import math
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

KEPT: Final = 1500
ENOUGH: Final = 60
EVERY: Final = 8
STEP: Final = 0.005
TARGETS: Final = (0.1, 0.9)
BOUNDS: Final = ((0.02, 0.3), (0.7, 0.98))
BINS: Final = 9
MOST_AT_FIRST: Final = (
    0.15  # by which an end moves, as y, while only short waits can have come true
)
SOUND: Final = 0.7  # of waits within their range, where 0.8 is promised


def bin_of(n: int) -> int:
    """The bin of the n-th in line."""
    return min(max(n, 1).bit_length() - 1, BINS - 1)


class Promised(Protocol):
    """The ends of a range as y: as predicted, and as calibrated."""

    y10: float
    y90: float
    low: float
    high: float


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
    """Scores by bin and pooled; `met` is the share of late that fell into its range.

    On a city's first day only waits that end early have come true yet: a line's first people, idle
    counters, quick services. Until the day is over, and all of its waits with it, what came true
    may widen the ends that trees foretell, up to a limit, and not narrow them.
    """

    settled: bool = True  # of those kept before it was kept

    def __init__(self) -> None:
        self.settled = False
        self.bins = [Scores() for _ in range(BINS)]
        self.pooled = Scores()
        self.met = 0.8

    def _of(self, which: int) -> Scores:
        scores = self.bins[which]
        return scores if scores.count >= ENOUGH else self.pooled

    def shifts(self, which: int) -> tuple[float, float]:
        """What to add to f10 and f90 in a bin."""
        scores = self._of(which)
        trust = min(scores.count / ENOUGH, 1.0)
        return scores.shift[0] * trust, scores.shift[1] * trust

    def ends(
        self, which: int, said: tuple[float, float], own: Sequence[float]
    ) -> tuple[float, float]:
        """A range's ends as y in a bin: as trees said them, and with what the line adds."""
        shifts = self.shifts(which)
        low, high = said[0] + own[0] + shifts[0], said[1] + own[1] + shifts[1]
        if self.settled:
            return low, high
        return (
            min(max(low, said[0] - MOST_AT_FIRST), said[0]),
            max(min(high, said[1] + MOST_AT_FIRST), said[1]),
        )

    def settle(self) -> None:
        """A day is over: nobody waits any more of whom it is not known how long."""
        self.settled = self.settled or self.pooled.count >= ENOUGH

    @property
    def wider(self) -> float:
        """By how much to widen a range: little is known, or what is known is drifting."""
        thin = 0.3 * max(1.0 - self.pooled.count / ENOUGH, 0.0)
        return 1.0 + thin + max(SOUND - self.met, 0.0)

    @property
    def is_sound(self) -> bool:
        """Whether enough came true, and enough of it within its range."""
        return self.pooled.count >= ENOUGH and self.met >= SOUND

    def label(self, which: int, y: float, promised: Promised) -> None:
        """A wait came true that had been foretold in this bin."""
        scores = self.bins[which]
        for each in (scores, self.pooled):
            each.follow(0, y < promised.low)
            each.follow(1, y < promised.high)
            each.add(y - promised.y10, y - promised.y90)
        self.met += 0.005 * ((promised.low <= y <= promised.high) - self.met)
