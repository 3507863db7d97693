"""A city's own trees and the shipped ones: the more the own have seen, the more they count."""

from typing import Final

from scheduler.wait.trees import Floats, Trees

# Rows of which the own trees must have grown to count as much as the shipped ones.
HALFWAY: Final = 8000


class Blend:
    """Shipped trees and a city's own. Errors of two that learned apart cancel out in part."""

    def __init__(self, shipped: Trees) -> None:
        self.shipped = shipped
        self.own: Trees | None = None
        self.both = shipped
        self.share = 0.0

    def learn(self, own: Trees, rows: int) -> None:
        """Take the city's new trees, grown of so many rows."""
        self.own, self.both = own, self.shipped.joined(own)
        self.share = rows / (rows + HALFWAY)

    def predict(self, x: Floats) -> list[list[float]]:
        """The three quantiles of y for each row."""
        said: list[list[float]] = self.both.predict(x).tolist()
        if self.own is None:
            return said
        return [
            [a + self.share * (b - a) for a, b in zip(row[:3], row[3:], strict=True)]
            for row in said
        ]
