"""What somebody wants to book, for whom and when, read and checked; and the places found for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from models.booking import SlotAt, Whose
from models.proxies import Acting, ProxyKind
from models.sessions import PersonKind
from models.slots import Part
from models.tickets import Actor
from scheduler.booking import closes_at
from scheduler.calendar import business_day
from server.appointments.planning import last_day
from server.appointments.prerequisites import in_order
from server.appointments.refusals import (
    NotBookable,
    SlotClosed,
)
from server.auth import Principal
from server.halls.directory import Directory, HallEntry, ItemEntry, LineEntry
from server.numbers.giving import line_for


@dataclass(frozen=True, slots=True)
class Wish:
    """What a citizen asks for: `items`, the first of them first, in a slot of a hall.

    `hold`: keep it for some minutes until she confirms. `proxy` is through which she books for
    somebody else.
    """

    hall: str
    items: Sequence[str]
    slot_start: datetime
    hold: bool = False
    proxy: UUID | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom the hall itself books: she stands at its desk, or telephones.

    Her account, or the key of her number where she has none, and what is kept of her then.
    """

    whose: Whose
    born: date | None = field(repr=False)
    shown_as: str | None = None
    # Sealed for the appointment with this id.
    appointment_id: UUID | None = None
    name: bytes | None = field(default=None, repr=False)
    phone: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Booking:
    """A wish, read: what is to be booked, for whom and when."""

    hall: HallEntry
    items: tuple[ItemEntry, ...]
    # Which lines serve them, one for each.
    lines: tuple[LineEntry, ...]
    who: Principal
    now: datetime
    directory: Directory
    acting: Acting | None = None
    caller: Caller | None = None

    @property
    def whose(self) -> Whose:
        """Whose appointment it will be."""
        if self.caller is not None:
            return self.caller.whose
        if self.acting is None:
            return Whose(self.who.id)
        return Whose(
            self.acting.principal_id, self.who.id, self.acting.proxy_id, self.acting.person_key
        )

    @property
    def is_company(self) -> bool:
        """Whether it is for a company."""
        return self.acting is not None and self.acting.kind is ProxyKind.COMPANY

    @property
    def born(self) -> date | None:
        """When whom it is for was born, by the number that was given for her, if one was."""
        if self.caller is not None:
            return self.caller.born
        return self.acting.born if self.acting else None

    @property
    def had_elders_place(self) -> bool:
        """Whether one kept for elders was hers until now."""
        return False

    @property
    def level_required(self) -> int:
        """The highest level that any of the items asks for."""
        return max(item.level_required for item in self.items)

    @property
    def by_hall(self) -> bool:
        """Whether the hall itself books, or moves, for whom it is."""
        return self.who.kind is not PersonKind.CITIZEN

    @property
    def actor(self) -> Actor:
        """Who books, as events tell it."""
        return Actor(self.who.kind.value, self.who.id)


@dataclass(frozen=True, slots=True)
class Places:
    """Slots one after the other that may be booked, and the part of them that is hers to book.

    `items` are in the order in which they are done there, the first in `line`.
    """

    run: tuple[SlotAt, ...]
    part: Part
    items: tuple[ItemEntry, ...]
    line: LineEntry

    @property
    def ids(self) -> tuple[UUID, ...]:
        """The slots' ids."""
        return tuple(slot.id for slot in self.run)


def read_wish(wish: Wish, who: Principal, now: datetime, directory: Directory) -> Booking:
    """What is to be booked. Raises NotFound, NotOffered, NotBookable or SlotClosed."""
    hall = directory.hall(wish.hall)
    items, lines = read_items(hall, wish.items, directory)
    check_time(hall, wish.slot_start, now)
    return Booking(hall, items, lines, who, now, directory)


def read_items(
    hall: HallEntry, codes: Sequence[str], directory: Directory
) -> tuple[tuple[ItemEntry, ...], tuple[LineEntry, ...]]:
    """Items in the order in which they can be done, and the lines that serve them at a hall.

    Raises NotFound, NotOffered or NotBookable.
    """
    items = in_order([directory.item(each) for each in codes])
    lines = tuple(line_for(hall, item) for item in items)
    if not all(item.bookable for item in items):
        raise NotBookable
    return items, lines


def check_time(hall: HallEntry, slot_start: datetime, now: datetime) -> None:
    """Raise SlotClosed, saying why, for a moment that is not to be booked now."""
    if slot_start <= now:
        raise SlotClosed(("该时段已过。", "This slot is past."))
    if now > closes_at(slot_start, hall.booking):
        minutes = hall.booking.book_before_min
        raise SlotClosed(
            (
                f"该时段开始前 {minutes} 分钟停止预约。",
                f"A slot can be booked until {minutes} minutes before it begins.",
            )
        )
    last = last_day(hall, business_day(now))
    if business_day(slot_start) > last:
        raise SlotClosed(
            (f"目前最远可约 {last:%m月%d日}。", f"Bookings are open up to {last:%Y-%m-%d}.")
        )
