"""Waits of a city's halls: hears events, promises ranges, learns from what comes true."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from scheduler.wait import features
from scheduler.wait.blend import Blend
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
ENOUGH_LABELS: Final = 20
FARTHEST: Final = 4.0  # no wait is foretold beyond e^4 times its backbone


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
    y50: float
    y10: float  # before and after calibration
    y90: float
    low: float
    high: float
    shown: Range | None  # None: nothing is known that a number could come from


@dataclass(frozen=True, slots=True)
class Row:
    """A wait that came true, to learn from."""

    kind: Kind
    x: Floats
    y: float
    ref: float


class City:
    """What halls share: usual minutes for each position, trees, calibration, scale."""

    def __init__(self, shipped: Mapping[str, Trees]) -> None:
        self.trees = {kind: Blend(shipped[kind]) for kind in KINDS}
        self.calibration: dict[str, Calibration] = {kind: Calibration() for kind in KINDS}
        self.waits, self.people, self.labels = 0.0, 0.0, 0.0
        self.known = 0  # labels ever
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

    def basis(self, line: Line, kind: Kind) -> Basis:
        """What a number for a line could stand on."""
        if line.labels >= ENOUGH_LABELS and self.calibration[kind].is_sound:
            return "live"
        return "usual" if self.known >= ENOUGH_LABELS else "none"

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
            self._label(hall, told)
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
        if hall.has_capabilities:
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
        said = city.trees[kind].predict(x)[0]
        return self._promised(line, kind, x[0], float(ref[0]), waiting.n, said)

    def _promised(
        self, line: Line, kind: Kind, x: Floats, ref: float, n: int, said: Sequence[float]
    ) -> Promise:
        city, calibration = self.city, self.city.calibration[kind]
        y50, y10, y90 = said[0], said[1] + line.tail[0], said[2] + line.tail[1]
        low, high = calibration.shifts(n)
        low, high = min(y10 + low, y50), max(y90 + high, y50)
        basis = city.basis(line, kind)
        wider = calibration.wider * (1.0 + 0.5 * max(1.0 - line.labels / ENOUGH_LABELS, 0.0))
        shown = None
        if basis != "none":
            ends = (y50 - wider * (y50 - low), y50, y50 + wider * (high - y50))
            shown = as_minutes(ref, city.offset, ends, basis)
        return Promise(kind, x, ref, city.offset, y50, y10, y90, low, high, shown)

    def _label(self, hall: Hall, told: Called) -> None:
        waiting, promise, city = told.waiting, told.waiting.promise, self.city
        line = waiting.line
        y = math.log((told.wait + promise.offset) / promise.ref)
        city.calibration[promise.kind].label(waiting.n, y, promise)
        self.rows.append(Row(promise.kind, promise.x, y, promise.ref))
        if promise.kind == "booked":
            return
        hall.ys = [hall.ys[0] * 0.97 + y, hall.ys[1] * 0.97 + 1.0]
        line.label(told.wait, waiting.n, waiting.issued, y, promise.y50)
        line.follow(below=y < promise.low, above=y > promise.high)
        city.waits += told.wait
        city.people += waiting.n
        city.labels += 1.0
        city.known += 1

    def drain_rows(self) -> list[Row]:
        """The rows since the last time, to be kept for the nightly refit."""
        rows, self.rows = self.rows, []
        return rows


def as_minutes(
    ref: float, offset: float, ends: tuple[float, float, float], basis: Basis
) -> Range:
    """Minutes from what was learned (p10, p50, p90 of y): never negative, in order, finite."""
    p10, p50, p90 = (
        max(ref * math.exp(min(max(y, -FARTHEST), FARTHEST)) - offset, 0.0) for y in ends
    )
    return Range(min(p10, p50), p50, max(p90, p50), basis)


def service_means(hall: Hall) -> dict[str, float]:
    """Minutes that a service takes, for each line, drawn to the hall's."""
    known = [line.service for line in hall.lines.values() if line.service.count]
    count = sum(each.count for each in known)
    usual = (sum(each.value * each.count for each in known) + 25.0) / (count + 5.0)
    return {code: line.service.shrunk(usual, 3.0) for code, line in hall.lines.items()}
