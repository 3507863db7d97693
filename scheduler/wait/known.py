"""What the product knows of a hall's day beyond its events: bookings, breaks, hours, who is coming.

All of it is minutes of the day, on the clock. Waits are learned in minutes of work: while the hall
is closed at noon, nobody's wait goes on that anybody could shorten.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

Span = tuple[float, float]
# Of a line of which nothing is said.
USUAL_NO_SHOW: Final = 0.12


@dataclass(frozen=True, slots=True)
class Known:
    """`open` are the hall's hours; without them the clock counts. `closed` follows from them.

    `bookings` are the slots, by line, of those who have booked and not checked in, and may yet;
    `no_show` is the share who never will, by line. With `booked_first` they go before everybody
    from a little before their slot; else their slot is their rank time, so that only who comes
    later stands behind them.
    `coming` are the minutes at which people arrive who are on their way, by line. `pauses` are when
    a counter will not serve, by counter. After `help_after` minutes of wait, by line, counters that
    only help a line call from it as from their own. At `let_go` whoever still waits is let go.
    """

    open: tuple[Span, ...] = ()
    bookings: Mapping[str, Sequence[float]] = field(default_factory=dict)
    coming: Mapping[str, Sequence[float]] = field(default_factory=dict)
    pauses: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    no_show: Mapping[str, float] = field(default_factory=dict)
    booked_first: bool = False
    help_after: Mapping[str, float] = field(default_factory=dict)
    let_go: float | None = None

    def comes(self, line: str) -> float:
        """The share of those who have booked for a line that come."""
        return 1.0 - self.no_show.get(line, USUAL_NO_SHOW)

    def worked(self, clock: float) -> float:
        """Minutes of work at a moment, counted on from when the hall opens."""
        if not self.open:
            return clock
        first, last = self.open[0][0], self.open[-1][1]
        if clock > last:
            return self.worked(last) + clock - last
        return first + sum(min(max(clock - start, 0.0), end - start) for start, end in self.open)

    def clock(self, worked: float) -> float:
        """The moment at which so many minutes of work are reached; after closing it runs on."""
        if not self.open:
            return worked
        left = worked - self.open[0][0]
        for start, end in self.open:
            if left <= end - start:
                return start + max(left, 0.0)
            left -= end - start
        return self.open[-1][1] + left

    def waited(self, start: float, work: float) -> float:
        """Minutes on the clock from a moment until so many minutes of work have passed.

        While the hall is closed that is until it opens at least: nobody is called before.
        """
        if not self.open:
            return work
        called = self.clock(self.worked(start) + work)
        return max(called, self._opens(start)) - start

    def working(self, start: float, waited: float) -> float:
        """What `waited` was made of: minutes of work in so many on the clock from a moment."""
        return self.worked(start + waited) - self.worked(start)

    def _opens(self, clock: float) -> float:
        """When the hall is open again, or is open; after closing, the moment itself."""
        return next((max(start, clock) for start, end in self.open if clock < end), clock)

    def back_at(self, counter: str, t: float) -> float | None:
        """When a counter that is closed at t will serve again, if that is planned."""
        for start, end in self.pauses.get(counter, ()):
            if start <= t < end:
                return end
        return None

    def left(self, clock: float, later: float = 0.0) -> float:
        """In how many minutes whoever is there is let go, now or so much later; inf: not known.

        Who comes after closing is told what she would be at closing: nobody is let in any more.
        """
        if self.let_go is None or self.closes is None:
            return math.inf
        return self.let_go - max(clock, min(clock + later, self.closes))

    @property
    def closes(self) -> float | None:
        """When the hall closes for the day."""
        return self.open[-1][1] if self.open else None


NOTHING: Final = Known()


def known_in_work(known: Known) -> Known:
    """The same with its moments told in minutes of work, but slots: they are told as ranks are."""
    if not known.open:
        return known
    return Known(
        known.open,
        {line: sorted(slots) for line, slots in known.bookings.items()},
        {line: sorted(map(known.worked, times)) for line, times in known.coming.items()},
        {
            counter: [(known.worked(start), known.worked(end)) for start, end in spans]
            for counter, spans in known.pauses.items()
        },
        known.no_show,
        known.booked_first,
        known.help_after,
        known.let_go,
    )
