"""Playing the line forward: who is called when, if everybody takes as long as usual.

Where it is known which counter serves which lines, this is the backbone. It knows no breaks and no
chance, so it is never shown raw.
"""

import heapq
from bisect import insort
from collections.abc import Mapping
from typing import Final

from scheduler.wait.halls import Hall, Waiting

EARLY: Final = 5.0  # an appointment goes first from so long before its slot
MOST_CALLS: Final = 48  # ahead of whom we ask for; then the pace so far is kept
COMES: Final = 0.97


def remaining(mean: float, age: float) -> float:
    """How much longer a service takes that has lasted `age` minutes."""
    return max(mean - age, mean / 2)


class Playing:
    """A hall's lines and counters, ready to be played forward from a moment."""

    def __init__(self, hall: Hall, t: float, service: Mapping[str, float]) -> None:
        self.t = t
        self.service = service
        self.walk: dict[str, list[tuple[float, int]]] = {}
        self.booked: dict[str, list[tuple[float, float, int]]] = {}
        for waiting in hall.tickets.values():
            code = waiting.line.code
            if waiting.slot is not None and waiting.rank < waiting.slot - 1:
                queue = self.booked.setdefault(code, [])
                insort(queue, (waiting.slot, waiting.issued, waiting.seq))
            else:
                insort(self.walk.setdefault(code, []), (waiting.rank, waiting.seq))
        self.free: list[tuple[float, int]] = []
        self.able: list[tuple[str, ...]] = []
        self.speed: list[float] = []
        for counter in hall.counters.values():
            if not counter.lines:
                continue
            at = t
            if counter.serving is not None:
                mean = service.get(counter.serving[0], 5.0) * counter.speed
                at = t + remaining(mean, t - counter.since)
            self.free.append((at, len(self.able)))
            self.able.append(counter.lines)
            self.speed.append(counter.speed)
        for habit in hall.yet_to_open(t):
            self.free.append((max(t, habit.opens), len(self.able)))
            self.able.append(habit.lines)
            self.speed.append(1.0)
        heapq.heapify(self.free)

    def play(self, mine: Waiting | None = None) -> dict[int, float]:
        """When each ticket is called, by its number in the hall; minutes of the day.

        Asked for `mine` alone, it stops there, and after some calls keeps the pace so far. Tickets
        that no open counter serves are left out.
        """
        free, walk, booked = self.free, self.walk, self.booked
        at_walk = dict.fromkeys(walk, 0)
        at_booked = dict.fromkeys(booked, 0)
        called: dict[int, float] = {}
        mine_seq = mine.seq if mine is not None else -1
        mine_calls = 0
        while free:
            at, counter = heapq.heappop(free)
            best, chosen, is_booked, seq = 1e18, None, False, -1
            for code in self.able[counter]:
                if code in booked and at_booked[code] < len(booked[code]):
                    slot, issued, who = booked[code][at_booked[code]]
                    rank = slot - 1e6 if slot - EARLY <= at else issued
                    if rank < best:
                        best, chosen, is_booked, seq = rank, code, True, who
                if code in walk and at_walk[code] < len(walk[code]):
                    rank, who = walk[code][at_walk[code]]
                    if rank < best:
                        best, chosen, is_booked, seq = rank, code, False, who
            if chosen is None:
                continue
            called[seq] = at
            if seq == mine_seq:
                break
            if is_booked:
                at_booked[chosen] += 1
            else:
                at_walk[chosen] += 1
            if mine is not None:
                mine_calls += chosen == mine.line.code
                if len(called) >= MOST_CALLS:
                    self._extrapolate(called, mine, at, mine_calls)
                    break
            minutes = self.service.get(chosen, 5.0) * self.speed[counter] * COMES
            heapq.heappush(free, (at + minutes, counter))
        return called

    def _extrapolate(self, called: dict[int, float], mine: Waiting, at: float, calls: int) -> None:
        code = mine.line.code
        if mine.slot is not None:
            ahead = sum(slot <= mine.slot for slot, _, _ in self.booked.get(code, ()))
        else:
            ahead = sum(each <= (mine.rank, mine.seq) for each in self.walk.get(code, ()))
            ahead += len(self.booked.get(code, ()))
        left = max(ahead - calls, 1)
        called[mine.seq] = at + left * (at - self.t) / max(calls, 1)
