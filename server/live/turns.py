"""Whose turn it is to be projected: first where something happened, then whom time alone moves on.

All times are monotonic seconds. Nothing here asks for the time, reads or writes.
"""

import heapq
import math
from collections.abc import Iterable
from typing import Final

AT_MOST_EVERY_S: Final = 0.5
AT_LEAST_EVERY_S: Final = 15.0
# While somebody's news has waited for longer than this, those where nothing happened step back,
BEHIND_S: Final = 0.1
# but not for ever: as of when a hall is shown is told.
STEP_BACK_S: Final = 15.0


class Turns:
    """When each hall is to be projected next.

    A hall where something happened comes at once, or when its shortest interval since it last came
    for that is over; every hall comes again after its longest.
    """

    def __init__(self) -> None:
        # When those may be projected in which something happened.
        self._changed: dict[str, float] = {}
        # When each is to be projected though nothing happens; entries of the heap that say
        # another moment are out of date.
        self._again: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        # When each last came because something had happened.
        self._came: dict[str, float] = {}

    def __contains__(self, code: str) -> bool:
        return code in self._changed or code in self._again

    def ask(self, code: str, now: float, *, at_once: bool = False) -> None:
        """Something happened in a hall."""
        soonest = now if at_once else self._came.get(code, -math.inf) + AT_MOST_EVERY_S
        self._changed[code] = min(max(now, soonest), self._changed.get(code, math.inf))

    def again(self, code: str, at: float) -> None:
        """Project a hall again at a moment, should it not come earlier."""
        if at < self._again.get(code, math.inf):
            self._again[code] = at
            heapq.heappush(self._heap, (at, code))

    def begin(self, codes: Iterable[str], now: float) -> None:
        """Halls are being read: what happens from here on counts for their next turn."""
        for code in codes:
            if self._changed.pop(code, None) is not None:
                self._came[code] = now
            self._again.pop(code, None)
            self.again(code, now + AT_LEAST_EVERY_S)

    def forget(self, code: str) -> None:
        """It is another's hall now."""
        for kept in (self._changed, self._again, self._came):
            kept.pop(code, None)

    def changed(self, now: float) -> list[str]:
        """The halls whose news may be told, who has waited longest first."""
        due = [(when, code) for code, when in self._changed.items() if when <= now]
        return [code for _, code in sorted(due)]

    def unchanged(self, now: float, most: int) -> list[str]:
        """The halls that are to be projected again by now, who has waited longest first.

        Each is handed out once: it is to `begin` then.
        """
        is_behind = any(when < now - BEHIND_S for when in self._changed.values())
        until = now - STEP_BACK_S if is_behind else now
        due: list[str] = []
        while self._heap and self._heap[0][0] <= until and len(due) < most:
            when, code = heapq.heappop(self._heap)
            if self._again.get(code) == when:
                del self._again[code]
                due.append(code)
        return due

    def next_at(self) -> float:
        """When the next turn is; that of an entry out of date may be earlier."""
        first = self._heap[0][0] if self._heap else math.inf
        return min(first, min(self._changed.values(), default=math.inf))
