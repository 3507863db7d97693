"""Slots one after the other: for what takes longer than one, and for items of several lines.

Pure. A leg is what is done in one line: its slots of a day, and how many minutes it takes there.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from scheduler.booking import slots_needed

# Nobody is asked to wait longer than this between two lines.
MOST_BETWEEN: Final = timedelta(minutes=60)


class Span(Protocol):
    """A slot, as far as it matters here."""

    @property
    def starts_at(self) -> datetime:
        """From when."""

    @property
    def ends_at(self) -> datetime:
        """Until when."""

    @property
    def open(self) -> bool:
        """Whether it may be booked at all."""


S = TypeVar("S", bound=Span)


class Leg(NamedTuple, Generic[S]):
    """A line's slots of a day in the order of time, and the minutes to be spent there."""

    slots: Sequence[S]
    minutes: int

    @property
    def many(self) -> int:
        """How many slots in a row it takes."""
        first = self.slots[0]
        length = round((first.ends_at - first.starts_at).total_seconds() / 60)
        return slots_needed(self.minutes, length)


def in_a_row(run: Sequence[Span]) -> bool:
    """Whether slots are open and each begins when the one before it ends."""
    follow = pairwise(run)
    return all(slot.open for slot in run) and all(a.ends_at == b.starts_at for a, b in follow)


def run_at(leg: Leg[S], nth: int) -> Sequence[S] | None:
    """The slots in a row that the leg takes from its nth slot on; None where there are not."""
    run = leg.slots[nth : nth + leg.many]
    return run if len(run) == leg.many and in_a_row(run) else None


def following(
    legs: Sequence[Leg[S]], first: Sequence[S], has_room: Callable[[S], bool]
) -> list[S] | None:
    """The slots of all legs, the first leg in `first`: each begins when the one before is over.

    Of each leg the first run with room that begins within `MOST_BETWEEN`. None where one has none.
    """
    all_slots = list(first)
    for leg in legs[1:]:
        free = all_slots[-1].ends_at
        first_nth = bisect_left(leg.slots, free, key=lambda slot: slot.starts_at)
        last_nth = bisect_right(leg.slots, free + MOST_BETWEEN, key=lambda slot: slot.starts_at)
        runs = (run_at(leg, nth) for nth in range(first_nth, last_nth))
        run = next((run for run in runs if run is not None and all(map(has_room, run))), None)
        if run is None:
            return None
        all_slots += run
    return all_slots
