"""Who waits in which order, and how fast it goes: the lines of a pool share their counters."""

import math
from bisect import bisect_left, bisect_right, insort
from typing import Any, Final

from scheduler.wait.events import Marks
from scheduler.wait.lines import Line, Mean, Profile, slot_of

HALF_LIVES: Final = (15.0, 45.0, 150.0)
_LN2: Final = math.log(2)


class Rate:
    """Busy minutes, calls, who came and who left, all fading.

    The clock of the minutes runs only while somebody waits.
    """

    __slots__ = ("at", "calls", "came", "half_life", "left", "minutes")

    def __init__(self, half_life: float, at: float) -> None:
        self.half_life, self.at = half_life, at
        self.minutes = self.calls = self.came = self.left = 0.0

    def pass_to(self, t: float, busy: bool) -> None:
        """Let time go by."""
        kept = 0.5 ** ((t - self.at) / self.half_life)
        self.minutes *= kept
        self.calls *= kept
        self.came *= kept
        self.left *= kept
        if busy:
            self.minutes += (1.0 - kept) * self.half_life / _LN2
        self.at = t


class Waiting:
    """A ticket in line. What was promised at its issue stays with it until it is called."""

    __slots__ = (
        "appointment",
        "asked",
        "goes_first",
        "issued",
        "line",
        "n",
        "priority",
        "promise",
        "rank",
        "scored",
        "seq",
        "slot",
        "ticket",
    )

    def __init__(
        self, line: Line, ticket: str, *, issued: float, rank: float, seq: int, marks: Marks
    ) -> None:
        self.line, self.ticket, self.issued, self.rank, self.seq = line, ticket, issued, rank, seq
        self.slot, self.priority, self.scored = marks.slot, marks.priority, marks.scored
        self.appointment = marks.slot is not None
        # Without a rank of her own, whoever has booked goes first from a little before her slot.
        self.goes_first = marks.slot is not None and marks.rank is None
        self.n = 1
        self.promise: Any = None
        self.asked: list[tuple[Any, float]] = []  # what else was foretold of her, since when


class Pool:
    """Lines that wait for the same counters in one order; a line by itself is one too."""

    def __init__(self) -> None:
        self.busy_by_slot = Profile()  # busy minutes, weighted by calls
        self.service = Mean()
        self.new_day()

    def new_day(self) -> None:
        """Forget today."""
        self.order: list[tuple[float, int]] = []
        self.waiting: dict[int, Waiting] = {}
        self.rates = [Rate(each, 0.0) for each in HALF_LIVES]
        self.at: float | None = None
        self.last_wait: float | None = None
        self.last_n = 1
        self.last_call: float | None = None
        self.gone: list[Waiting] = []  # who left, and would still be waiting

    def begin(self, scale: float) -> None:
        """Measure today's pace over spans of this scale."""
        self.rates = [Rate(each * scale, 0.0) for each in HALF_LIVES]

    def pass_to(self, t: float) -> None:
        """Let time go by."""
        if self.at is None:
            for rate in self.rates:
                rate.at = t
            self.at = t
        elif t > self.at:
            busy = bool(self.order)
            for rate in self.rates:
                rate.pass_to(t, busy)
            if busy:
                self.busy_by_slot.sums[slot_of(t)] += t - self.at
            self.at = t

    def called(self, t: float) -> None:
        """Somebody who waited is called."""
        for rate in self.rates:
            rate.calls += 1.0
        self.busy_by_slot.weights[slot_of(t)] += 1.0
        self.last_call = t

    def left(self, waiting: Waiting, t: float) -> None:
        """Somebody gives up. Where many do, it is still looked for when her turn would be.

        So it is of those who had waited for longer than half of such people were to: theirs are
        long waits that would be missed. That somebody goes at once tells nothing.
        """
        for rate in self.rates:
            rate.left += 1.0
        line, promise = waiting.line, waiting.promise
        line.left += 1.0
        if promise is None or waiting.goes_first or not line.leaves_often or not self.order:
            return
        if t - waiting.issued >= promise.middle:
            self.gone.append(waiting)

    def overtaken(self, called: Waiting) -> list[Waiting]:
        """Those who left and would have been called by now, as somebody behind them is.

        Once nobody waits, nobody behind them tells: of those a wait of more than so long is all
        that is ever known, which is nothing to learn from.
        """
        if not self.gone:
            return []
        place = (called.rank, called.seq)
        over = [each for each in self.gone if (each.rank, each.seq) < place]
        self.gone = [each for each in self.gone if (each.rank, each.seq) >= place]
        if not self.order:
            self.gone = []
        return over

    def add(self, waiting: Waiting) -> None:
        """Put somebody into the order; sets the number of her place."""
        for rate in self.rates:
            rate.came += 1.0
        self.insert(waiting)

    def insert(self, waiting: Waiting) -> None:
        """Put somebody into her place."""
        waiting.n = bisect_right(self.order, (waiting.rank, waiting.seq)) + 1
        insort(self.order, (waiting.rank, waiting.seq))
        self.waiting[waiting.seq] = waiting
        line = waiting.line
        if waiting.goes_first:
            insort(line.booked, (waiting.slot or 0.0, waiting.issued, waiting.seq))
        else:
            insort(line.walk, (waiting.rank, waiting.seq))

    def remove(self, waiting: Waiting) -> None:
        """Take somebody out of the order."""
        if self.waiting.pop(waiting.seq, None) is not None:
            place = (waiting.rank, waiting.seq)
            del self.order[bisect_left(self.order, place)]
            line = waiting.line
            if waiting.goes_first:
                slot = (waiting.slot or 0.0, waiting.issued, waiting.seq)
                del line.booked[bisect_left(line.booked, slot)]
            else:
                del line.walk[bisect_left(line.walk, place)]

    def first_issued(self, rank: float) -> float | None:
        """When the first walk-in who goes before that rank joined."""
        for each, seq in self.order:
            if each > rank:
                return None
            waiting = self.waiting[seq]
            if not waiting.appointment:
                return waiting.issued
        return None
