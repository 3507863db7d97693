"""Slots as phones list them, and the best few of them; made from memory alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

from scheduler.booking import closes_at
from scheduler.calendar import business_day
from scheduler.places import Place, geodesic_m
from server.appointments.holidays import warning_of
from server.appointments.planning import last_day
from server.appointments.slot_book import Seen, SlotBook
from server.halls.directory import HallEntry, ItemEntry

Load = Literal["low", "medium", "high"]
Why = Literal["sooner", "emptier", "nearer"]
# From which part on of what can be served a slot counts as medium, or high.
MEDIUM: Final = 0.5
HIGH: Final = 0.85
# A slot is proposed as emptier from so much less of what can be served on: who looks sees it.
EMPTIER_BY: Final = 0.1
_MOST_CLOSE: Final = 3


class SlotView(msgspec.Struct, frozen=True, kw_only=True):
    """A slot in which all may be booked; several, one after the other, where it takes more.

    `left`: how many everybody may still book; `left_elders`, `left_companies` and `left_desk` come
    on top, for these alone, the last for whom the hall books by itself. `load`: how full it is
    expected to be, with who comes without booking. `bookable`: there is a place for everybody, and
    it is neither too soon nor too late to book it. All this is the slot's, the same for all who
    ask; on which days I have booked as often as I may says `GET /me/booking-standing?hall=`.
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
    """A slot worth proposing, and why: the soonest there is; a clearly emptier one; a nearer hall.

    The second and third are said of the first: where none is emptier or nearer there is none.
    """

    why: Why
    hall: str
    distance_m: int | None
    slot: SlotView


class BestSlots(msgspec.Struct, frozen=True):
    """Up to three proposals, each another slot and truly what it says. `warning` as in a list."""

    data: list[BestSlot]
    next_cursor: str | None = None
    warning: str | None = None


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
    warning = warning_of(first, max(first, min(last, furthest)))
    return SlotList(
        data=[
            slot_view(slot, hall, now)
            for slot in book.runs(hall, items)
            if slot.starts_at > now and first <= slot.starts_at.date() <= min(last, furthest)
        ],
        last_day=furthest,
        warning=warning[english] if warning else None,
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
    english: bool,
) -> BestSlots:
    """The soonest slot there is, the least full one, and the soonest at the nearest hall.

    The last two only where they are clearly emptier, or nearer, than the soonest. `items` are
    booked together; `without` is a slot that is none.
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
    if not able:
        return BestSlots([])
    soonest = min(able, key=_ORDERS["sooner"])
    found: list[tuple[Why, _Able]] = [("sooner", soonest)]
    emptier = min(able, key=_ORDERS["emptier"])
    if emptier.slot.load <= soonest.slot.load - EMPTIER_BY:
        found.append(("emptier", emptier))
    nearer = min(able, key=_ORDERS["nearer"])
    if nearer.far < soonest.far and nearer is not emptier:
        found.append(("nearer", nearer))
    days = [one.slot.starts_at.date() for _, one in found]
    warning = warning_of(min(days), max(days))
    return BestSlots(
        [
            BestSlot(
                why=why,
                hall=one.hall.code,
                distance_m=one.metres,
                slot=slot_view(one.slot, one.hall, now),
            )
            for why, one in found
        ],
        warning=warning[english] if warning else None,
    )


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
