"""Boosted oblivious trees: one question a level, the same for all leaves; predicting is a look-up.

Three stacks of trees stand for the 10 %, 50 % and 90 % quantiles. Leaves hold shares of ln(wait /
backbone), so one stack serves lines of every pace.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

QUANTILES: Final = (0.5, 0.1, 0.9)
_CHUNK: Final = 256


@dataclass(frozen=True, eq=False)
class Trees:
    """`feature` and `threshold` are (trees, depth), `leaf` is (trees, 2^depth).

    `starts` says where the trees of each quantile of QUANTILES begin, `base` what each starts from.
    """

    feature: npt.NDArray[np.intp]
    threshold: Floats
    leaf: Floats
    starts: tuple[int, ...]
    base: tuple[float, ...]

    def predict(self, x: Floats) -> npt.NDArray[np.float64]:
        """Quantiles of y for rows of features: (rows, features) → (rows, quantiles)."""
        if len(x) <= _CHUNK:
            return self._some(x)
        return np.concatenate([self._some(x[at : at + _CHUNK]) for at in range(0, len(x), _CHUNK)])

    def _some(self, x: Floats) -> npt.NDArray[np.float64]:
        asked, thresholds, first, base = self._flat
        above = x.take(asked, axis=1) > thresholds
        # The answers of a tree, packed into bits, are the number of its leaf.
        answers = above.reshape(len(x), *self.feature.shape)
        number = np.packbits(answers, axis=2, bitorder="little")[:, :, 0] + first
        shares = self.leaf.ravel().take(number)
        sums = np.add.reduceat(shares, self.starts, axis=1, dtype=np.float64)
        return np.asarray(sums + base)

    @cached_property
    def _flat(
        self,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        first = np.arange(len(self.leaf)) * self.leaf.shape[1]
        return self.feature.ravel(), self.threshold.ravel(), first, np.array(self.base)

    def joined(self, other: "Trees") -> "Trees":
        """Both as one: its quantiles are these and then the other's, at the cost of one look.

        Raises ValueError where the two are not equally deep.
        """
        if self.feature.shape[1] != other.feature.shape[1]:
            raise ValueError("trees of different depth cannot be joined")
        behind = len(self.feature)
        return Trees(
            np.concatenate([self.feature, other.feature]),
            np.concatenate([self.threshold, other.threshold]),
            np.concatenate([self.leaf, other.leaf]),
            self.starts + tuple(at + behind for at in other.starts),
            self.base + other.base,
        )

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Plain arrays, for a file or a row; `trees_from` reads them back."""
        return {
            "feature": self.feature.astype(np.int16),
            "threshold": self.threshold,
            "leaf": self.leaf,
            "starts": np.array(self.starts, np.int32),
            "base": np.array(self.base, np.float64),
        }


def plain_trees() -> Trees:
    """Trees that say: the backbone, give or take."""
    return Trees(
        np.zeros((3, 4), np.intp),
        np.zeros((3, 4), np.float32),
        np.zeros((3, 16), np.float32),
        (0, 1, 2),
        (0.0, -0.7, 0.6),
    )


def trees_from(arrays: Mapping[str, npt.NDArray[Any]]) -> Trees:
    """Trees from `as_arrays`. Raises ValueError where the arrays do not fit together."""
    feature, leaf = arrays["feature"].astype(np.intp), arrays["leaf"].astype(np.float32)
    threshold = arrays["threshold"].astype(np.float32)
    starts = tuple(int(at) for at in arrays["starts"])
    base = tuple(float(each) for each in arrays["base"])
    fits = (
        feature.ndim == 2
        and threshold.shape == feature.shape
        and leaf.shape == (len(feature), 2 ** feature.shape[1])
        and len(starts) == len(base) == len(QUANTILES)
        and all(0 <= at < len(feature) for at in starts)
    )
    if not fits or not (np.isfinite(threshold).all() and np.isfinite(leaf).all()):
        raise ValueError("these arrays are no trees")
    return Trees(feature, threshold, leaf, starts, base)
