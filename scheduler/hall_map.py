"""Every hall's place, ready to be measured against a citizen's, for 34 halls or 44,000."""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.places import DIAMETER, WGS_A, WGS_EE, Pair, earth_centred

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

# The least radius of curvature of the ellipsoid, along the meridian at the equator.
_LEAST_RADIUS: Final = WGS_A * (1 - WGS_EE)
_CELL_DEGREES: Final = 0.1  # 11 km: a few town halls
_MOST_CELLS: Final = 300_000
_FIRST_M: Final = 10_000.0
_EVERYWHERE: Final = math.inf


def metres_between(there: Floats, here: Floats) -> Floats:
    """Metres on the ground between places given in metres along the axes of the Earth.

    An axis a row, a place a column; one of them may be a single place.
    """
    off = there - here
    off *= off
    metres: Floats = off[0]
    metres += off[1]
    metres += off[2]
    np.sqrt(metres, out=metres)
    metres /= DIAMETER
    # The ellipsoid's longest chord is longer than the sphere's: the far side of the Earth.
    np.minimum(metres, 1.0, out=metres)
    np.arcsin(metres, out=metres)
    metres *= DIAMETER
    return metres


def whereabouts(lat: float, lng: float) -> int:
    """A number for a place in degrees: where two are close, so are most places between them.

    The cell of a grid of 1/50°, counted along a Z-order curve: the bits of row and column in turn.
    """
    row, column = int((lat + 90) * 50), int((lng + 180) * 50)
    return sum(
        (row >> bit & 1) << (2 * bit + 1) | (column >> bit & 1) << (2 * bit) for bit in range(15)
    )


class HallMap:
    """Measures from a point to halls, and finds those around it without looking at the rest.

    Built once, never changed, safe to share between threads. Distances: the straight chord c
    between two points in Earth-centred coordinates on the WGS-84 ellipsoid, bent to an arc of the
    mean Earth radius R, s = 2R·asin(c / 2R). The chord has the ellipsoid in it; the bend is only
    4e-5 of it at 200 km, so the sphere does for that. Within 0.0001 % of the geodesic up to 100 km,
    0.002 % up to 1,000 km and 0.1 % up to 5,000 km in China (held by the tests).

    Halls are also filed by cells of a grid, in rows from south to north. `around` gives all halls
    of the cells that a circle may touch. Whatever lies outside is farther, because

    - a point more than δ in longitude away is beyond the half-plane of that meridian, at least
      ρ·sin δ from here, with ρ ≥ a·cos φ how far we are from the Earth's axis (for δ ≤ 90°);
    - a point more than δ in latitude away is, along any curve on the ellipsoid, at least M·δ away
      with M the least radius of curvature; and no curve that bends less than a circle of radius M
      has a shorter chord than it (Schur): c ≥ 2M·sin(δ / 2).
    """

    __slots__ = ("_at", "_cell", "_cells", "_columns", "_filed", "_lat", "_lng", "_rows")

    def __init__(self, places: Iterable[Pair]) -> None:
        """Take the halls as (lat, lng) pairs in WGS-84 degrees. Raises a `BadPlace`."""
        pairs = [(float(lat), float(lng)) for lat, lng in places]
        centred = [earth_centred(lat, lng) for lat, lng in pairs]
        self._at = np.array(np.array(centred, dtype=float).reshape(-1, 3).T, order="C")
        degrees = np.array(pairs, dtype=float).reshape(-1, 2)
        self._lat = float(degrees[:, 0].min(initial=90.0))
        self._lng = float(degrees[:, 1].min(initial=180.0))
        high = float(degrees[:, 0].max(initial=self._lat)) - self._lat
        wide = float(degrees[:, 1].max(initial=self._lng)) - self._lng
        self._cell = max(_CELL_DEGREES, math.sqrt(high * wide / _MOST_CELLS))
        self._rows = int(high / self._cell) + 1
        self._columns = int(wide / self._cell) + 1
        row = ((degrees[:, 0] - self._lat) / self._cell).astype(np.intp)
        column = ((degrees[:, 1] - self._lng) / self._cell).astype(np.intp)
        cells = row * self._columns + column
        # The halls in the order of their cells, and where in it each cell begins.
        self._filed = np.argsort(cells, kind="stable")
        self._cells = np.searchsorted(cells[self._filed], np.arange(self._rows * self._columns + 1))

    def __len__(self) -> int:
        return int(self._at.shape[1])

    def distances_m(self, lat: float, lng: float, halls: Indices | None = None) -> Floats:
        """Metres from this WGS-84 point (degrees) to each hall, or to those of these numbers.

        In the order in which they were given. Raises a `BadPlace`.
        """
        there = self._at if halls is None else self._at.take(halls, axis=1)
        return metres_between(there, np.array(earth_centred(lat, lng))[:, None])

    def centred(self, halls: Indices) -> Floats:
        """Where these halls are, in metres along the axes of the Earth: a row an axis."""
        there: Floats = self._at.take(halls, axis=1)
        return there

    def around(self, lat: float, lng: float, metres: float) -> Indices | None:
        """The halls that may be so near, all of them and some more; None when it may be any.

        Their numbers rise. Every other hall is farther away.
        """
        box = self._box(lat, lng, metres)
        if box is None:
            return None
        begins, ends = box
        found = [self._filed[begin:end] for begin, end in zip(begins, ends, strict=True)]
        return np.sort(np.concatenate(found)) if found else np.empty(0, np.intp)

    def radius_of_about(self, lat: float, lng: float, many: int) -> float:
        """Metres around here in which `around` finds at least so many; inf: all are needed."""
        metres = _FIRST_M
        while (box := self._box(lat, lng, metres)) is not None:
            begins, ends = box
            if sum(ends) - sum(begins) >= many:
                return metres
            metres *= 2
        return _EVERYWHERE

    def _box(self, lat: float, lng: float, metres: float) -> tuple[list[int], list[int]] | None:
        """Where in `_filed` the halls of each row of cells begin and end; None for all halls."""
        if metres >= _LEAST_RADIUS:
            return None
        # A chord is shorter than its arc; a millimetre is for the rounding of what follows.
        chord = metres + 1e-3
        up = math.degrees(2 * math.asin(chord / (2 * _LEAST_RADIUS))) + 1e-9
        from_axis = WGS_A * math.cos(math.radians(lat))
        if chord >= from_axis:
            return None
        aside = math.degrees(math.asin(chord / from_axis)) + 1e-9
        west, east = lng - aside, lng + aside
        if west < -180 or east > 180:  # across the date line
            west, east = -180.0, 180.0
        first, last = self._span(lat - up, lat + up, self._lat, self._rows)
        left, right = self._span(west, east, self._lng, self._columns)
        if first > last or left > right:
            return [], []
        if (last - first + 1) * (right - left + 1) >= self._rows * self._columns:
            return None
        rows = np.arange(first, last + 1) * self._columns
        return self._cells[rows + left].tolist(), self._cells[rows + right + 1].tolist()

    def _span(self, low: float, high: float, start: float, cells: int) -> tuple[int, int]:
        """The first and the last of the cells that lie between two degrees."""
        first = math.floor((low - start) / self._cell)
        last = math.floor((high - start) / self._cell)
        return max(first, 0), min(last, cells - 1)
