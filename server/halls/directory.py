"""The city's reference data in memory: halls, lines, hours, items.

It changes rarely: whoever holds it asks now and then for a newer one, and swaps the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

import msgspec

from scheduler.booking import BookingRules
from scheduler.calendar import Timetable
from scheduler.discipline import Rules
from scheduler.places import Place
from scheduler.residence import takes
from server.errors import NotFound


@dataclass(frozen=True, slots=True)
class LineEntry:
    """A line of a hall."""

    id: UUID
    code: str
    name: str
    name_en: str


@dataclass(frozen=True, slots=True)
class HallEntry:
    """A hall with everything about it that does not change by the minute.

    `offers` maps the code of each item to the code of the line that serves it here.
    """

    id: UUID
    code: str
    name: str
    name_en: str
    level: str
    address: str
    phone: str
    place: Place | None
    remote_radius_m: int
    timetable: Timetable
    lines: Mapping[str, LineEntry]
    offers: Mapping[str, str]
    # The halls above it: the one it belongs to, and so on up to the city's.
    above: frozenset[str] = frozenset()
    rules: Rules = field(default_factory=Rules)
    booking: BookingRules = field(default_factory=BookingRules)


@dataclass(frozen=True, slots=True)
class MaterialEntry:
    """A paper or file an item needs."""

    name: str
    name_en: str
    kind: str
    copies: int
    required: bool
    note: str
    note_en: str


@dataclass(frozen=True, slots=True)
class ItemEntry:
    """An item of the catalogue. `fee_fen` is in fen, `minutes` the usual time at the counter."""

    id: UUID
    code: str
    official_code: str
    name: str
    name_en: str
    department: str
    department_name: str
    department_name_en: str
    theme: str
    theme_name: str
    audience: tuple[str, ...]
    guide: str
    guide_en: str
    fee_fen: int
    level_required: int
    bookable: bool
    minutes: int
    residents_of: str
    materials: tuple[MaterialEntry, ...]
    # What people call it: found by, never shown.
    aliases: tuple[str, ...] = ()
    # The codes of the items that must be done before.
    requires: tuple[str, ...] = ()
    # Empty where its city was sown before themes had one.
    theme_name_en: str = ""
    # Its fee is to be paid before one is called.
    pay_first: bool = False


class Choice(msgspec.Struct, frozen=True):
    """An answer that may be chosen in a form."""

    value: str
    name: str
    name_en: str


class FormField(msgspec.Struct, frozen=True):
    """A field of a bundle's form. `most` is how many characters it takes."""

    code: str
    name: str
    name_en: str
    kind: Literal["text", "date", "past_date", "choice", "id_number", "phone"]
    required: bool
    most: int
    choices: tuple[Choice, ...] = ()


class BundleStop(msgspec.Struct, frozen=True):
    """An item of a bundle, and those of its items that come before it."""

    item: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """A bundle 一件事: items in their usual order, and one form for all of them."""

    code: str
    name: str
    name_en: str
    guide: str
    guide_en: str
    stops: tuple[BundleStop, ...]
    form: tuple[FormField, ...]


@dataclass(frozen=True)
class Directory:
    """All halls and items by code; halls in the order of their codes."""

    halls: Mapping[str, HallEntry]
    items: Mapping[str, ItemEntry]
    # Differs when the rows that it was read from do.
    mark: str = ""
    bundles: Mapping[str, BundleEntry] = field(default_factory=dict)
    # The halls that have a place.
    placed: tuple[HallEntry, ...] = field(init=False)
    # What items may be searched by.
    themes: tuple[str, ...] = field(init=False)
    audiences: tuple[str, ...] = field(init=False)
    _items_by_id: Mapping[UUID, ItemEntry] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        placed = tuple(hall for hall in self.halls.values() if hall.place is not None)
        object.__setattr__(self, "placed", placed)
        items = self.items.values()
        themes = tuple(sorted({item.theme for item in items}))
        object.__setattr__(self, "themes", themes)
        audiences = tuple(sorted({whom for item in items for whom in item.audience}))
        object.__setattr__(self, "audiences", audiences)
        object.__setattr__(self, "_items_by_id", {item.id: item for item in items})

    @property
    def codes(self) -> list[str]:
        """The halls' codes."""
        return list(self.halls)

    def hall(self, code: str) -> HallEntry:
        """The hall of that code. Raises NotFound."""
        try:
            return self.halls[code]
        except KeyError:
            raise NotFound(("没有这个大厅。", "There is no such hall.")) from None

    def takes(self, hall: HallEntry, item: "ItemEntry", home: str) -> bool:
        """Whether a hall takes residents of a place, named by its hall's code, for an item."""
        above = [self.halls[code] for code in hall.above if code in self.halls]
        above_home = self.halls[home].above if home in self.halls else ()
        return takes(hall, above, item.residents_of, home=home, above_home=above_home)

    def item(self, code: str) -> ItemEntry:
        """The item of that code. Raises NotFound."""
        try:
            return self.items[code]
        except KeyError:
            raise NotFound(("没有这个事项。", "There is no such item.")) from None

    def bundle(self, code: str) -> BundleEntry:
        """The bundle of that code. Raises NotFound."""
        try:
            return self.bundles[code]
        except KeyError:
            raise NotFound(("没有这个一件事。", "There is no such bundle.")) from None

    def hall_by_id(self, hall_id: UUID) -> HallEntry:
        """The hall of that id; halls are never deleted."""
        return next(hall for hall in self.halls.values() if hall.id == hall_id)

    def item_by_id(self, item_id: UUID) -> ItemEntry:
        """The item of that id; items are never deleted."""
        return self._items_by_id[item_id]

    def known_item(self, item_id: UUID) -> ItemEntry | None:
        """The item of that id; None where it is newer than this directory."""
        return self._items_by_id.get(item_id)
