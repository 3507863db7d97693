"""When to set off so as to be there before one's turn, and whether another hall is worth the way.

Seconds from now everywhere. A range is (p10, p50, p90): 10 %, 50 % and 90 % are shorter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

import numpy as np

from scheduler.arrivals import Floats, sure_range
from scheduler.ordering import Ranked

Range = Sequence[float]

# How sure she is to be there in time.
CERTAINTY: Final = 0.9
# From the door to a seat with the number in sight.
WALK_IN_S: Final = 120.0
# ASSUMPTIONS, not measurements: how much shorter and longer than said the way may take. An estimate
# by distance knows neither roads nor traffic; a map service knows both as they are now.
SPREAD: Final = {"estimate": (0.75, 1.35), "map": (0.9, 1.2)}
# Another hall is worth mentioning from this gain on, at the median; and surely no loss.
LEAST_GAIN_S: Final = 600.0
# What was mentioned stands while so much is left of the gain, and no other gains so much more.
STANDS_S: Final = 300.0
_POINTS: Final = 64
_SHARES = (np.arange(_POINTS) + 0.5) / _POINTS
_SIGMAS = np.array([NormalDist().inv_cdf(share) for share in _SHARES])
_P90_SIGMAS: Final = NormalDist().inv_cdf(0.9)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Set off in so many seconds (0: now), and how sure she then is to be there in time."""

    in_s: float
    certainty: float


@dataclass(frozen=True, slots=True)
class BetterHall:
    """A hall, by its number, and how many seconds earlier her turn would come there, as a range."""

    hall: int
    gain_s: tuple[float, float, float]


def travel_range(travel_s: float, basis: Literal["estimate", "map"]) -> Range:
    """The range of a time on the way, by what it rests on."""
    shorter, longer = SPREAD[basis]
    return (travel_s * shorter, travel_s, travel_s * longer)


def leave_in(turn: Range, travel: Range, *, walk_in_s: float = WALK_IN_S) -> Leaving:
    """The latest moment to set off and be there before one's turn, with 90 % certainty.

    `turn` is when she will be called, or three times the start of her slot. Both are taken as
    independent, each side of the median as one half of a normal curve: her spare time if she left
    now is the one minus the other, and its 10 % point is how long she may still stay. When there
    is none she leaves now, as sure as that still makes her.
    """
    spare = np.sort((_outcomes(turn)[:, None] - _outcomes(travel)[None, :]).ravel()) - walk_in_s
    stays = float(spare[int((1 - CERTAINTY) * len(spare))])
    in_s = max(0.0, stays)
    return Leaving(in_s, float(np.mean(spare >= in_s)))


def _outcomes(given: Range) -> Floats:
    """Equally likely outcomes of a range; nothing negative comes of a clock that jumped."""
    p10, p50, p90 = sure_range([0.0 if np.isnan(share) else share for share in given])
    below, above = (p50 - p10) / _P90_SIGMAS, (p90 - p50) / _P90_SIGMAS
    outcomes: Floats = p50 + _SIGMAS * np.where(_SIGMAS < 0, below, above)
    return np.maximum(outcomes, 0.0)


def there_in(turn: Range, travel: Range) -> Range:
    """When it is her turn and she is there: both must be."""
    return [max(wait, way) for wait, way in zip(sure_range(turn), sure_range(travel), strict=True)]


def better_hall(
    mine: Range,
    ranked: Ranked,
    *,
    at: int,
    basis: Literal["estimate", "map"] = "estimate",
    offered: int | None = None,
) -> BetterHall | None:
    """The hall among these where her turn would come soonest, if that is clearly sooner.

    `mine` is when it is her turn and she is there at hall `at` (`there_in`). There the others'
    waits are those of somebody who comes new, so with her seniority kept she gains at least so
    much. It must be ten minutes at the median, and with 90 % certainty no loss. The hall that she
    was `offered` before stays the one while five minutes are left, and no other gains five more.
    """
    worth = []
    for hall, wait, travel in zip(ranked.halls, ranked.wait_s, ranked.travel_s, strict=True):
        # What is not known compares as false.
        if hall == at or not mine[1] - wait[1] - travel >= STANDS_S:
            continue
        there = [a + b for a, b in zip(wait, travel_range(float(travel), basis), strict=True)]
        gain = _gain(mine, there)
        stands = int(hall) == offered
        least, surely = (STANDS_S, -STANDS_S) if stands else (LEAST_GAIN_S, 0.0)
        if gain[1] >= least and gain[0] >= surely:
            worth.append((gain[1] + STANDS_S * stands, BetterHall(int(hall), gain)))
    return max(worth, key=lambda each: each[0])[1] if worth else None


def _gain(mine: Range, there: Range) -> tuple[float, float, float]:
    """By how much one is earlier than the other, both independent."""
    gains = np.sort((_outcomes(mine)[:, None] - _outcomes(there)[None, :]).ravel())
    p10, p50, p90 = (float(gains[int(share * len(gains))]) for share in (0.1, 0.5, 0.9))
    return p10, p50, p90
