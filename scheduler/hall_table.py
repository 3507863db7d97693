"""What is known of every hall and of every line, in arrays that a ranking reads and a feed writes.

Row h < number of halls is hall h as a whole; each line has a row of its own after those.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from scheduler.arrivals import (
    ARRIVAL_AT_S,
    POINTS,
    SHARES,
    Bools,
    Facts,
    Floats,
    hours_of,
    in_one_opening,
    stretches_of,
)
from scheduler.calendar import Timetable
from scheduler.hall_map import HallMap, Indices
from scheduler.places import Pair

# A hall whose wait is not known stands where one with this wait would: behind those known nearby,
# before those an hour's travel farther. The number itself is never shown.
UNKNOWN_COUNTS_AS_S: Final = 3600.0
_NOTHING: Final = [[UNKNOWN_COUNTS_AS_S] * SHARES] * POINTS
_U64 = np.uint64
_P50: Final = 1
# Closer together than this, two halls are as good as each other, and not everybody is sent to one.
NEAR_TIE_S: Final = 300.0
# So many orders there are of halls that are as good as each other.
SHUFFLES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class HallFacts:
    """What does not change of a hall by the minute. `place` is in WGS-84 degrees."""

    code: str
    place: Pair | None
    timetable: Timetable
    after_close_min: int
    lines: Sequence[str]


Curve = Sequence[Sequence[float]]


class Learned(NamedTuple):
    """What is foretold of a row: POINTS ranges or none, in seconds, when its last number goes, and
    what those add who are on their way there. Foretold it was at `as_of_s`; where that is not known
    (NaN) no break is sought in it.
    """

    row: int
    curve_s: Curve
    last_s: float
    coming_s: float = 0.0
    as_of_s: float = math.nan


class HallTable:
    """Halls that have a place first, as the map numbers them, then those without one."""

    def __init__(self, halls: Sequence[HallFacts], day: date) -> None:
        """Take the halls, those with a place before the others. Raises a `BadPlace`."""
        self.map = HallMap(hall.place for hall in halls if hall.place is not None)
        self.code_rank = np.argsort(np.argsort(np.array([hall.code for hall in halls], dtype=str)))
        self._delays_s = _delays_s(hall.code for hall in halls)
        self._timetables: list[tuple[Timetable, int]] = []
        # Halls with the same hours share them: of thousands of halls there are a few timetables.
        self.group = self._grouped(halls)
        self._day = day
        self.hours = hours_of(day, self._timetables)
        self.row_of: dict[tuple[int, str], int] = {}
        for at, hall in enumerate(halls):
            for line in hall.lines:
                self.row_of[at, line] = len(halls) + len(self.row_of)
        rows = len(halls) + len(self.row_of)
        hall_of = np.array([*range(len(halls)), *(at for at, _ in self.row_of)], dtype=np.intp)
        self._group_of_row = self.group[hall_of]
        self.known: Bools = np.zeros(rows, dtype=bool)
        self.last_s: Floats = np.full(rows, np.inf)
        # What people on their way there add to the wait.
        self.coming_s: Floats = np.zeros(rows)
        self._curves: Floats = np.full((rows, POINTS, SHARES), UNKNOWN_COUNTS_AS_S)
        # What the stretch between each point and the next goes on to.
        self._until: Floats = self._curves[:, 1:].copy()
        self.stretches: Floats = stretches_of(self._curves)
        self.stretches.shape = (rows * POINTS, 2 * SHARES)
        # The longest median wait foretold of each row, 0 where none is known.
        self._longest_s: Floats = np.zeros(rows)
        self._ends_s: Floats = np.full(len(self._timetables), -np.inf)
        self._minded_s = -np.inf
        # Who arrives at a row before this moment is served as its curve says: it is open, stays so
        # until then, gives numbers, and nobody who comes by then is let go unserved.
        self.smooth_until_s: Floats = np.full(rows, -np.inf)

    def __len__(self) -> int:
        return len(self.group)

    def _grouped(self, halls: Sequence[HallFacts]) -> Indices:
        seen: dict[object, int] = {}
        groups = []
        for hall in halls:
            special = tuple(sorted(hall.timetable.special.items()))
            known = seen.setdefault(
                (hall.timetable.weekly, special, hall.after_close_min), len(seen)
            )
            if known == len(self._timetables):
                self._timetables.append((hall.timetable, hall.after_close_min))
            groups.append(known)
        return np.array(groups, dtype=np.intp)

    def keep_day(self, day: date) -> None:
        """Go by the openings of this day from now on."""
        if day != self._day:
            self._day, self.hours = day, hours_of(day, self._timetables)
            self._minded_s = -np.inf

    def open_at(self, now_s: float) -> Bools:
        """Which groups of halls (`group`) are open at a moment of the day that is kept."""
        opened: Bools = (self.hours.starts_s <= now_s) & (now_s < self.hours.ends_s)
        return np.asarray(opened.any(axis=0))

    def mind(self, now_s: float) -> None:
        """Know which halls are open at a moment, and until when: `smooth_until_s`."""
        if now_s == self._minded_s:
            return
        opened = (self.hours.starts_s <= now_s) & (now_s < self.hours.ends_s)
        ends_s = np.where(opened, self.hours.ends_s, -np.inf).max(axis=0)
        if self._minded_s == -np.inf or not np.array_equal(ends_s, self._ends_s):
            self._ends_s = ends_s
            late = self.hours.let_go_s[self._group_of_row] - self._longest_s
            np.minimum(late, self.last_s, out=late)
            np.minimum(late, ends_s[self._group_of_row], out=self.smooth_until_s)
        self._minded_s = now_s

    def learn(self, row: int, curve_s: Curve, *, last_s: float, as_of_s: float = math.nan) -> None:
        """Take what is foretold of a row, POINTS ranges or none, and when its last number goes."""
        self.learn_all([Learned(row, curve_s, last_s, float(self.coming_s[row]), as_of_s)])

    def learn_all(self, learned: Sequence["Learned"]) -> None:
        """The same of many rows, no row twice: that costs little more than of one."""
        if not learned:
            return
        rows = np.array([each.row for each in learned], dtype=np.intp)
        known = np.array([len(each.curve_s) == POINTS for each in learned])
        curves = np.array(
            [each.curve_s if len(each.curve_s) == POINTS else _NOTHING for each in learned],
            dtype=float,
        )
        # Nothing negative and in order, whatever a clock that jumped made of it.
        np.fmax(curves, 0.0, out=curves)
        middle = curves[..., _P50]
        curves[..., 0] = np.minimum(curves[..., 0], middle)
        curves[..., -1] = np.maximum(curves[..., -1], middle)
        group = self._group_of_row[rows]
        curves, until = in_one_opening(
            curves,
            np.array([each.as_of_s for each in learned])[:, None] + ARRIVAL_AT_S,
            self.hours.starts_s[:, group],
            self.hours.ends_s[:, group],
        )
        self.known[rows], self._curves[rows], self._until[rows] = known, curves, until
        self.last_s[rows] = [each.last_s for each in learned]
        self.coming_s[rows] = [each.coming_s for each in learned]
        self._settle(rows)

    def expect(self, row: int, people: float, per_place_s: float) -> None:
        """So many people are on their way to a row: each adds a place to the wait.

        Whoever is in the line's waits already must not be counted again.
        """
        coming_s = delay_s(people, per_place_s)
        if coming_s != self.coming_s[row]:
            self.coming_s[row] = coming_s
            self._settle(np.array([row]))

    def _settle(self, rows: Indices) -> None:
        known = self.known[rows]
        delays = (self.coming_s[rows] * known)[:, None, None]
        curves, until = self._curves[rows] + delays, self._until[rows] + delays
        by_row = self.stretches.reshape(-1, POINTS, 2 * SHARES)
        by_row[rows] = stretches_of(curves, until)
        longest_s = np.maximum(curves[..., _P50].max(axis=1), until[..., _P50].max(axis=1)) * known
        self._longest_s[rows] = longest_s
        group = self._group_of_row[rows]
        until = np.minimum(self.hours.let_go_s[group] - longest_s, self.last_s[rows])
        self.smooth_until_s[rows] = np.minimum(until, self._ends_s[group])

    def facts(self, halls: Indices, rows: Indices) -> Facts:
        """What a ranking has to know of these halls, each by a row of its own."""
        group = self.group.take(halls)
        return Facts(
            starts_s=self.hours.starts_s.take(group, axis=1),
            ends_s=self.hours.ends_s.take(group, axis=1),
            let_go_s=self.hours.let_go_s.take(group),
            last_s=self.last_s.take(rows),
            known=self.known.take(rows),
            stretches=self.stretches,
            rows=rows,
        )

    def delays_s(self, halls: Indices, seeds: Indices) -> Floats:
        """By how much its seed puts each hall back, so that near-ties are shared: 0…NEAR_TIE_S.

        Decided by its code and its seed alone. `seeds` has one for each, in 0…SHUFFLES.
        """
        delays: Floats = self._delays_s[seeds, halls]
        return delays


def delay_s(people: float, per_place_s: float) -> float:
    """What so many people on their way add to a wait."""
    return max(0, people) * max(0.0, per_place_s)


def _delays_s(codes: Iterable[str]) -> Floats:
    """For each of SHUFFLES seeds, by how many seconds each hall is put back: NEAR_TIE_S·u³.

    A hall's u in 0…1 is the same in every process, whichever halls there are beside it: its code's
    hash and the seed, mixed by the last step of SplitMix64.
    """
    hashes = [hashlib.blake2b(code.encode(), digest_size=8).digest() for code in codes]
    mixed = np.frombuffer(b"".join(hashes), dtype=_U64) ^ np.arange(SHUFFLES, dtype=_U64)[:, None]
    mixed = (mixed ^ (mixed >> _U64(30))) * _U64(0xBF58_476D_1CE4_E5B9)
    mixed = (mixed ^ (mixed >> _U64(27))) * _U64(0x94D0_49BB_1331_11EB)
    chances = (mixed >> _U64(11)) * 2.0**-53
    return np.asarray(chances * chances * chances * NEAR_TIE_S, dtype=np.float64)


def seed_of(lat: float, lng: float, now_s: float) -> int:
    """The seed of somebody who stands there: the same for ten minutes and some hundred metres.

    Of people who ask from different places each has her own; nothing is known of her but that.
    """
    # A tuple of whole numbers has the same hash in every process.
    return hash((round(lat * 1000), round(lng * 1000), int(now_s // 600)))
