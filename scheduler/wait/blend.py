"""A city's own trees and the shipped ones, mixed: by what the own have seen, and by their errors.

Trees that learned apart err apart, so that a mixture mostly beats both.
"""

from typing import Final

from scheduler.wait.trees import Floats, Trees

# Rows of which the own trees must have grown to count as much as the shipped ones, at first.
HALFWAY: Final = 8000
SHARES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
_KEPT: Final = 0.9995  # of what was seen, at each label
_PULL: Final = 0.02  # of the mean error, by which a share that lies 1 away must be better


class Blend:
    """Shipped trees and a city's own. Shares are judged by waits that no tree had seen."""

    def __init__(self, shipped: Trees) -> None:
        self.shipped = shipped
        self.own: Trees | None = None
        self.both = shipped
        self.expected = self.share = 0.0
        self.errors = [0.0] * len(SHARES)

    def learn(self, own: Trees, rows: int) -> None:
        """Take the city's new trees, grown of so many rows."""
        self.own, self.both = own, self.shipped.joined(own)
        self.expected = rows / (rows + HALFWAY)
        # What was seen was seen of the trees before these, which had seen less.
        self.errors = [each / 2 for each in self.errors]
        self._choose()

    def predict(self, x: Floats) -> list[list[float]]:
        """For each row the three quantiles of y; then p50 of the shipped trees and of the own."""
        said: list[list[float]] = self.both.predict(x).tolist()
        if self.own is None:
            return [[*row, row[0], row[0]] for row in said]
        share = self.share
        return [
            [*(a + share * (b - a) for a, b in zip(row[:3], row[3:], strict=True)), row[0], row[3]]
            for row in said
        ]

    def label(self, y: float, shipped: float, own: float, weight: float) -> None:
        """A wait came true, of which the two had said so much."""
        if self.own is None:
            return
        for at, share in enumerate(SHARES):
            error = abs(y - shipped - share * (own - shipped))
            self.errors[at] = self.errors[at] * _KEPT + weight * error
        self._choose()

    def _choose(self) -> None:
        usual = sum(self.errors) / len(SHARES)
        if not usual:
            self.share = self.expected
            return
        costs = [
            error + _PULL * usual * (share - self.expected) ** 2
            for share, error in zip(SHARES, self.errors, strict=True)
        ]
        self.share = SHARES[costs.index(min(costs))]
