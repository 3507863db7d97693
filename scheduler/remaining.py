"""How many more numbers a hall's lines can give today so that everybody is still served.

This day's evidence counts; as long as too few people were served today, the usual time of the items
that people wait for stands for what is missing. A line of which neither is known has no figure, nor
has one that no open counter serves. Numbers are given out in turn, one to each line, while
the open counters still have the time for everybody who waits and for all who got one: each works
until closing, on any of its lines, as long as a visit to that line took on average today.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

# Fewer visits tell too little by themselves.
LEAST_SERVED: Final = 5
# More than so many are not counted: there is no end in sight.
MOST_LEFT: Final = 200
_ROUNDED_TO_S: Final = 300

Group = frozenset[str]


@dataclass(frozen=True, slots=True)
class LineToday:
    """A line on this day: how many wait, and how many were served in how many seconds together.

    `issued_lately` is how many numbers it gave in the last hour, `usual_s` how long a visit to it
    usually takes, by the items of this day's people; None where nobody came yet.
    """

    code: str
    waiting: int
    served: int
    service_s: float
    issued_lately: int = 0
    usual_s: float | None = None

    @property
    def mean_s(self) -> int | None:
        """Whole seconds that a visit takes, at least one; None where nothing tells."""
        missing = max(0, LEAST_SERVED - self.served)
        if missing and self.usual_s is None:
            return None
        seconds = self.service_s + missing * (self.usual_s or 0.0)
        return max(1, round(seconds / (self.served + missing)))


def numbers_left(
    lines: Sequence[LineToday], counters: Iterable[Collection[str]], open_left: timedelta
) -> dict[str, int | None]:
    """How many more numbers each line can give; None where that is not known, or no end in sight.

    `counters` are those that are open, each with the codes of the lines it serves; `open_left` is
    how long the hall is still open today.
    """
    means = {line.code: line.mean_s for line in lines if line.mean_s is not None}
    unknown = {line.code for line in lines if line.waiting and line.code not in means}
    room = _Room(_time_by_group(counters, means, unknown, int(open_left.total_seconds())))
    known = [line for line in lines if line.code in means and room.is_served(line.code)]
    for line in known:
        room.take(line.code, line.waiting * means[line.code], all_or_nothing=False)
    left = dict.fromkeys((line.code for line in known), 0)
    turn = deque(left)
    while turn:
        code = turn.popleft()
        if left[code] < MOST_LEFT and room.take(code, means[code]):
            left[code] += 1
            turn.append(code)
    return {
        line.code: None if left.get(line.code, MOST_LEFT) >= MOST_LEFT else left[line.code]
        for line in lines
    }


def stops_at(line: LineToday, left: int, now: datetime, closes: datetime) -> datetime | None:
    """About when a line gives its last number: at the pace of the last hour, to five minutes.

    Whatever the pace, not later than somebody could still be served before closing. None where
    nothing tells how long that takes.
    """
    if line.mean_s is None:
        return None
    stops = closes - timedelta(seconds=line.mean_s)
    if line.issued_lately >= LEAST_SERVED:
        stops = min(stops, now + timedelta(seconds=left * 3600 / line.issued_lately))
    into = (stops.minute * 60 + stops.second) % _ROUNDED_TO_S
    return max(now, (stops - timedelta(seconds=into)).replace(microsecond=0))


def _time_by_group(
    counters: Iterable[Collection[str]],
    means: Collection[str],
    unknown: Collection[str],
    open_s: int,
) -> dict[Group, int]:
    """The seconds of counters that serve the same known lines, together.

    Whoever waits in a line of which nothing is known takes an equal share of its counters' time.
    """
    time: Counter[Group] = Counter()
    for served in counters:
        ours = frozenset(code for code in served if code in means)
        others = sum(code in unknown for code in served)
        if ours:
            time[ours] += open_s * len(ours) // (len(ours) + others)
    return dict(time)


class _Room:
    """The counters' time and whose it is: work moves on to other counters where that makes room."""

    def __init__(self, free: Mapping[Group, int]) -> None:
        self._free = dict(free)
        self._given: Counter[tuple[str, Group]] = Counter()

    def is_served(self, line: str) -> bool:
        """Whether any counter serves the line."""
        return any(line in group for group in self._free)

    def take(self, line: str, seconds: int, *, all_or_nothing: bool = True) -> bool:
        """Find so much time for a line; False when there is not as much."""
        before = self._free.copy(), self._given.copy()
        while seconds > 0:
            way = self._way(line)
            if way is None:
                if all_or_nothing:
                    self._free, self._given = before
                return False
            seconds -= self._move(way, seconds)
        return True

    def _way(self, line: str) -> list[tuple[str, Group]] | None:
        """The shortest way to free time: whose work goes to which counters, the asker's first."""
        came: dict[Group, tuple[str, Group | None]] = {}
        todo: deque[Group] = deque()
        asked = {line}
        for group in self._free:
            if line in group:
                came[group] = (line, None)
                todo.append(group)
        while todo:
            group = todo.popleft()
            if self._free[group] > 0:
                return _traced(came, group)
            for other in group - asked:
                if not self._given[other, group]:
                    continue
                asked.add(other)
                for further in self._free:
                    if other in further and further not in came:
                        came[further] = (other, group)
                        todo.append(further)
        return None

    def _move(self, way: list[tuple[str, Group]], seconds: int) -> int:
        """Move as much work along the way as fits; answers how many seconds."""
        # At each stop but the last, the next one's work makes room for what comes.
        leaving = [(other, group) for (_, group), (other, _) in pairwise(way)]
        last = way[-1][1]
        amount = min(seconds, self._free[last], *(self._given[each] for each in leaving))
        for each in leaving:
            self._given[each] -= amount
        for each in way:
            self._given[each] += amount
        self._free[last] -= amount
        return amount


def _traced(came: Mapping[Group, tuple[str, Group | None]], last: Group) -> list[tuple[str, Group]]:
    way: list[tuple[str, Group]] = []
    group: Group | None = last
    while group is not None:
        line, before = came[group]
        way.append((line, group))
        group = before
    return way[::-1]
