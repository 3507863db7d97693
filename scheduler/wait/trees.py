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
_DEPTHS: Final = (1, 2, 4, 8)


@dataclass(frozen=True, eq=False)
class Trees:
    """`feature` and `threshold` are (trees, depth), `leaf` is (trees, 2^depth); depth divides 8.

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
        asked, thresholds, table, first, starts, base = self._flat
        above = x.take(asked, axis=1) > thresholds
        # A byte of answers says which leaves all trees of a group come to.
        number = np.packbits(above, bitorder="little").reshape(len(x), len(first)) + first
        return np.asarray(np.add.reduceat(table.take(number), starts, axis=1) + base)

    @cached_property
    def _flat(self) -> tuple[npt.NDArray[Any], ...]:
        """Trees in groups that ask eight questions together, with what the answers add up to.

        Groups of one quantile are filled up with questions that are never answered yes.
        """
        depth = self.feature.shape[1]
        size = 8 // depth
        codes = np.arange(256)
        features, thresholds, tables, starts = [], [], [], [0]
        for start, end in zip(self.starts, (*self.starts[1:], len(self.feature)), strict=True):
            groups = -(-(end - start) // size)
            feature = np.zeros((groups * size, depth), np.intp)
            threshold = np.full((groups * size, depth), np.inf, np.float32)
            leaf = np.zeros((groups * size, 2**depth))
            feature[: end - start] = self.feature[start:end]
            threshold[: end - start] = self.threshold[start:end]
            leaf[: end - start] = self.leaf[start:end]
            features.append(feature.ravel())
            thresholds.append(threshold.ravel())
            tables.append(
                sum(leaf[nth::size][:, (codes >> (nth * depth)) % 2**depth] for nth in range(size))
            )
            starts.append(starts[-1] + groups)
        table = np.concatenate(tables)
        return (
            np.concatenate(features),
            np.concatenate(thresholds),
            table.ravel(),
            np.arange(len(table)) * 256,
            np.array(starts[:-1]),
            np.array(self.base),
        )

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
        """Plain arrays, for a file or a row; `trees_from` reads them back.

        Leaves are kept to three digits, as they are grown.
        """
        return {
            "feature": self.feature.astype(np.int16),
            "threshold": self.threshold,
            "leaf": self.leaf.astype(np.float16),
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
        and feature.shape[1] in _DEPTHS
        and threshold.shape == feature.shape
        and leaf.shape == (len(feature), 2 ** feature.shape[1])
        and len(starts) == len(base) == len(QUANTILES)
        and all(0 <= at < len(feature) for at in starts)
    )
    if not fits or not (np.isfinite(threshold).all() and np.isfinite(leaf).all()):
        raise ValueError("these arrays are no trees")
    return Trees(feature, threshold, leaf, starts, base)
