"""Waits of a city's halls: hears events, promises ranges, learns from what comes true."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from scheduler.wait import features
from scheduler.wait.calibration import Calibration
from scheduler.wait.events import Event
from scheduler.wait.halls import Called, Hall, Waiting
from scheduler.wait.lines import FADE, Line
from scheduler.wait.rollout import Playing
from scheduler.wait.trees import Floats, Trees

Basis = Literal["live", "usual", "none"]
KINDS: Final = ("line", "rolled", "booked")  # each with trees and a calibration of its own
Kind = Literal["line", "rolled", "booked"]
USUAL_TAU: Final = 4.0  # minutes for each position where nothing is known yet
PRIOR_PEOPLE: Final = 20.0
PRIOR_TODAY: Final = 300.0


@dataclass(frozen=True, slots=True)
class Range:
    """A predicted wait in minutes: 10 %, 50 % and 90 % of such waits are shorter."""

    p10: float
    p50: float
    p90: float
    basis: Basis = "live"


@dataclass(slots=True)
class Promise:
    """What was predicted for a ticket, and from what; kept until she is called."""

    kind: Kind
    x: Floats
    ref: float
    offset: float
    f: tuple[float, float, float]
    shift: tuple[float, float]
    shown: Range


@dataclass(frozen=True, slots=True)
class Row:
    """A wait that came true, to learn from."""

    kind: Kind
    x: Floats
    y: float
    ref: float


class City:
    """What halls share: usual minutes for each position, trees, calibration, scale."""

    def __init__(self, trees: dict[str, Trees]) -> None:
        self.trees = trees
        self.calibration: dict[str, Calibration] = {kind: Calibration() for kind in KINDS}
        self.waits, self.people, self.labels = 0.0, 0.0, 0.0
        self.offset = 2.0

    @property
    def tau(self) -> float:
        """Minutes of wait for each position, over all lines."""
        return (self.waits + PRIOR_PEOPLE * USUAL_TAU) / (self.people + PRIOR_PEOPLE)

    def close_day(self) -> None:
        """A day has passed."""
        self.waits *= FADE
        self.people *= FADE
        self.labels *= FADE
        if self.labels >= 200:
            # A tenth of a usual wait; of a hall's, two minutes at most.
            self.offset = min(max(0.1 * self.waits_mean(), 1 / 6), 2.0)

    def waits_mean(self) -> float:
        """The mean wait of late."""
        return self.waits / max(self.labels, 1.0)


class Waits:
    """The predictor of one or more halls that share a City."""

    def __init__(
        self,
        city: City,
        pools: Iterable[Iterable[str]] = (),
        credit: float = 0.0,
    ) -> None:
        self.city = city
        self.pools = tuple(tuple(pool) for pool in pools)
        self.credit = credit
        self.halls: dict[str, Hall] = {}
        self.rows: list[Row] = []

    def hall(self, code: str) -> Hall:
        """The hall, made when first heard of."""
        found = self.halls.get(code)
        if found is None:
            found = self.halls[code] = Hall(code, self.pools, self.credit)
        return found

    def hear(self, event: Event) -> Promise | None:
        """Take an event in; answers what is promised to whoever joins by it."""
        hall = self.hall(event.hall)
        if not hall.accepts(event):
            hall.refused += 1
            return None
        if hall.day != event.day:
            hall.begin_day(event.day)
        told = hall.hear(event)
        if isinstance(told, Waiting):
            told.promise = self._promise(hall, told)
            return told.promise
        if isinstance(told, Called) and told.waiting.promise is not None:
            self._label(told)
        return None

    def _promise(self, hall: Hall, waiting: Waiting) -> Promise | None:
        if not waiting.scored:
            return None
        line, t, city = waiting.line, hall.t, self.city
        seen = features.view(hall, line, t, city.tau, PRIOR_PEOPLE)
        counters = hall.open_for(line, t)
        if counters is not None:
            line.counters_by_slot.add(int(min(max(t // 30, 0), 47)), float(counters))
        kind: Kind = "line"
        backbone = waiting.n * seen.tau
        if hall.has_capabilities and counters:
            called = Playing(hall, t, service_means(hall)).play(waiting)
            if waiting.seq in called:
                kind, backbone = "rolled", called[waiting.seq] - t
        to_slot = 0.0
        if waiting.slot is not None:
            to_slot = (waiting.slot - t) / 10.0
            if kind == "line":
                backbone = max(waiting.slot - t, 0.0) + seen.tau
            kind = "booked"
        offset = city.offset
        ref = np.array([backbone + offset])
        x = features.rows(seen, [waiting.n], [waiting.priority], [to_slot], ref, offset)
        f = city.trees[kind].predict(x)[0]
        f50, f10, f90 = float(f[0]), float(f[1]), float(f[2])
        shift = city.calibration[kind].shifts(waiting.n)
        shown = shown_as(float(ref[0]), offset, (f50, f10, f90), shift)
        return Promise(kind, x[0], float(ref[0]), offset, (f50, f10, f90), shift, shown)

    def _label(self, told: Called) -> None:
        waiting, promise, city = told.waiting, told.waiting.promise, self.city
        y = math.log((told.wait + promise.offset) / promise.ref)
        f50, f10, f90 = promise.f
        low, high = promise.shift
        city.calibration[promise.kind].label(waiting.n, y, f10, f90, f10 + low, f90 + high)
        self.rows.append(Row(promise.kind, promise.x, y, promise.ref))
        if promise.kind == "booked":
            return
        waiting.line.label(told.wait, waiting.n, waiting.issued, y, f50)
        city.waits += told.wait
        city.people += waiting.n
        city.labels += 1.0

    def drain_rows(self) -> list[Row]:
        """The rows since the last time, to be kept for the nightly refit."""
        rows, self.rows = self.rows, []
        return rows


def shown_as(
    ref: float, offset: float, f: tuple[float, float, float], shift: tuple[float, float]
) -> Range:
    """Minutes from what was learned: never negative, in order."""
    p50 = max(ref * math.exp(f[0]) - offset, 0.0)
    p10 = max(ref * math.exp(f[1] + shift[0]) - offset, 0.0)
    p90 = max(ref * math.exp(f[2] + shift[1]) - offset, 0.0)
    return Range(min(p10, p50), p50, max(p90, p50))


def service_means(hall: Hall) -> dict[str, float]:
    """Minutes that a service takes, for each line, drawn to the hall's."""
    known = [line.service for line in hall.lines.values() if line.service.count]
    count = sum(each.count for each in known)
    usual = (sum(each.value * each.count for each in known) + 25.0) / (count + 5.0)
    return {code: line.service.shrunk(usual, 3.0) for code, line in hall.lines.items()}
