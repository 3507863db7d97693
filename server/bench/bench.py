"""What a measurement is given, what it answers, and the list of all of them."""

import math
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Unit = Literal["ratio", "times", "seconds", "statements"]
Address = tuple[str, int]


class BenchFailed(RuntimeError):
    """Something could not be measured; the message says what and why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure: rounds of `seconds`, each over `connections`; `only` names measurements."""

    seconds: float = 4.0
    rounds: int = 3
    connections: int = 64
    workers: int = 2
    only: tuple[str, ...] = ()


@dataclass(slots=True)
class Bench:
    """A running city and what to measure it with."""

    plan: Plan
    api: Address
    sandbox: Address
    empty: Address
    guarded: Address
    # None where nothing of it is measured.
    nation: Address | None
    database_url: str
    folder: Path
    wrk: str | None
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the report.

    `value` is judged against `bar`: a ratio must reach it, everything else must stay under it.
    `limit` names what `rate` is compared with, `limit_rate` is how fast that went.
    """

    what: str
    value: float
    unit: Unit
    bar: float
    rate: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None
    limit: str | None = None
    limit_rate: float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.value >= self.bar if self.unit == "ratio" else self.value <= self.bar


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of load did. `refused` are answers that were not the expected ones."""

    requests: int
    seconds: float
    p50_s: float
    p99_s: float
    refused: int = 0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.requests / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Pairs:
    """Rounds of a thing and of its limit, taken in turn so that both meet the same disturbances."""

    loads: list[Load] = field(default_factory=list)
    limits: list[Load] = field(default_factory=list)

    def figure(self, what: str, *, limit: str, bar: float, note: str = "") -> Figure:
        """Medians; the ratio is the median of each round's own ratio."""
        refused = sum(load.refused for load in self.loads)
        pairs = zip(self.loads, self.limits, strict=True)
        return Figure(
            what=what,
            value=statistics.median(load.rate / bare.rate for load, bare in pairs),
            unit="ratio",
            bar=bar,
            rate=statistics.median(load.rate for load in self.loads),
            p50_s=statistics.median(load.p50_s for load in self.loads),
            p99_s=statistics.median(load.p99_s for load in self.loads),
            limit=limit,
            limit_rate=statistics.median(bare.rate for bare in self.limits),
            note="; ".join(part for part in (note, refused and f"{refused} refused") if part),
        )


@dataclass(slots=True)
class Measured:
    """What was measured, and by name why other measurements could not be made."""

    figures: list[Figure] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


Measurement = Callable[[Bench], Awaitable[list[Figure]]]
MEASUREMENTS: dict[str, Measurement] = {}


def measurement(name: str) -> Callable[[Measurement], Measurement]:
    """Add a measurement to the list; they run in the order in which they were added."""

    def add(measure: Measurement) -> Measurement:
        MEASUREMENTS[name] = measure
        return measure

    return add


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all do not exceed; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def load_of(took: Sequence[float], began: float, *, refused: int = 0) -> Load:
    """A round that began at that `time.perf_counter` and ends now."""
    seconds = time.perf_counter() - began
    return Load(len(took), seconds, percentile(took, 50), percentile(took, 99), refused)
