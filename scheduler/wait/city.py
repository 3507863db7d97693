"""What halls share: usual paces, trees, calibration; and the words in which waits are told."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from scheduler.wait.blend import Blend
from scheduler.wait.calibration import Calibration
from scheduler.wait.halls import PRIOR_PEOPLE
from scheduler.wait.lines import FADE, Line
from scheduler.wait.trees import Floats, Trees, plain_trees

Basis = Literal["live", "usual", "none"]
# Of one who joins: people times minutes, the line played forward, or an appointment. Of one who has
# waited a while; of one who arrives later.
Kind = Literal["line", "rolled", "booked", "midway", "arrival"]
KINDS: Final[tuple[Kind, ...]] = ("line", "rolled", "booked", "midway", "arrival")
# Which of a line's own ends a kind has.
TAILS: Final[Mapping[Kind, int]] = {"line": 0, "rolled": 0, "booked": 0, "midway": 1, "arrival": 2}
USUAL_TAU: Final = 4.0  # minutes for each position where nothing is known yet
ENOUGH_LABELS: Final = 20
_HOURS: Final = 120.0
_TENFOLD: Final = 10.0
# What lies between p50 and either end at least, as y, and as a share of what trees say.
LEAST: Final = 0.05
LEAST_OF_SAID: Final = 0.25
FARTHEST: Final = 4.0  # no wait is foretold beyond e^4 times its backbone


@dataclass(frozen=True, slots=True)
class Range:
    """A predicted wait in minutes: 10 %, 50 % and 90 % of such waits are shorter."""

    p10: float
    p50: float
    p90: float
    basis: Basis = "live"

    def says_something(self, left: float) -> bool:
        """Whether it tells one what to do, with so many minutes left in which anybody is called.

        What is borrowed may reach from minutes to hours: that is any time today, and no number.
        """
        if self.basis == "live" or left == math.inf:
            return True
        return min(self.p90, left) <= max(_HOURS, _TENFOLD * self.p10)


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
    said: tuple[float, float]  # p50 as y, by the shipped trees and by the city's own
    shown: Range | None  # None: nothing is known that a number could come from
    bin: int = 0  # of calibration

    @property
    def middle(self) -> float:
        """Minutes that half of such people wait, as predicted."""
        return max(self.ref * math.exp(self.y50) - self.offset, 0.0)


@dataclass(frozen=True, slots=True)
class Row:
    """A wait that came true, to learn from; `x` as the features of its kind name it."""

    kind: Kind
    x: Floats
    y: float
    ref: float


class City:
    """What halls share: usual minutes for each position, trees, calibration, scale."""

    def __init__(self, shipped: Mapping[str, Trees]) -> None:
        self.trees = {kind: Blend(shipped.get(kind) or plain_trees()) for kind in KINDS}
        self.calibration: dict[str, Calibration] = {kind: Calibration() for kind in KINDS}
        self.waits, self.people, self.labels = 0.0, 0.0, 0.0
        self.known = 0  # labels ever
        self.offset = 2.0

    @property
    def tau(self) -> float:
        """Minutes of wait for each position, over all lines."""
        return (self.waits + PRIOR_PEOPLE * USUAL_TAU) / (self.people + PRIOR_PEOPLE)

    def settle(self) -> None:
        """A hall's day is over: what came true on it is all that there was."""
        for calibration in self.calibration.values():
            calibration.settle()

    def close_day(self) -> None:
        """A day has passed."""
        self.settle()
        self.waits *= FADE
        self.people *= FADE
        self.labels *= FADE
        if self.labels >= 200:
            # A tenth of a usual wait; of a hall's, two minutes at most.
            self.offset = min(max(0.1 * self.waits_mean(), 1 / 6), 2.0)

    @property
    def scale(self) -> float:
        """How quick all goes here: 1 as in a hall, 0.2 as on the telephone."""
        return max(self.offset / 2.0, 0.2)

    @property
    def strength(self) -> float:
        """People of the usual pace that a line's own is drawn to."""
        return PRIOR_PEOPLE

    def count(self, wait: float, n: int) -> None:
        """A walk-in's wait came true."""
        self.waits += wait
        self.people += n
        self.labels += 1.0
        self.known += 1

    def basis(self, line: Line, kind: Kind) -> Basis:
        """What a number for a line could stand on."""
        if line.labels >= ENOUGH_LABELS and self.calibration[kind].is_sound:
            return "live"
        return "usual" if self.known >= ENOUGH_LABELS else "none"

    def promise(
        self,
        line: Line,
        kind: Kind,
        x: Floats,
        ref: float,
        *,
        which: int,
        said: Sequence[float],
        more: float = 0.0,
    ) -> "Promise":
        """A range from what trees say (p50, p10, p90 of y), calibrated, widened where unsure.

        `which` is the bin of calibration; `more` minutes come on top of what trees foretell.
        """
        calibration = self.calibration[kind]
        own = line.tails[TAILS[kind]]
        y50, y10, y90 = said[0], said[1] + own[0], said[2] + own[1]
        low, high = calibration.ends(which, (said[1], said[2]), own)
        low, high = min(low, y50), max(high, y50)
        basis = self.basis(line, kind)
        wider = calibration.wider
        if line.labels < ENOUGH_LABELS:
            wider *= 1.5 - 0.5 * line.labels / ENOUGH_LABELS
        shown = None
        offset = self.offset_of(kind) - more
        if basis != "none":
            down, up = wider * (y50 - low), wider * (high - y50)
            if which > 0 or TAILS[kind] > 0 or not calibration.settled:
                # Of who is next it may well be known that she is called at once.
                down = max(down, LEAST, LEAST_OF_SAID * (y50 - said[1]))
                up = max(up, LEAST, LEAST_OF_SAID * (said[2] - y50))
            ends = (y50 - down, y50, y50 + up)
            shown = as_minutes(ref, offset, ends, basis)
        return Promise(
            kind, x, ref, offset, y50, y10, y90, low, high, (said[3], said[4]), shown, which
        )

    def label(self, promise: "Promise", wait: float) -> Row:
        """A wait came true: follow it, and tell the row to learn from."""
        left = wait + promise.offset
        if left <= 0.0:  # what was to come on top did not
            left = promise.ref * math.exp(-FARTHEST)
        y = math.log(left / promise.ref)
        self.calibration[promise.kind].label(promise.bin, y, promise)
        self.trees[promise.kind].label(y, *promise.said, math.sqrt(promise.ref))
        return Row(promise.kind, promise.x, y, promise.ref)

    def offset_of(self, kind: Kind) -> float:
        """What is added to all minutes before logs are taken, so that short waits weigh little."""
        return 1.5 * self.offset if kind == "arrival" else self.offset

    def waits_mean(self) -> float:
        """The mean wait of late."""
        return self.waits / max(self.labels, 1.0)


def as_minutes(ref: float, offset: float, ends: tuple[float, float, float], basis: Basis) -> Range:
    """Minutes from what was learned (p10, p50, p90 of y): never negative, in order, finite."""
    p10, p50, p90 = ends
    low = _minutes(ref, offset, p10)
    middle = _minutes(ref, offset, p50)
    high = _minutes(ref, offset, p90)
    return Range(min(low, middle), middle, max(high, middle), basis)


def _minutes(ref: float, offset: float, y: float) -> float:
    if not -FARTHEST <= y <= FARTHEST:
        y = FARTHEST if y > 0 else -FARTHEST
    minutes = ref * math.exp(y) - offset
    return minutes if minutes > 0 else 0.0
