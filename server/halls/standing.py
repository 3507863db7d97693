"""How every hall stands now, kept up with its live state change by change.

A city has dozens of halls, a nation thousands: what is made of one is made again when that one
changes, and its JSON only when somebody is shown it.
"""

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from models.halls import LineState
from scheduler.arrivals import Bools, hall_curve
from scheduler.calendar import business_day
from scheduler.hall_table import HallFacts, HallTable
from server.halls.directory import Directory, HallEntry
from server.halls.navigating import links, place_view
from server.halls.views import HallSummary
from server.live.memory import Memory
from server.live.state import Kept, LiveLine, Wait, encode

NULL = b"null"
# What changes is declared last: a hall's JSON is kept up to here.
_KEPT_UNTIL = b'"open":false'
Range = tuple[int, int, int]


class Standing:
    """The halls of one directory, those with a place first, by their numbers in `table`."""

    def __init__(self, directory: Directory, now: datetime) -> None:
        placeless = (hall for hall in directory.halls.values() if hall.place is None)
        self.halls: tuple[HallEntry, ...] = (*directory.placed, *placeless)
        self.number = {hall.code: at for at, hall in enumerate(self.halls)}
        self.table = HallTable([_facts(hall) for hall in self.halls], business_day(now))
        self.open: Bools = np.zeros(len(self.halls), dtype=bool)
        # When what is known of each hall was so, Unix seconds; inf where nothing is.
        self.as_of_s = np.full(len(self.halls), math.inf)
        # The wait of whoever joins now, as JSON: of each hall, and of each line that has one.
        self.wait_json: dict[int, bytes] = {}
        self._live: list[Kept | None] = [None] * len(self.halls)
        self._heads: list[bytes | None] = [None] * len(self.halls)
        self._pieces: list[bytes | None] = [None] * len(self.halls)
        self._generation = -1
        self._second: datetime | None = None

    def catch_up(self, memory: Memory, as_of: datetime) -> bool:
        """Take over what changed since the last time; answers whether anything did."""
        if (memory.generation, as_of) == (self._generation, self._second):
            return False
        if as_of != self._second:
            self._second = as_of
            self._open_and_close(as_of)
        if memory.generation != self._generation:
            for code in memory.changed_since(self._generation):
                if code in self.number:
                    self._learn(self.number[code], memory.halls[code])
            self._generation = memory.generation
        return True

    def _open_and_close(self, as_of: datetime) -> None:
        self.table.keep_day(business_day(as_of))
        opened = self.table.open_at(as_of.timestamp())[self.table.group]
        for at in np.flatnonzero(opened != self.open).tolist():
            self._pieces[at] = None
        self.open = opened

    def _learn(self, at: int, live: Kept) -> None:
        self.as_of_s[at] = live.board.as_of.timestamp()
        before = self._live[at]
        self._live[at] = live
        if before is not None and before.board.version == live.board.version:
            return
        self._pieces[at] = None
        lines = live.board.lines
        giving = [line for line in lines if last_number_s(line) > -math.inf]
        latest = max((last_number_s(line) for line in lines), default=math.inf)
        curves = [(line.waiting, _curve(line.on_arrival)) for line in giving]
        self.table.learn(at, hall_curve(curves), last_s=latest)
        waits = [(line.waiting, _curve([line.wait])) for line in giving if line.wait]
        whole = hall_curve(waits)
        self._keep_wait(at, range_of(whole[0]) if whole else None)
        for line in lines:
            row = self.table.row_of.get((at, line.code))
            if row is not None:
                self.table.learn(row, _curve(line.on_arrival), last_s=last_number_s(line))
                wait = range_of(_curve([line.wait])[0]) if line.wait else None
                self._keep_wait(row, wait)

    def _keep_wait(self, row: int, wait: Range | None) -> None:
        if wait is None:
            self.wait_json.pop(row, None)
        else:
            self.wait_json[row] = b'{"p10_s":%d,"p50_s":%d,"p90_s":%d}' % wait

    def piece(self, at: int) -> bytes:
        """A hall's JSON up to the value of `wait`."""
        kept = self._pieces[at]
        if kept is None:
            live = self._live[at]
            opened = b"true" if self.open[at] else b"false"
            waiting = b"%d" % live.waiting if live else NULL
            kept = b'%b"open":%b,"waiting":%b,"wait":' % (self._unchanging(at), opened, waiting)
            self._pieces[at] = kept
        return kept

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


def range_of(shares: Sequence[float]) -> Range:
    """Whole seconds."""
    p10, p50, p90 = (round(share) for share in shares)
    return p10, p50, p90


def _curve(points: Sequence[Wait]) -> list[list[float]]:
    return [[point.p10_s, point.p50_s, point.p90_s] for point in points]


def _facts(hall: HallEntry) -> HallFacts:
    return HallFacts(
        code=hall.code,
        place=(hall.place.lat, hall.place.lng) if hall.place else None,
        timetable=hall.timetable,
        after_close_min=hall.rules.after_close_min,
        lines=list(hall.lines),
    )
