"""Playing the line forward: who is called when, if everybody takes as long as usual.

Where it is known which counter serves which lines, this is the backbone. It knows no chance, so it
is never shown raw.
"""

import heapq
import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from typing import Final

from scheduler.wait.halls import BOOKED_FIRST, Hall
from scheduler.wait.known import Span
from scheduler.wait.pools import Waiting

EARLY: Final = 5.0  # an appointment goes first from so long before its slot
MOST_CALLS: Final = 48  # ahead of whom we ask for; then the pace so far is kept
COMES: Final = 0.97  # misses take little time
BOOKED_AHEAD: Final = 75.0
USUAL_SERVICE: Final = 5.0
NEWCOMER: Final = 1_000_000_000

_Head = tuple[float, int, int]  # rank, number in the hall, which line
# A counter's own lines, those that it helps, its pace, when it pauses.
_Post = tuple[tuple[int, ...], tuple[int, ...], float, Sequence[Span] | None]
_NOBODY: Final[_Head] = (math.inf, 0, -1)


def remaining(mean: float, age: float) -> float:
    """How much longer a service takes that has lasted `age` minutes."""
    return mean - age if 2 * age < mean else mean / 2


class _Booked:
    """The first of each line, where some have booked and are there from a little before their slot.

    Then they go first, unless `ranks` says where they stand, by their number. The first changes
    when somebody is called, and at the next slot that comes near.
    """

    def __init__(
        self,
        walk: Sequence[_Head],
        booked: Sequence[Sequence[tuple[float, float, int]]],
        ranks: Mapping[int, float],
    ) -> None:
        self._walk, self._booked, self._ranks = list(walk), booked, ranks
        self._called = [0] * len(booked)
        self._first = list(walk)
        self._changes = [-math.inf] * len(booked)  # when the first of a line may be another
        self._next = -math.inf

    def at(self, t: float) -> list[_Head]:
        """The first of each line at a moment; moments rise."""
        if t >= self._next:
            for which, change in enumerate(self._changes):
                if t >= change:
                    self._look(which, t)
            self._next = min(self._changes)
        return self._first

    def _look(self, which: int, t: float) -> None:
        first, change = self._walk[which], math.inf
        booked, called = self._booked[which], self._called[which]
        if called < len(booked):
            slot, issued, seq = booked[called]
            is_near = slot - EARLY <= t
            rank = self._ranks.get(seq, slot - BOOKED_FIRST) if is_near else issued
            change = math.inf if is_near else slot - EARLY
            if rank <= first[0] and rank < math.inf:
                first = (rank, seq, which)
        self._first[which], self._changes[which] = first, change

    def took(self, head: _Head, t: float, behind: _Head | None) -> None:
        """Somebody was called; `behind` is who was behind her of those who have not booked."""
        which = head[2]
        if behind is not None:
            self._walk[which] = behind
        else:
            self._called[which] += 1
        self._look(which, t)
        self._next = min(self._next, self._changes[which])

    def is_of_the_booked(self, head: _Head) -> bool:
        """Whether she has booked."""
        return head is not self._walk[head[2]]


class Playing:
    """A hall's lines and counters, ready to be played forward from a moment.

    `newcomers` names lines for which somebody is added who joins now and takes nobody's time: her
    number is NEWCOMER and her place in that list. Lines are named by their number in the hall.
    """

    def __init__(self, hall: Hall, t: float, newcomers: Sequence[str] = ()) -> None:
        self.t, self.hall = t, hall
        self.walk: list[Sequence[tuple[float, int]]] = [()] * len(hall.numbers)
        self.booked: list[Sequence[tuple[float, float, int]]] = [()] * len(hall.numbers)
        self.minutes = [USUAL_SERVICE * COMES] * len(hall.numbers)
        self.free: list[tuple[float, int]] = []  # when each counter is
        self.staff: list[_Post] = []
        # Where those stand who will come by their slots, by their numbers; below 0, as nobody's.
        self.ranks: dict[int, float] = {}
        self.comes: dict[int, float] = {}  # by line: the share of them that comes
        self._queue(newcomers)
        self._book(t)
        self._open(t)

    def _queue(self, newcomers: Sequence[str]) -> None:
        hall = self.hall
        service, number = hall.service_means(), hall.numbers
        for code, line in hall.lines.items():
            which = number[code]
            self.walk[which], self.booked[which] = line.walk, line.booked
            self.minutes[which] = service[code] * COMES
        for at, code in enumerate(newcomers):
            which = number[code]
            walk = self.walk[which] = list(self.walk[which])
            insort(walk, (hall.clock, NEWCOMER + at))

    def _open(self, t: float) -> None:
        hall, staff = self.hall, self.staff
        service, pauses = hall.service_means(), hall.known.pauses
        for code, counter in hall.counters.items():
            at = t
            if not counter.lines:
                back = hall.known.back_at(code, t) if pauses else None
                if back is None:
                    continue
                at = back
            if counter.serving is not None:
                mean = service.get(counter.serving[0], USUAL_SERVICE) * counter.speed
                free = t + remaining(mean, t - counter.since)
                if free > at:  # noqa: PLR1730 a call of max costs more
                    at = free
            self.free.append((at, len(staff)))
            staff.append((*counter.numbers, counter.speed, pauses.get(code)))
        for code, habit in hall.yet_to_open(t):
            self.free.append((max(t, habit.opens), len(staff)))
            own = tuple(hall.numbers[line] for line in habit.lines)
            staff.append((own, (), 1.0, pauses.get(code)))
        heapq.heapify(self.free)

    def _book(self, t: float) -> None:
        """Who has booked and will come soon; they are there from a little before their slot.

        Where their slot is their rank, only those before whom somebody stands who is here already.
        """
        known = self.hall.known
        if not known.bookings:
            return
        first, last = known.clock(t), known.clock(t + BOOKED_AHEAD)
        if not known.booked_first:
            ranks = [line[-1][0] for line in self.walk if line]
            first, last = -math.inf, min(max(ranks, default=-math.inf), last)
        for code, slots in known.bookings.items():
            soon = slots[bisect_left(slots, first) : bisect_right(slots, last)]
            if soon and code in self.hall.numbers:
                which = self.hall.numbers[code]
                self.comes[which] = known.comes(code)
                booked = self.booked[which] = list(self.booked[which])
                for slot in soon:
                    person = -1 - len(self.ranks)
                    self.ranks[person] = slot - BOOKED_FIRST * known.booked_first
                    insort(booked, (known.worked(slot), math.inf, person))

    def play(self, mine: Waiting | None = None) -> dict[int, float]:  # noqa: PLR0912 one loop
        """When each ticket is called, by its number in the hall; minutes of the day.

        Asked for `mine` alone, it stops there, and after some calls keeps the pace so far. Tickets
        that no counter will serve are left out.
        """
        free, staff, walk = self.free, self.staff, self.walk
        first: list[_Head] = [
            (*line[0], which) if line else _NOBODY for which, line in enumerate(walk)
        ]
        heads = _Booked(first, self.booked, self.ranks) if any(self.booked) else None
        walked = [0] * len(first)
        called: dict[int, float] = {}
        mine_seq = mine.seq if mine is not None else 0
        mine_line = self.hall.numbers[mine.line.code] if mine is not None else -1
        mine_calls = 0
        while free:
            at, counter = free[0]
            own, helps, speed, pauses = staff[counter]
            if pauses and self._pauses(at, counter, pauses):
                continue
            if heads is not None:
                first = heads.at(at)
            best = _NOBODY
            for which in own:
                if first[which] < best:  # noqa: PLR1730 a call of min costs more
                    best = first[which]
            if helps:
                best = self._helping(best, first, helps, at)
            _, seq, which = best
            if which < 0:
                heapq.heappop(free)
                continue
            behind = None
            if heads is None or not heads.is_of_the_booked(best):
                at_head = walked[which] = walked[which] + 1
                line = walk[which]
                behind = (*line[at_head], which) if at_head < len(line) else _NOBODY
                first[which] = behind
            if heads is not None:
                heads.took(best, at, behind)
            called[seq] = at
            if seq == mine_seq:
                break
            if mine is not None:
                mine_calls += which == mine_line
                if len(called) >= MOST_CALLS:
                    self._extrapolate(called, mine, at, mine_calls)
                    break
            if seq < NEWCOMER:  # a newcomer takes nobody's time: the counter calls again
                took = self.minutes[which] if seq > 0 else self._if_she_comes(which)
                heapq.heapreplace(free, (at + took * speed, counter))
        return called

    def _pauses(self, at: float, counter: int, pauses: Sequence[Span]) -> bool:
        """Whether the counter that is free next pauses; it is then free when it is back."""
        for start, end in pauses:
            if start <= at < end:
                if math.isfinite(end):
                    heapq.heapreplace(self.free, (end, counter))
                else:
                    heapq.heappop(self.free)
                return True
        return False

    def _if_she_comes(self, which: int) -> float:
        """Minutes for somebody who has booked, by how many of such come."""
        return self.minutes[which] * self.comes.get(which, 1.0) / COMES

    def _helping(self, own: _Head, now: Sequence[_Head], helps: Sequence[int], at: float) -> _Head:
        """Whom a counter calls that may also help: its own first, unless others wait too long."""
        best = own
        for which in helps:
            head = now[which]
            if head < best and self._waits_too_long(head, at):
                best = head
        if best[2] < 0:
            best = min(now[which] for which in helps)
        return best

    def _waits_too_long(self, head: _Head, at: float) -> bool:
        """Whether helpers will call somebody as their own then, by the clock."""
        known = self.hall.known
        for code, minutes in known.help_after.items():
            if self.hall.numbers.get(code) == head[2]:
                return known.clock(at) - head[0] > minutes
        return False

    def _extrapolate(self, called: dict[int, float], mine: Waiting, at: float, calls: int) -> None:
        which = self.hall.numbers[mine.line.code]
        booked = self.booked[which]
        if mine.goes_first:
            ahead = sum(slot <= (mine.slot or 0.0) for slot, _, _ in booked)
        else:
            ahead = bisect_right(self.walk[which], (mine.rank, mine.seq))
            ahead += sum(self.ranks.get(seq, -math.inf) <= mine.rank for _, _, seq in booked)
        left = max(ahead - calls, 1)
        called[mine.seq] = at + left * (at - self.t) / max(calls, 1)
