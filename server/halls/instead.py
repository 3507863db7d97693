"""Appointments instead of waiting, where by booking she is done earlier.

What can be booked is known to others (`Bookable`); this room says where it is better.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import numpy as np

from scheduler.arrivals import Floats
from scheduler.calendar import SHANGHAI
from scheduler.ordering import Ranked
from server.halls.directory import HallEntry, ItemEntry
from server.halls.views import AppointmentInstead
from server.live.state import encode

_TOTAL_P50: Final = 4


class Soonest:
    """The soonest slot of each hall for an item: its start and end in Unix seconds, inf for none.

    By the halls' numbers in `Standing.halls`.
    """

    def __init__(self, halls: int) -> None:
        self.starts_s: Floats = np.full(halls, np.inf)
        self.ends_s: Floats = np.full(halls, np.inf)
        self._texts: dict[int, bytes] = {}

    def put(self, at: int, slot: AppointmentInstead | None) -> None:
        """This is the hall's from now on."""
        self._texts.pop(at, None)
        self.starts_s[at] = slot.slot_start.timestamp() if slot else np.inf
        self.ends_s[at] = slot.done_by.timestamp() if slot else np.inf

    def text(self, at: int) -> bytes:
        """A hall's slot as JSON."""
        text = self._texts.get(at)
        if text is None:
            ends = (self.starts_s[at], self.ends_s[at])
            start, end = (datetime.fromtimestamp(moment, SHANGHAI) for moment in ends)
            text = self._texts[at] = encode(AppointmentInstead(start, end))
        return text


class Bookable(Protocol):
    """What can be booked, from memory."""

    def soonest(self, item: ItemEntry, now: datetime, /) -> Soonest | None:
        """The soonest slots that can be booked now; None where there is none at any hall."""

    def slot(
        self, at: int, item: ItemEntry, arrives: datetime, now: datetime, /
    ) -> AppointmentInstead | None:
        """The soonest slot of a hall that can be booked, and begins once she can be there."""


def nothing_bookable(_halls: Sequence[HallEntry]) -> Bookable | None:
    """Where nobody knows of any slot."""
    return None


def better_by_booking(
    bookable: Bookable, item: ItemEntry, found: Ranked, limit: int, as_of: datetime
) -> Mapping[int, bytes]:
    """The appointments with which she is done earlier than by waiting, by place in the list.

    As JSON, of the first `limit` halls.
    """
    soonest = bookable.soonest(item, as_of)
    if soonest is None:
        return {}
    halls, now_s = found.halls[:limit], as_of.timestamp()
    done_s = found.figures[_TOTAL_P50, :limit] + now_s
    ends_s = soonest.ends_s.take(halls)
    waits = ends_s >= done_s  # what is not known compares as false
    if waits.all():
        return {}
    arrives_s = found.travel_s[:limit] + now_s
    reached = soonest.starts_s.take(halls) >= arrives_s
    better = {}
    for nth in np.flatnonzero(~waits & (ends_s < math.inf)).tolist():
        at = int(halls[nth])
        if reached[nth]:
            better[nth] = soonest.text(at)
            continue
        arrives = datetime.fromtimestamp(math.ceil(arrives_s[nth]), SHANGHAI)
        slot = bookable.slot(at, item, arrives, as_of)
        if slot is not None and not slot.done_by.timestamp() >= done_s[nth]:
            better[nth] = encode(slot)
    return better
