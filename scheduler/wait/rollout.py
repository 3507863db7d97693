"""Playing the line forward: who is called when, if everybody takes as long as usual.

Where it is known which counter serves which lines, this is the backbone. It knows no breaks and no
chance, so it is never shown raw.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Final

from scheduler.wait.halls import BOOKED_FIRST, Hall
from scheduler.wait.pools import Waiting

EARLY: Final = 5.0  # an appointment goes first from so long before its slot
MOST_CALLS: Final = 48  # ahead of whom we ask for; then the pace so far is kept
COMES: Final = 0.97  # misses take little time
BOOKED_AHEAD: Final = 75.0
USUAL_SERVICE: Final = 5.0
NEWCOMER: Final = 1_000_000_000


def remaining(mean: float, age: float) -> float:
    """How much longer a service takes that has lasted `age` minutes."""
    return max(mean - age, mean / 2)


class Playing:
    """A hall's lines and counters, ready to be played forward from a moment.

    `newcomers` names lines for which somebody is added who joins now and takes nobody's time: her
    number is NEWCOMER and her place in that list.
    """

    def __init__(self, hall: Hall, t: float, newcomers: Sequence[str] = ()) -> None:
        self.t, self.hall = t, hall
        self.service = service = hall.service_means()
        self.walk: dict[str, list[tuple[float, int]]] = {}
        self.booked: dict[str, list[tuple[float, float, int]]] = {}
        self._queue(newcomers)
        self._book(t)
        self.free: list[tuple[float, int]] = []
        self.able: list[tuple[str, ...]] = []
        self.speed: list[float] = []
        self.pauses: list[Sequence[tuple[float, float]]] = []
        for code, counter in hall.counters.items():
            back = hall.known.back_at(code, t) if not counter.lines else None
            if not counter.lines and back is None:
                continue
            at = t
            if counter.serving is not None:
                mean = service.get(counter.serving[0], USUAL_SERVICE) * counter.speed
                at = t + remaining(mean, t - counter.since)
            lines = counter.lines or counter.last_lines
            self._counter(max(at, back or t), lines, counter.speed, code)
        for code, habit in hall.yet_to_open(t):
            self._counter(max(t, habit.opens), habit.lines, 1.0, code)
        heapq.heapify(self.free)

    def _queue(self, newcomers: Sequence[str]) -> None:
        for waiting in self.hall.tickets.values():
            code = waiting.line.code
            if waiting.goes_first:
                slot = waiting.slot or 0.0
                self.booked.setdefault(code, []).append((slot, waiting.issued, waiting.seq))
            else:
                self.walk.setdefault(code, []).append((waiting.rank, waiting.seq))
        for at, code in enumerate(newcomers):
            self.walk.setdefault(code, []).append((self.hall.clock, NEWCOMER + at))

    def _book(self, t: float) -> None:
        """Who has booked and will come soon; they are there from a little before their slot."""
        number = 0
        known = self.hall.known
        for code, slots in known.bookings.items() if known.booked_first else ():
            for slot in slots:
                if t <= slot <= t + BOOKED_AHEAD:
                    number -= 1
                    self.booked.setdefault(code, []).append((slot, math.inf, number))
        for walk in self.walk.values():
            walk.sort()
        for booked in self.booked.values():
            booked.sort()

    def _counter(self, at: float, lines: tuple[str, ...], speed: float, code: str) -> None:
        self.free.append((at, len(self.able)))
        self.able.append(lines)
        self.speed.append(speed)
        self.pauses.append(self.hall.known.pauses.get(code, ()))

    def play(self, mine: Waiting | None = None) -> dict[int, float]:
        """When each ticket is called, by its number in the hall; minutes of the day.

        Asked for `mine` alone, it stops there, and after some calls keeps the pace so far. Tickets
        that no counter will serve are left out.
        """
        free = self.free
        heads: dict[str, list[int]] = {code: [0, 0] for code in (*self.walk, *self.booked)}
        called: dict[int, float] = {}
        mine_seq = mine.seq if mine is not None else 0
        mine_calls = 0
        while free:
            at, counter = heapq.heappop(free)
            back = next((end for start, end in self.pauses[counter] if start <= at < end), at)
            if back > at:
                if math.isfinite(back):
                    heapq.heappush(free, (back, counter))
                continue
            chosen, is_booked, seq = self._first(counter, at, heads)
            if chosen is None:
                continue
            heads[chosen][is_booked] += 1
            called[seq] = at
            if seq == mine_seq:
                break
            if mine is not None:
                mine_calls += chosen == mine.line.code
                if len(called) >= MOST_CALLS:
                    self._extrapolate(called, mine, at, mine_calls)
                    break
            minutes = self._minutes(chosen, seq) * self.speed[counter]
            heapq.heappush(free, (at + minutes, counter))
        return called

    def _first(
        self, counter: int, at: float, heads: Mapping[str, Sequence[int]]
    ) -> tuple[str | None, bool, int]:
        """Whom a counter calls: her line, whether she has booked, her number."""
        best, chosen, is_booked, seq = math.inf, None, False, 0
        for code in self.able[counter]:
            head = heads.get(code)
            if head is None:
                continue
            booked, walk = self.booked.get(code, ()), self.walk.get(code, ())
            if head[1] < len(booked):
                slot, issued, who = booked[head[1]]
                rank = slot - BOOKED_FIRST if slot - EARLY <= at else issued
                if rank < best:
                    best, chosen, is_booked, seq = rank, code, True, who
            if head[0] < len(walk) and walk[head[0]][0] < best:
                best, seq = walk[head[0]]
                chosen, is_booked = code, False
        return chosen, is_booked, seq

    def _minutes(self, line: str, seq: int) -> float:
        if seq >= NEWCOMER:
            return 0.0
        mean = self.service.get(line, USUAL_SERVICE)
        return mean * (1.0 - self.hall.known.no_show if seq < 0 else COMES)

    def _extrapolate(self, called: dict[int, float], mine: Waiting, at: float, calls: int) -> None:
        code = mine.line.code
        if mine.slot is not None:
            ahead = sum(slot <= mine.slot for slot, _, _ in self.booked.get(code, ()))
        else:
            ahead = sum(each <= (mine.rank, mine.seq) for each in self.walk.get(code, ()))
            ahead += len(self.booked.get(code, ()))
        left = max(ahead - calls, 1)
        called[mine.seq] = at + left * (at - self.t) / max(calls, 1)
