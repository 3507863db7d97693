"""Which hall first, and how long the way there takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Travel = Literal["walk", "bike", "drive", "transit"]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class UnknownTravel(ValueError):
    """A way to travel that the table of paces does not hold."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How one way to travel covers ground."""

    road_factor: float  # metres of road for a metre of straight line
    speed_m_s: float  # door to door while moving, stops at lights and stations included
    overhead_s: float  # once a trip: unlock, park, wait, walk to the door


# ASSUMPTIONS, not measurements: plausible figures for a Chinese city, which a city may set.
# Road factors: randomly chosen points in cities lie about 1.2 straight lines apart by road
# (Newell 1980; 1.21-1.23 on foot to stations, O'Sullivan 1996); driving adds one-way streets,
# transit adds the bends of its lines. Speeds: walking 4.7 km/h, the usual comfortable gait of
# adults in mixed ages; bicycle and e-bike 14 km/h (GB 17761 stops e-bikes at 25); driving 27 km/h,
# a large city's working hours; transit 18 km/h, bus and metro with their stops. Overheads: unlock
# and lock a bicycle 2 min; reach the car and park 6 min; walk to the stop and wait 10 min.
PACES: Final[Mapping[Travel, Pace]] = MappingProxyType(
    {
        "walk": Pace(road_factor=1.25, speed_m_s=1.3, overhead_s=0.0),
        "bike": Pace(road_factor=1.25, speed_m_s=3.9, overhead_s=120.0),
        "drive": Pace(road_factor=1.35, speed_m_s=7.5, overhead_s=360.0),
        "transit": Pace(road_factor=1.4, speed_m_s=5.0, overhead_s=600.0),
    }
)


@overload
def travel_s(distance_m: float, mode: Travel, *, paces: Mapping[Travel, Pace] = ...) -> float: ...
@overload
def travel_s(distance_m: Floats, mode: Travel, *, paces: Mapping[Travel, Pace] = ...) -> Floats: ...
def travel_s(
    distance_m: float | Floats, mode: Travel, *, paces: Mapping[Travel, Pace] = PACES
) -> float | Floats:
    """Estimate seconds on the way for straight distances in metres: one number, or an array.

    Straight line × road factor ÷ speed + overhead; NaN (place unknown) stays NaN. A rough guess
    where no map service is asked. Raises `UnknownTravel`.
    """
    pace = paces.get(mode)
    if pace is None:
        raise UnknownTravel(f"travel must be one of {', '.join(paces)}, not {mode!r}")
    return distance_m * (pace.road_factor / pace.speed_m_s) + pace.overhead_s


def _first(distances: Floats, count: int) -> Indices:
    """Narrow down to the `count` smallest and whatever ties with the last of them, unsorted."""
    farthest = np.partition(distances, count - 1)[count - 1]
    return np.flatnonzero(~(distances > farthest))  # NaN sorts last and compares false: kept


def rank_nearest(
    distances: ArrayLike, *, within_m: float | None = None, limit: int | None = None
) -> Indices:
    """Order halls by distance in metres, nearest first: gives their indices.

    Ties keep the order of the halls; NaN (place unknown) comes last. `within_m` keeps the halls at
    that distance or nearer, and none whose place is unknown; `limit` keeps the first so many.
    Raises `ValueError` on a negative limit.
    """
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative, not {limit}")
    far = np.asarray(distances, dtype=np.float64)
    chosen = np.arange(len(far)) if within_m is None else np.flatnonzero(far <= within_m)
    if limit is not None and 0 < limit < len(chosen):
        chosen = chosen[_first(far[chosen], limit)]
    return chosen[np.argsort(far[chosen], kind="stable")][:limit]
