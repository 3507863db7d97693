"""Growing trees: gradient boosting of quantiles over binned features, in numpy alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from scheduler.wait.trees import QUANTILES, Floats, Trees

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Growing:
    """How trees are grown; `rows` and `features` are the shares that each tree looks at."""

    trees: tuple[int, ...] = (120, 120, 120)
    depth: int = 4
    rate: float = 0.08
    bins: int = 24
    l2: float = 20.0
    rows: float = 0.7
    features: float = 1.0


PLAIN: Final = Growing()


def grow(
    x: Floats,
    y: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    seed: int,
    *,
    how: Growing = PLAIN,
    progress: Progress = lambda _, __: None,
) -> Trees:
    """Fit the quantiles of y. The same rows and seed give the same trees.

    Raises ValueError for no rows, or for numbers that are not finite.
    """
    if len(x) == 0 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("trees grow from finite rows, and at least one")
    dice = np.random.default_rng(seed)
    edges = _edges(x, how.bins)
    codes = np.stack(
        [np.searchsorted(edge, x[:, at], side="left") for at, edge in enumerate(edges)]
    ).astype(np.int16)
    weight = weight / weight.mean()
    total, done = sum(how.trees), 0
    stacks, base = [], []
    for quantile, count in zip(QUANTILES, how.trees, strict=True):
        start = weighted_quantile(y, weight, quantile)
        guess = np.full(len(y), start)
        base.append(start)
        stack = []
        for _ in range(count):
            tree, gain = _tree(
                codes, edges, y - guess, weight, quantile=quantile, dice=dice, how=how
            )
            guess += gain
            stack.append(tree)
            done += 1
            progress(done, total)
        stacks.append(stack)
    every = [tree for stack in stacks for tree in stack]
    starts = np.cumsum([0, *(len(stack) for stack in stacks[:-1])])
    return Trees(
        np.array([tree[0] for tree in every], np.intp),
        np.array([tree[1] for tree in every], np.float32),
        # Three digits are more than is known, and half to keep.
        np.array([tree[2] for tree in every], np.float16).astype(np.float32),
        tuple(int(at) for at in starts),
        tuple(base),
    )


def weighted_quantile(
    values: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], quantile: float
) -> float:
    """The value below which that share of the weight lies."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    at = np.searchsorted(reached, quantile * reached[-1])
    return float(values[order[min(int(at), len(values) - 1)]])


def _edges(x: Floats, bins: int) -> list[Floats]:
    """Where each feature's bins meet; no more edges than it has values."""
    shares = np.linspace(0, 1, bins + 1)[1:-1]
    return [np.unique(np.quantile(column, shares).astype(np.float32)) for column in x.T]


Tree = tuple[list[int], list[float], npt.NDArray[np.float64]]


def _tree(
    codes: npt.NDArray[np.int16],
    edges: Sequence[Floats],
    residual: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    *,
    quantile: float,
    dice: np.random.Generator,
    how: Growing,
) -> tuple[Tree, npt.NDArray[np.float64]]:
    """One tree and what it adds to the guess of every row."""
    picked = np.flatnonzero(dice.random(len(residual)) < how.rows)
    if len(picked) == 0:
        picked = np.arange(len(residual))
    looked_at = np.flatnonzero(dice.random(len(edges)) < how.features)
    if len(looked_at) == 0:
        looked_at = np.arange(len(edges))
    seen = codes[np.ix_(looked_at, picked)].astype(np.intp)
    w = weight[picked]
    # The gradient has two values, so one count by sign gives both sums.
    above = (residual[picked] > 0).astype(np.intp)
    leaf = np.zeros(len(picked), np.intp)
    everywhere = np.zeros(len(residual), np.intp)
    features: list[int] = []
    thresholds: list[float] = []
    for level in range(how.depth):
        shape = (len(looked_at), 2**level, how.bins, 2)
        counted = np.empty(shape)
        place = leaf * (2 * how.bins) + above
        for at in range(len(looked_at)):
            index = seen[at] * 2
            index += place
            counted[at] = np.bincount(index, w, 2**level * how.bins * 2).reshape(shape[1:])
        counted = counted.transpose(1, 0, 2, 3).cumsum(2)
        ws = counted.sum(3)
        gs = quantile * counted[..., 1] - (1 - quantile) * counted[..., 0]
        all_g, all_w = gs[:, :1, -1:], ws[:, :1, -1:]
        gain = (gs**2 / (ws + how.l2) + (all_g - gs) ** 2 / (all_w - ws + how.l2)).sum(0)
        # A cut behind a feature's last edge is none.
        for at, feature in enumerate(looked_at.tolist()):
            gain[at, len(edges[feature]) :] = -np.inf
        best = int(np.argmax(gain))
        at, cut = divmod(best, how.bins)
        feature = int(looked_at[at])
        if not np.isfinite(gain[at, cut]):
            features.append(feature)
            thresholds.append(float(np.finfo(np.float32).max))
            continue
        features.append(feature)
        thresholds.append(float(edges[feature][cut]))
        leaf += (seen[at] > cut).astype(np.intp) << level
        everywhere += (codes[feature] > cut).astype(np.intp) << level
    values = _leaf_values(leaf, residual[picked], w, quantile, how)
    return (features, thresholds, values), values[everywhere]


def _leaf_values(
    leaf: npt.NDArray[np.intp],
    residual: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    quantile: float,
    how: Growing,
) -> npt.NDArray[np.float64]:
    """Each leaf's weighted quantile of the residuals, shrunk by its weight, times the rate."""
    values = np.zeros(2**how.depth)
    order = np.lexsort((residual, leaf))
    bounds = np.searchsorted(leaf[order], np.arange(2**how.depth + 1))
    sorted_residual, reached = residual[order], np.cumsum(weight[order])
    for at in range(2**how.depth):
        low, high = int(bounds[at]), int(bounds[at + 1])
        if low == high:
            continue
        before = reached[low - 1] if low else 0.0
        total = reached[high - 1] - before
        where = np.searchsorted(reached[low:high], before + quantile * total)
        value = sorted_residual[low + min(int(where), high - low - 1)]
        values[at] = how.rate * value * total / (total + how.l2)
    return values
