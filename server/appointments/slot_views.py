"""Slots as phones list them, and the best few of them; made from memory alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

from scheduler.booking import closes_at
from scheduler.calendar import business_day, uncovered_years
from scheduler.places import Place, geodesic_m
from server.appointments.planning import last_day
from server.appointments.slot_book import Seen, SlotBook
from server.errors import Sentence
from server.halls.directory import HallEntry, ItemEntry

Load = Literal["low", "medium", "high"]
Why = Literal["sooner", "emptier", "nearer"]
# From which part on of what can be served a slot counts as medium, or high.
MEDIUM: Final = 0.5
HIGH: Final = 0.85
_MOST_CLOSE: Final = 3
_UNKNOWN_YEAR: Final[Sentence] = (
    "{years} 年节假日安排尚未公布，所列时段可能调整。",
    "The holidays of {years} are not published yet: these slots may change.",
)


class SlotView(msgspec.Struct, frozen=True, kw_only=True):
    """A slot in which all may be booked; several, one after the other, where it takes more.

    `left`: how many everybody may still book; `left_elders`, `left_companies` and `left_desk` come
    on top, for these alone, the last for whom the hall books by itself. `load`: how full it is
    expected to be, with who comes without booking. `bookable`: there is a place for everybody, and
    it is neither too soon nor too late to book it.
    """

    start: datetime
    end: datetime
    capacity: int
    left: int
    left_elders: int
    left_companies: int
    left_desk: int
    load: Load
    bookable: bool


class SlotList(msgspec.Struct, frozen=True, kw_only=True):
    """The slots of some days in order. `warning`: why they may change, if they may."""

    data: list[SlotView]
    next_cursor: str | None = None
    last_day: date
    warning: str | None = None


class BestSlot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot worth proposing, and why: the soonest, the one least full, or at the nearest hall."""

    why: Why
    hall: str
    distance_m: int | None
    slot: SlotView


class BestSlots(msgspec.Struct, frozen=True):
    """Up to three proposals, each another slot."""

    data: list[BestSlot]
    next_cursor: str | None = None


def load_of(slot: Seen) -> Load:
    """How full a slot is expected to be."""
    return "high" if slot.load >= HIGH else "medium" if slot.load >= MEDIUM else "low"


def slot_view(slot: Seen, hall: HallEntry, now: datetime) -> SlotView:
    """A slot as phones see it."""
    return SlotView(
        start=slot.starts_at,
        end=slot.ends_at,
        capacity=slot.capacity,
        left=slot.room,
        left_elders=max(slot.for_elders, 0),
        left_companies=max(slot.for_companies, 0),
        left_desk=max(slot.for_desk, 0),
        load=load_of(slot),
        bookable=is_bookable(slot, hall, now),
    )


def is_bookable(slot: Seen, hall: HallEntry, now: datetime) -> bool:
    """Whether anybody may book it now."""
    return slot.room > 0 and now <= closes_at(slot.starts_at, hall.booking)


def slots_between(
    book: SlotBook,
    hall: HallEntry,
    items: Sequence[ItemEntry],
    *,
    first: date,
    last: date,
    now: datetime,
    english: bool,
) -> SlotList:
    """The slots of items at a hall from one day to another, those that have begun left out."""
    furthest = last_day(hall, business_day(now))
    years = uncovered_years(first, max(first, min(last, furthest)))
    named = ", ".join(map(str, years)) if english else "、".join(map(str, years))
    return SlotList(
        data=[
            slot_view(slot, hall, now)
            for slot in book.runs(hall, items)
            if slot.starts_at > now and first <= slot.starts_at.date() <= min(last, furthest)
        ],
        last_day=furthest,
        warning=_UNKNOWN_YEAR[english].format(years=named) if years else None,
    )


def best_slots(
    book: SlotBook,
    items: Sequence[ItemEntry],
    *,
    halls: Iterable[HallEntry],
    where: Place | None,
    now: datetime,
    after: datetime | None = None,
    without: datetime | None = None,
) -> list[BestSlot]:
    """The soonest slot there is, the one least full, and the soonest at the nearest hall.

    Where one is two of them the next best stands for the second; fewer when there are fewer.
    `items` are booked together; `without` is a slot that is none.
    """
    able = [
        _Able(slot, hall, _metres(where, hall))
        for hall in halls
        if all(item.code in hall.offers for item in items)
        for slot in book.runs(hall, items)
        if slot.starts_at > (after or now)
        and slot.starts_at != without
        and is_bookable(slot, hall, now)
    ]
    found: list[BestSlot] = []
    for why, order in _ORDERS.items():
        if able and (why != "nearer" or where is not None):
            best = min(able, key=order)
            able.remove(best)
            view = slot_view(best.slot, best.hall, now)
            found.append(BestSlot(why=why, hall=best.hall.code, distance_m=best.metres, slot=view))
    return found


def closest_slots(
    book: SlotBook, hall: HallEntry, items: Sequence[ItemEntry], to: datetime, now: datetime
) -> list[datetime]:
    """When the three free slots for these items begin that are closest to a moment, in order."""
    starts = [
        slot.starts_at
        for slot in book.runs(hall, items)
        if slot.starts_at > now and slot.starts_at != to and is_bookable(slot, hall, now)
    ]
    return sorted(sorted(starts, key=lambda start: abs(start - to))[:_MOST_CLOSE])


class _Able(NamedTuple):
    slot: Seen
    hall: HallEntry
    metres: int | None

    @property
    def far(self) -> int:
        return _FAR if self.metres is None else self.metres


_FAR: Final = 1 << 30
_ORDERS: Final[Mapping[Why, Callable[[_Able], tuple[Any, ...]]]] = {
    "sooner": lambda one: (one.slot.starts_at, one.far, one.slot.load),
    "emptier": lambda one: (one.slot.load, one.far, one.slot.starts_at),
    "nearer": lambda one: (one.far, one.slot.starts_at, one.slot.load),
}


def _metres(where: Place | None, hall: HallEntry) -> int | None:
    known = where is not None and hall.place is not None
    return round(geodesic_m(where, hall.place)) if known else None  # type: ignore[arg-type]
