"""The halls that somebody asks for, and those of them around where she stands, ready to measure."""

import math
from collections.abc import Hashable
from typing import Final, TypeAlias

import numpy as np

from scheduler.arrivals import Floats
from scheduler.hall_map import HallMap, Indices
from scheduler.places import DIAMETER, Pair, earth_centred
from scheduler.remembering import Remembered

# So few halls are all looked at: finding the near ones costs more.
FEW: Final = 400
_REGION_DEGREES: Final = 0.05
_SPARE: Final = 16
# A region's vicinity is made a little wider than was needed, and anew when it is far too wide.
_A_LITTLE_MORE: Final = 1.1
_FAR_TOO_WIDE: Final = 1.35
# Beyond the rounding of what follows from it, a millimetre.
_ROUNDING: Final = 1e-3 / DIAMETER


class Vicinity:
    """Some of the halls asked for, their numbers rising.

    Every hall asked for that is not among them is farther than `complete_m` from any place for
    which this was made. A hall has a column: in `numbers` its number and its row in the table, in
    `measures` where it is, in metres along the axes of the Earth, and the seconds at the counter.
    """

    __slots__ = ("complete_m", "measures", "numbers")

    def __init__(self, numbers: Indices, measures: Floats, complete_m: float) -> None:
        self.numbers, self.measures = numbers, measures
        self.complete_m = complete_m

    def __len__(self) -> int:
        return int(self.numbers.shape[1])

    def is_far_too_wide(self, needed_m: float) -> bool:
        """Whether one had to look much less far than this reaches."""
        return needed_m * _FAR_TOO_WIDE * _A_LITTLE_MORE < self.complete_m < math.inf

    @property
    def nbytes(self) -> int:
        """How many bytes its arrays take."""
        return self.numbers.nbytes + self.measures.nbytes


class Asked:
    """The halls that do what somebody wants.

    `rows` gives each hall's row in the table, -1 where it is not asked for; `service_s` is the time
    at the counter, of each hall. Vicinities are kept by regions, each as wide as was needed there
    of late, so whoever asks next from about there finds the halls she needs side by side; all that
    is kept for any Asked is `remembered` together, so that it is bounded however many are asked.
    """

    def __init__(
        self,
        hall_map: HallMap,
        rows: Indices,
        service_s: Floats,
        remembered: "Memory | None" = None,
    ) -> None:
        self._map = hall_map
        self.rows, self.service_s = rows, service_s
        self.halls: Indices = np.flatnonzero(rows >= 0)
        self.placed: Indices = self.halls[: self.halls.searchsorted(len(hall_map))]
        self.least_service_s = float(service_s.min(initial=math.inf)) if len(service_s) else 0.0
        self._remembered: Memory = Remembered() if remembered is None else remembered
        # By what its vicinities are remembered: nothing else ever is the same.
        self._mine = object()
        # Of few halls all are always looked at.
        self._few = self.among(self.placed) if len(self.placed) <= FEW else None

    @property
    def nbytes(self) -> int:
        """How many bytes its arrays take, those of its vicinities aside that are remembered."""
        arrays = (self.rows, self.service_s, self.halls)
        return sum(array.nbytes for array in arrays) + (self._few.nbytes if self._few else 0)

    def everywhere(self) -> Vicinity:
        """All of them that have a place."""
        if self._few is not None:
            return self._few
        known = self._remembered.get(self._mine)
        if isinstance(known, Vicinity):
            return known
        found = self.among(self.placed)
        self._remembered.put(self._mine, found)
        return found

    def among(self, halls: Indices) -> Vicinity:
        """These of them, which have a place; nothing is known of others."""
        return self._vicinity(halls, math.inf)

    def without_places(self) -> Vicinity:
        """All of them, of which nobody asks how far they are."""
        return self._made(np.zeros((3, len(self.halls))), self.halls, math.inf)

    def near(self, here: Pair, many: int, kind: Hashable) -> Vicinity:
        """Those around a place: as many as such a search needed there of late, or about so many."""
        if self._few is not None:
            return self._few
        known = self._remembered.get((self._mine, _region_of(here), kind))
        if isinstance(known, Vicinity):
            return known
        share = len(self.placed) / len(self._map)
        metres = self._map.radius_of_about(*here, int((2 * many + _SPARE) / share))
        return self.within(here, metres, kind)

    def within(self, here: Pair, metres: float, kind: Hashable) -> Vicinity:
        """All of them within so many metres of any place in the region of this one."""
        region = _region_of(here)
        if not math.isfinite(metres):
            return self.everywhere()
        centre, spare = _middle_of(region)
        chord = _chord(metres * _A_LITTLE_MORE) + spare
        reach = _arc(chord + _ROUNDING) if chord < 1 else math.inf
        near = self._map.around(*centre, reach)
        if near is None:
            return self.everywhere()
        halls = near[self.rows[near] >= 0]
        halls = halls[self._map.distances_m(*centre, halls) <= reach]
        found = self._vicinity(halls, _arc(chord - spare - _ROUNDING))
        self._remembered.put((self._mine, region, kind), found)
        return found

    def _vicinity(self, halls: Indices, complete_m: float) -> Vicinity:
        return self._made(self._map.centred(halls), halls, complete_m)

    def _made(self, centred: Floats, halls: Indices, complete_m: float) -> Vicinity:
        numbers = np.array((halls, self.rows[halls]))
        return Vicinity(numbers, np.vstack((centred, self.service_s[halls])), complete_m)


# What is kept of all that anybody asks for: who was asked for, and the vicinities of each.
Memory: TypeAlias = Remembered[Asked | Vicinity]


def _region_of(here: Pair) -> tuple[int, int]:
    return math.floor(here[0] / _REGION_DEGREES), math.floor(here[1] / _REGION_DEGREES)


def _middle_of(region: tuple[int, int]) -> tuple[Pair, float]:
    """The middle of a region, and the longest chord from there to a place in it, in diameters.

    The farthest is a corner: along a meridian and along a parallel one only gets farther away.
    """
    south, west = region[0] * _REGION_DEGREES, region[1] * _REGION_DEGREES
    north = min(south + _REGION_DEGREES, 90.0)
    middle = ((south + north) / 2, west + _REGION_DEGREES / 2)
    at = earth_centred(*middle)
    corners = (earth_centred(lat, west) for lat in (south, north))
    return middle, max(math.dist(at, corner) for corner in corners) / DIAMETER + _ROUNDING


def _chord(metres: float) -> float:
    """The chord under an arc, in Earth's diameters."""
    return math.sin(min(metres / DIAMETER, math.pi / 2))


def _arc(chord: float) -> float:
    return DIAMETER * math.asin(min(max(chord, 0.0), 1.0))
