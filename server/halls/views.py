"""What the halls' and items' routes answer, and what they take."""

from datetime import date, datetime
from typing import Annotated, Final, Literal

import msgspec

from scheduler.ordering import Rank
from scheduler.places import Datum
from scheduler.residence import ResidentsOf
from scheduler.travel import Travel
from server.live.state import LiveLine, Wait

MOST_LISTED: Final = 100
Level = Literal["city", "town", "village"]


class PlaceView(msgspec.Struct, frozen=True):
    """A place in degrees; `datum` says in which coordinates."""

    lat: float
    lng: float
    datum: Datum


class Links(msgspec.Struct, frozen=True):
    """Where a phone can open navigation to the hall."""

    wechat: str | None
    alipay: str | None
    amap: str | None


class AppointmentInstead(msgspec.Struct, frozen=True):
    """A slot still free at a hall, where by booking it she is done earlier than by waiting."""

    slot_start: datetime
    done_by: datetime


class HallSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A hall in a ranked list. Null means: not known.

    `wait` is that of somebody joining now, and `wait_basis` what it rests on: what happens there
    (`live`), what is usual (`usual`), or nothing (`none`; then it is null). `wait_on_arrival` is
    that of somebody who sets off now, a break that she arrives in included. `total` is until she is
    done: the way, the wait on arrival and the usual time at the counter. It is null too where she
    would not be served today any more. `travel_basis` says what `travel_s` rests on: an `estimate`
    by distance, or a `map` service. `appointment` is asked for with an `item` and a place: book it
    instead, and be done earlier; null where waiting is quicker, or nothing can be booked.
    """

    code: str
    name: str
    name_en: str
    level: str
    address: str
    place: PlaceView | None
    links: Links
    open: bool
    waiting: int | None
    wait_basis: Literal["live", "usual", "none"] = "none"
    wait: Wait | None = None
    wait_on_arrival: Wait | None = None
    total: Wait | None = None
    distance_m: int | None = None
    travel_s: int | None = None
    travel_basis: Literal["estimate", "map"] | None = None
    appointment: AppointmentInstead | None = None


class HallList(msgspec.Struct, frozen=True):
    """Halls in rank order."""

    as_of: datetime
    data: list[HallSummary]


class SpanView(msgspec.Struct, frozen=True):
    """Open from `start` until `end`."""

    start: datetime
    end: datetime


class DayView(msgspec.Struct, frozen=True, kw_only=True):
    """One day's hours. `calendar_known` false: holidays of that year are not published yet."""

    date: date
    kind: Literal["working", "weekend", "holiday", "makeup", "special"]
    name: str | None
    name_en: str | None
    calendar_known: bool
    open: list[SpanView]


class HoursView(msgspec.Struct, frozen=True):
    """Opening hours, a row a day."""

    data: list[DayView]
    next_cursor: None = None


class LineEnding(msgspec.Struct, frozen=True, kw_only=True):
    """A line that gives few numbers more today, or none now, and why: as in its live state."""

    code: str
    name: str
    name_en: str
    left_today: int | None
    stops_at: datetime | None
    reason_code: Literal["paused", "stopped", "day_full", "no_more_today"] | None
    reason: str | None
    reason_en: str | None


class HallDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one hall. `ending` are the lines that give few numbers more, or none."""

    code: str
    name: str
    name_en: str
    level: str
    address: str
    phone: str
    place: PlaceView | None
    links: Links
    open: bool
    opens_at: datetime | None
    closes_at: datetime | None
    waiting: int | None
    as_of: datetime | None
    remote_radius_m: int
    items: list[str]
    ending: list[LineEnding]


class LinesView(msgspec.Struct, frozen=True):
    """Live state of a hall's lines."""

    version: int
    as_of: datetime
    data: list[LiveLine]
    next_cursor: None = None


class NearQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to rank the halls. Without `lat` and `lng`, `nearest` is the order of the codes.

    `fastest` needs a place: it ranks by the way, the wait on arrival and the time at the counter.
    With `resident_of`, the code of a town's or village's hall, only halls that take its residents
    for the `item`.
    """

    lat: Annotated[float, msgspec.Meta(ge=-90, le=90, examples=[22.81899])] | None = None
    lng: Annotated[float, msgspec.Meta(ge=-180, le=180, examples=[113.67306])] | None = None
    datum: Datum = "gcj02"
    item: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    resident_of: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] | None = None
    level: Level | None = None
    rank: Rank = "nearest"
    within_m: Annotated[int, msgspec.Meta(ge=1, le=5_000_000)] | None = None
    open_now: bool = False
    travel: Travel = "drive"
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_LISTED)] = 50


class HoursQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """Which days; at most 92. The default is a week from today."""

    start: date | None = None
    to: date | None = None


class MaterialView(msgspec.Struct, frozen=True):
    """A paper or file to bring."""

    name: str
    name_en: str
    kind: Literal["original", "copy", "form", "photo", "electronic"]
    copies: int
    required: bool
    note: str
    note_en: str


class ItemSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An item in the catalogue's list.

    `residents_of`: a hall takes everybody (`anywhere`), or residents of its city, town or village.
    `pay_first`: its fee is to be paid before one is called, best while waiting.
    """

    code: str
    official_code: str
    name: str
    name_en: str
    department: str
    department_name: str
    department_name_en: str
    theme: str
    theme_name: str
    theme_name_en: str
    audience: list[str]
    fee_fen: int
    pay_first: bool
    level_required: int
    bookable: bool
    minutes: int
    residents_of: ResidentsOf


class ItemDetail(ItemSummary, frozen=True, kw_only=True):
    """An item with its guide, all its materials, and the halls that offer it.

    `requires` are items that must be done before.
    """

    guide: str
    guide_en: str
    requires: list[str]
    materials: list[MaterialView]
    halls: list[str]


class ItemPage(msgspec.Struct, frozen=True):
    """Items, a page at a time."""

    data: list[ItemSummary]
    next_cursor: str | None


class ItemQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Search the catalogue: words of the name or guide, a theme, whom it is for.

    An empty `q` finds everything, as an empty search field should.
    """

    q: Annotated[str, msgspec.Meta(max_length=60)] = ""
    theme: Annotated[str, msgspec.Meta(min_length=1, max_length=32)] | None = None
    audience: Annotated[str, msgspec.Meta(min_length=1, max_length=32)] | None = None
    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    cursor: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
