"""The nightly refit: trees from the waits that came true, and when it is worth its time."""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import numpy as np

from scheduler.wait.boosting import Growing, Progress, grow
from scheduler.wait.city import KINDS, Kind, Row
from scheduler.wait.trees import Trees

FEWEST: Final = 1500  # rows of a kind; below them the shipped trees know more
MOST: Final = 60_000  # rows of a kind; the newest count
DAYS: Final = 75
WORTH: Final = 0.12  # a refit is due when so large a share of the rows is new
REFITTING: Final = Growing(trees=(240, 140, 140), rate=0.05, features=0.5)


def refit(
    rows: Iterable[Row],
    seed: int,
    *,
    kinds: Collection[Kind] = KINDS,
    how: Growing = REFITTING,
    most: int = MOST,
    progress: Progress = lambda _, __: None,
) -> dict[Kind, tuple[Trees, int]]:
    """Trees of each kind of which there are rows enough, and of how many rows they grew.

    `rows` are in order of time; only the newest count where there are very many.

    Seconds of one core, so it belongs into a process of its own. The same rows and seed give the
    same trees.
    """
    by_kind: dict[Kind, list[Row]] = {kind: [] for kind in KINDS if kind in kinds}
    for row in rows:
        if row.kind in by_kind:
            by_kind[row.kind].append(row)
    grown: dict[Kind, tuple[Trees, int]] = {}
    for kind, every in by_kind.items():
        ours = every[-most:]
        if len(ours) < FEWEST:
            continue
        x = np.stack([row.x for row in ours])
        y = np.array([row.y for row in ours])
        weight = np.sqrt(np.array([row.ref for row in ours]))
        grown[kind] = grow(x, y, weight, seed, how=how, progress=progress), len(ours)
    return grown


class Learned:
    """The rows of the last days, and how many of them no trees have seen yet."""

    def __init__(self) -> None:
        self.days: deque[list[Row]] = deque(maxlen=DAYS)
        self.fresh: Counter[Kind] = Counter()

    def keep(self, rows: Sequence[Row]) -> None:
        """Keep a day's rows; the oldest day is forgotten."""
        self.days.append(list(rows))
        self.fresh.update(row.kind for row in rows)

    def due(self) -> set[Kind]:
        """The kinds for which a refit is worth its time."""
        known = Counter(row.kind for day in self.days for row in day)
        return {
            kind
            for kind, fresh in self.fresh.items()
            if known[kind] >= FEWEST and fresh >= WORTH * min(known[kind], MOST)
        }

    def refit(self, seed: int) -> dict[Kind, tuple[Trees, int]]:
        """New trees of the kinds that are due."""
        kinds = self.due()
        for kind in kinds:
            self.fresh[kind] = 0
        return refit((row for day in self.days for row in day), seed, kinds=kinds) if kinds else {}
