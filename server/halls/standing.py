"""How every hall stands now, kept up with its live state change by change.

A city has dozens of halls, a nation thousands: what is made of one is made again when that one
changes, and its JSON only when somebody is shown it.
"""

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.halls import LineState
from scheduler.arrivals import Bools, hall_curve
from scheduler.calendar import business_day
from scheduler.hall_map import Indices, whereabouts
from scheduler.hall_table import HallFacts, HallTable, Learned, delay_s
from scheduler.places import Pair
from server.halls.coming import Coming
from server.halls.directory import Directory, HallEntry
from server.halls.figures import NULL
from server.halls.navigating import links, place_view
from server.halls.views import HallSummary
from server.live.memory import Memory
from server.live.state import Kept, LiveLine, Wait, encode

# What changes is declared last: a hall's JSON is kept up to here.
_KEPT_UNTIL = b'"open":false'
_NO_WAIT = b'"none","wait":null'
# What a wait rests on, the weakest first: that of a hall is its weakest line's.
_BASES = ("usual", "live")


class Standing:
    """The halls of one directory, those with a place first, by their numbers in `table`."""

    def __init__(self, directory: Directory, now: datetime, coming: Coming | None = None) -> None:
        self._coming = coming
        self._chosen = -1
        # Those around somebody lie side by side in memory, where one look fetches several.
        placed = sorted(directory.placed, key=lambda hall: whereabouts(*_degrees(hall)))
        placeless = (hall for hall in directory.halls.values() if hall.place is None)
        self.halls: tuple[HallEntry, ...] = (*placed, *placeless)
        self.number = {hall.code: at for at, hall in enumerate(self.halls)}
        self.table = HallTable([_facts(hall) for hall in self.halls], business_day(now))
        self.open: Bools = np.zeros(len(self.halls), dtype=bool)
        # When what is known of each hall was so, Unix seconds; inf where nothing is.
        self.as_of_s = np.full(len(self.halls), math.inf)
        self._rows: list[list[int]] = [[at] for at in range(len(self.halls))]
        for (at, _), row in self.table.row_of.items():
            self._rows[at].append(row)
        self._live: list[Kept | None] = [None] * len(self.halls)
        # How many are taken to be on their way to each hall, having looked at it.
        self._expected: list[float] = [0.0] * len(self.halls)
        self._heads: list[bytes | None] = [None] * len(self.halls)
        # By the row that was asked for: a hall's JSON up to its figures, None where it has changed.
        rows = len(self.halls) + len(self.table.row_of)
        self._fronts: NDArray[np.object_] = np.empty(rows, dtype=object)
        self._generation = -1
        self._second: datetime | None = None

    def catch_up(self, memory: Memory, as_of: datetime) -> bool:
        """Take over what changed since the last time; answers whether anything did."""
        chosen = self._coming.generation if self._coming else 0
        if (memory.generation, as_of, chosen) == (self._generation, self._second, self._chosen):
            return False
        if as_of != self._second:
            self._second = as_of
            self._open_and_close(as_of)
        if memory.generation != self._generation:
            learned = [
                each
                for code in memory.changed_since(self._generation)
                if code in self.number
                for each in self._learned(self.number[code], memory.halls[code])
            ]
            self.table.learn_all(learned)
            self._generation = memory.generation
        if self._coming and chosen != self._chosen:
            self._chosen = chosen
            for at, hall in enumerate(self.halls):
                if self._coming.people(hall.code) != self._expected[at]:
                    for row, seconds in self._coming_s(at).items():
                        self.table.expect(row, 1, seconds)
        return True

    def _open_and_close(self, as_of: datetime) -> None:
        self.table.keep_day(business_day(as_of))
        opened = self.table.open_at(as_of.timestamp())[self.table.group]
        for at in np.flatnonzero(opened != self.open).tolist():
            self._fronts[self._rows[at]] = None
        self.open = opened

    def _learned(self, at: int, live: Kept) -> list[Learned]:
        """What a hall's new state says of it and of its lines."""
        as_of_s = self.as_of_s[at] = live.board.as_of.timestamp()
        before = self._live[at]
        self._live[at] = live
        if before is not None and before.board.version == live.board.version:
            return []
        self._fronts[self._rows[at]] = None
        lines = live.board.lines
        last_s = [last_number_s(line) for line in lines]
        curves = [_curve(line.on_arrival) for line in lines]
        giving = [
            (line.waiting, curve)
            for line, curve, last in zip(lines, curves, last_s, strict=True)
            if last > -math.inf
        ]
        coming = self._coming_s(at)
        learned = [
            Learned(
                at,
                hall_curve(giving),
                max(last_s, default=math.inf),
                coming.get(at, 0.0),
                as_of_s,
            )
        ]
        for line, curve, last in zip(lines, curves, last_s, strict=True):
            row = self.table.row_of.get((at, line.code))
            if row is not None:
                learned.append(Learned(row, curve, last, coming.get(row, 0.0), as_of_s))
        return learned

    def _coming_s(self, at: int) -> dict[int, float]:
        """What those add who are on their way to a hall's lines, and are in none of their waits.

        Those with a number who have not checked in where that is required: they are passed over
        until they do, which they will have by the time that somebody who sets off now is there. And
        those who looked at the hall of late and may have set off: as many to each line as its share
        of the people waiting, and one. By the rows of the hall and of its lines.
        """
        live = self._live[at]
        if live is None:
            return {}
        people = self._coming.people(self.halls[at].code) if self._coming else 0.0
        self._expected[at] = people
        giving = [line for line in live.board.lines if line.wait and line.on_arrival]
        everybody = sum(line.waiting + 1 for line in giving)
        coming_s, behind_s = {}, 0.0
        for line in giving:
            row = self.table.row_of.get((at, line.code))
            share = (line.waiting + 1) / everybody
            per_place_s = line.wait.p50_s / (line.waiting - line.away + 1) if line.wait else 0.0
            delay = delay_s(line.away + people * share, per_place_s)
            behind_s += share * delay
            if row is not None:
                coming_s[row] = delay
        return coming_s | {at: behind_s}

    def fronts(self, halls: Indices, rows: Indices) -> list[bytes]:
        """The JSON of halls up to their figures, a comma before each.

        `rows` are their rows in the table, by what is asked for.
        """
        found: list[bytes] = self._fronts.take(rows).tolist()
        if None in found:
            for nth, (at, row) in enumerate(zip(halls.tolist(), rows.tolist(), strict=True)):
                if found[nth] is None:
                    found[nth] = self._fronts[row] = self._front(at, row)
        return found

    def _front(self, at: int, row: int) -> bytes:
        live = self._live[at]
        return b',%b"open":%b,"waiting":%b,"wait_basis":%b' % (
            self._unchanging(at),
            b"true" if self.open[at] else b"false",
            b"%d" % live.waiting if live else NULL,
            self._wait(at, row),
        )

    def _wait(self, at: int, row: int) -> bytes:
        """The wait of whoever joins now and what it rests on, as JSON: of a hall, or of a line.

        A hall's is made of its lines that still give numbers.
        """
        live = self._live[at]
        waits = [
            (line.waiting, line.wait)
            for line in (live.board.lines if live else ())
            if line.wait
            and (
                last_number_s(line) > -math.inf
                if row == at
                else self.table.row_of.get((at, line.code)) == row
            )
        ]
        if not waits:
            return _NO_WAIT
        [whole] = hall_curve((waiting, _curve([wait])) for waiting, wait in waits)
        basis = min((wait.basis for _, wait in waits), key=_BASES.index)
        p10, p50, p90 = map(round, whole)
        return b'"%b","wait":{"p10_s":%d,"p50_s":%d,"p90_s":%d}' % (
            basis.encode(),
            p10,
            p50,
            p90,
        )

    def _unchanging(self, at: int) -> bytes:
        """A hall's JSON up to `open`, which only another catalogue changes."""
        known = self._heads[at]
        if known is None:
            hall = self.halls[at]
            summary = HallSummary(
                code=hall.code,
                name=hall.name,
                name_en=hall.name_en,
                level=hall.level,
                address=hall.address,
                place=place_view(hall.place),
                links=links(hall),
                open=False,
                waiting=None,
            )
            known = self._heads[at] = encode(summary).rpartition(_KEPT_UNTIL)[0]
        return known


def last_number_s(line: LiveLine) -> float:
    """About when a line gives its last number today: inf with no end in sight, -inf: none more."""
    if line.left_today == 0 or line.state == LineState.STOPPED:
        return -math.inf
    return line.stops_at.timestamp() if line.stops_at else math.inf


def _curve(points: Sequence[Wait]) -> list[list[float]]:
    return [[point.p10_s, point.p50_s, point.p90_s] for point in points]


def _facts(hall: HallEntry) -> HallFacts:
    return HallFacts(
        code=hall.code,
        place=_degrees(hall) if hall.place else None,
        timetable=hall.timetable,
        after_close_min=hall.rules.after_close_min,
        lines=list(hall.lines),
    )


def _degrees(hall: HallEntry) -> Pair:
    assert hall.place is not None, "a hall with a place"
    return hall.place.lat, hall.place.lng
