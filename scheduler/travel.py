"""How long the way takes, by how far it is: an estimate where no map service is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

Travel = Literal["walk", "bike", "drive", "transit"]


class UnknownTravel(ValueError):
    """A way to travel that the table of paces does not hold."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How one way to travel covers ground."""

    road_factor: float  # metres of road for a metre of straight line
    speed_m_s: float  # door to door while moving, stops at lights and stations included
    overhead_s: float  # once a trip: unlock, park, wait, walk to the door

    @property
    def s_per_m(self) -> float:
        """Seconds for a metre of straight line, the overhead left out."""
        return self.road_factor / self.speed_m_s


Paces = Mapping[Travel, Pace]

# ASSUMPTIONS, not measurements: plausible figures for a Chinese city, which a city may set.
# Road factors: randomly chosen points in cities lie about 1.2 straight lines apart by road
# (Newell 1980; 1.21-1.23 on foot to stations, O'Sullivan 1996); driving adds one-way streets,
# transit adds the bends of its lines. Speeds: walking 4.7 km/h, the usual comfortable gait of
# adults in mixed ages; bicycle and e-bike 14 km/h (GB 17761 stops e-bikes at 25); driving 27 km/h,
# a large city's working hours; transit 18 km/h, bus and metro with their stops. Overheads: unlock
# and lock a bicycle 2 min; reach the car and park 6 min; walk to the stop and wait 10 min.
PACES: Final[Paces] = MappingProxyType(
    {
        "walk": Pace(road_factor=1.25, speed_m_s=1.3, overhead_s=0.0),
        "bike": Pace(road_factor=1.25, speed_m_s=3.9, overhead_s=120.0),
        "drive": Pace(road_factor=1.35, speed_m_s=7.5, overhead_s=360.0),
        "transit": Pace(road_factor=1.4, speed_m_s=5.0, overhead_s=600.0),
    }
)


def paces_with_roads(road_factor: float) -> Paces:
    """The paces of a city where driving takes so many metres of road for one of straight line.

    A city of rivers or hills has 1.6 and more; the other ways bend in proportion.
    """
    bends = road_factor / PACES["drive"].road_factor
    return MappingProxyType(
        {mode: replace(pace, road_factor=pace.road_factor * bends) for mode, pace in PACES.items()}
    )


def pace_of(mode: Travel, paces: Paces = PACES) -> Pace:
    """The pace of a way to travel. Raises `UnknownTravel`."""
    pace = paces.get(mode)
    if pace is None:
        raise UnknownTravel(f"travel must be one of {', '.join(paces)}, not {mode!r}")
    return pace


def travel_times_s(
    distances_m: Iterable[float], mode: Travel, *, paces: Paces = PACES
) -> list[float]:
    """Estimate seconds on the way for each straight distance in metres.

    Straight line × road factor ÷ speed + overhead: a rough guess where no map service is asked.
    Raises `UnknownTravel`.
    """
    pace = pace_of(mode, paces)
    per_metre, overhead = pace.s_per_m, pace.overhead_s
    return [metres * per_metre + overhead for metres in distances_m]
