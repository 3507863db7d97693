"""The soonest slot that can be booked, for each hall and item: what ranked lists propose.

Lists are asked for far more often than slots change. So for each item that is asked for every
hall's soonest slot is kept, and looked up anew only where a slot changed or may be booked no more.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from scheduler.booking import booked_from, closes_at
from server.appointments.slot_book import SlotBook
from server.halls.directory import HallEntry, ItemEntry
from server.halls.instead import Soonest
from server.halls.views import AppointmentInstead

# How much a process keeps of all items together.
_MOST_BYTES: Final = 32_000_000


class _Kept:
    """One item's soonest slots, and by a hall's number until when each may be booked."""

    def __init__(self, halls: int) -> None:
        self.soonest = Soonest(halls)
        self.closes_s = np.full(halls, np.inf)
        self.first_closes_s = np.inf
        self.as_of_s = -np.inf
        self.generation = -1


class SoonestSlots:
    """Looks into the slots of a process's book, hall by hall of one directory."""

    def __init__(self, book: SlotBook, halls: Sequence[HallEntry]) -> None:
        self._book = book
        self._halls = halls
        self._number = {hall.id: at for at, hall in enumerate(halls)}
        self._kept: dict[str, _Kept] = {}
        self._most = max(1, _MOST_BYTES // (24 * max(len(halls), 1)))

    def soonest(self, item: ItemEntry, now: datetime) -> Soonest | None:
        """The soonest slots that can be booked now; None where there is none at any hall."""
        kept = self._kept.get(item.code)
        if kept is None:
            if len(self._kept) >= self._most:
                self._kept.clear()
            kept = self._kept[item.code] = _Kept(len(self._halls))
        now_s = now.timestamp()
        if now_s < kept.as_of_s:  # the clock was turned back
            kept.generation = -1
        kept.as_of_s = now_s
        if kept.generation != self._book.generation:
            changed = self._book.changed_since(kept.generation)
            self._look(
                kept, item, [self._number[one] for one in changed if one in self._number], now
            )
            kept.generation = self._book.generation
        if kept.first_closes_s < now_s:
            self._look(kept, item, np.flatnonzero(kept.closes_s < now_s).tolist(), now)
        return kept.soonest if kept.first_closes_s < np.inf else None

    def slot(
        self, at: int, item: ItemEntry, arrives: datetime, now: datetime
    ) -> AppointmentInstead | None:
        """The soonest slot of a hall that can be booked, and begins once she can be there."""
        hall = self._halls[at]
        if not item.bookable or item.code not in hall.offers:
            return None
        found = self._book.first(hall, item, max(arrives, booked_from(now, hall.booking)))
        return AppointmentInstead(found.starts_at, found.ends_at) if found else None

    def _look(self, kept: _Kept, item: ItemEntry, halls: Collection[int], now: datetime) -> None:
        for at in halls:
            found = self.slot(at, item, now, now)
            kept.soonest.put(at, found)
            closes = closes_at(found.slot_start, self._halls[at].booking) if found else None
            kept.closes_s[at] = closes.timestamp() if closes else np.inf
        kept.first_closes_s = float(kept.closes_s.min(initial=np.inf))
