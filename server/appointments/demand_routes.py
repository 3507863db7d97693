"""For managers: who does not come, and where longer hours or a weekend are worth it."""

from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models import demand, planning
from models.database import transaction
from scheduler.calendar import SHANGHAI, business_day, last_close, open_spans
from scheduler.capacity import Came, Cell, NoShows
from scheduler.extending import DayWanted, Proposal, propose
from server.appointments.habits import LEARN_FROM
from server.appointments.planning import last_day
from server.auth import WATCHES_HALL, Principal
from server.errors import NotFound
from server.halls.directory import Directory, HallEntry
from server.http.endpoint import endpoint
from server.numbers.giving import line_for
from server.numbers.refusals import NotOffered
from server.services import services

bp = Blueprint("booking-demand", url_prefix="/api/v1")
ItemCode = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
# Proposals rest on these weeks, and on the days that may be booked already.
LOOK_BACK: Final = timedelta(weeks=4)
_WEEKEND_OPENS: Final = 9 * 60


class NoShowQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Item by item; with `item` that one, by weekday and hour."""

    item: ItemCode | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 100
    cursor: ItemCode | None = None


class NoShowRate(msgspec.Struct, frozen=True, kw_only=True):
    """Of `expected` people `missed` did not come; `weekday` 0 is Monday, null: whenever.

    `rate` is what is expected of the next: where few were expected it leans on the item's rate,
    that on the hall's, and that on the city's.
    """

    item: str
    weekday: int | None
    hour: int | None
    expected: int
    missed: int
    rate: float


class NoShowRates(msgspec.Struct, frozen=True, kw_only=True):
    """A hall's no-shows since a day: all together, then item by item, or hour by hour of one."""

    hall: str
    since: date
    expected: int
    missed: int
    rate: float
    data: list[NoShowRate]
    next_cursor: str | None


class HoursProposal(msgspec.Struct, frozen=True, kw_only=True):
    """Open a line longer on a weekday, or on a day of the weekend, from `start` to `end`.

    First on `first_day`, by `minutes`, with as many `counters` as it has now. What it rests on: of
    `days` looked at, on `days_over` more wanted to come than fit. The rest are people on a mean
    day, for a weekend in a mean week: `booked` had a place, `unmet` waited for one in vain,
    `walk_ins` came without; `serves` is how many the counters can serve, `short` how many wanted to
    come beyond that (for a weekend: beyond longer weekdays, too), and `would_serve` how many of
    these the added time would.
    """

    kind: Literal["longer", "weekend"]
    line: str
    weekday: int
    first_day: date
    start: datetime
    end: datetime
    minutes: int
    counters: float
    days: int
    days_over: int
    booked: float
    unmet: float
    walk_ins: float
    serves: float
    short: float
    would_serve: float


class HoursProposals(msgspec.Struct, frozen=True, kw_only=True):
    """Proposals line by line; none where what is wanted fits. They rest on these days."""

    since: date
    until: date
    data: list[HoursProposal]
    next_cursor: str | None = None


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/no-shows",
    summary=("爽约率", "No-show rates"),
    tag="appointments",
    guard=WATCHES_HALL,
    query=NoShowQuery,
    returns=NoShowRates,
    refuses=[NotFound, NotOffered],
)
async def list_no_shows(
    request: Request, who: Principal, hall: str, query: NoShowQuery
) -> NoShowRates:
    """How many did not come, by item, or by weekday and hour of one; overbooking rests on it."""
    room = services(request)
    entry = room.directory.hall(hall)
    if query.item is not None:
        line_for(entry, room.directory.item(query.item))
    since = room.clock.now() - LEARN_FROM
    city = await demand.came_anywhere(since)
    seen = {
        Cell(hall, row["item"], row["weekday"], row["hour"]): Came(row["expected"], row["missed"])
        for row in await demand.came_to(entry.id, since)
    }
    rates = NoShows(seen, Came(city["expected"], city["missed"]))
    if query.item is not None:
        found, more = _by_hour(rates, seen, query.item), None
    else:
        listed = _by_item(rates, seen, hall)
        listed = [one for one in listed if query.cursor is None or one.item > query.cursor]
        found = listed[: query.limit]
        more = found[-1].item if len(listed) > query.limit else None
    whole = Came(sum(c.expected for c in seen.values()), sum(c.missed for c in seen.values()))
    return NoShowRates(
        hall=hall,
        since=business_day(since),
        expected=whole.expected,
        missed=whole.missed,
        rate=round(rates.of_hall(hall), 4),
        data=found,
        next_cursor=more,
    )


def _by_item(rates: NoShows, seen: dict[Cell, Came], hall: str) -> list[NoShowRate]:
    items: dict[str, Came] = {}
    for cell, came in seen.items():
        so_far = items.get(cell.item, Came(0, 0))
        items[cell.item] = Came(so_far.expected + came.expected, so_far.missed + came.missed)
    return [
        NoShowRate(
            item=item,
            weekday=None,
            hour=None,
            expected=came.expected,
            missed=came.missed,
            rate=round(rates.of_item(hall, item), 4),
        )
        for item, came in sorted(items.items())
    ]


def _by_hour(rates: NoShows, seen: dict[Cell, Came], item: str) -> list[NoShowRate]:
    return [
        NoShowRate(
            item=item,
            weekday=cell.weekday,
            hour=cell.hour,
            expected=came.expected,
            missed=came.missed,
            rate=round(rates.expected(cell), 4),
        )
        for cell, came in seen.items()
        if cell.item == item
    ]


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/hours-proposals",
    summary=("延时与周末服务建议", "Proposals for longer hours"),
    tag="appointments",
    guard=WATCHES_HALL,
    returns=HoursProposals,
    refuses=[NotFound],
)
async def list_proposals(request: Request, who: Principal, hall: str) -> HoursProposals:
    """Where more want to come than fit: which weekday to open longer, or that a Saturday is worth.

    It rests on the last four weeks and on the days that may be booked already, each line by itself.
    """
    room = services(request)
    entry, today = room.directory.hall(hall), business_day(room.clock.now())
    first, last = today - LOOK_BACK, last_day(entry, today)
    by_line: dict[UUID, list[DayWanted]] = {}
    for row in await demand.wanted_at(entry.id, first, last, today):
        wanted = [float(row[name]) for name in ("serves", "booked", "unmet", "walk_ins")]
        by_line.setdefault(row["line_id"], []).append(DayWanted(row["day"], *wanted))
    async with transaction() as tx:
        serving = planning.serving(await planning.counters_of(tx, entry.id))
    data = []
    for code, line in sorted(entry.lines.items()):
        found = propose(
            by_line.get(line.id, []),
            counters=serving[code],
            minutes=_usual_minutes(entry, code, room.directory),
            opens=_opens(entry),
        )
        data += [_view(one, entry, code, serving[code], today) for one in found]
    return HoursProposals(since=first, until=last, data=data)


def _opens(hall: HallEntry) -> set[int]:
    return {opening.weekday for opening in hall.timetable.weekly}


def _usual_minutes(hall: HallEntry, line: str, directory: Directory) -> float:
    items = [directory.item(item) for item, by in hall.offers.items() if by == line]
    bookable = [item.minutes for item in items if item.bookable]
    return sum(bookable) / len(bookable) if bookable else 0.0


def _view(
    found: Proposal, hall: HallEntry, line: str, counters: float, today: date
) -> HoursProposal:
    day = _first_day(found, hall, today)
    start = last_close(hall.timetable, day) if found.kind == "longer" else None
    if start is None:
        start = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
        start += timedelta(minutes=_WEEKEND_OPENS)
    return HoursProposal(
        kind=found.kind,
        line=line,
        weekday=found.weekday,
        first_day=day,
        start=start,
        end=start + timedelta(minutes=found.minutes),
        minutes=found.minutes,
        counters=round(counters, 2),
        days=found.days,
        days_over=found.days_over,
        booked=found.booked,
        unmet=found.unmet,
        walk_ins=found.walk_ins,
        serves=found.serves,
        short=found.short,
        would_serve=found.would_serve,
    )


def _first_day(found: Proposal, hall: HallEntry, today: date) -> date:
    """The next such weekday on which the hall opens, or for a weekend does not."""
    ahead = [today + timedelta(days=nth) for nth in range(1, 29)]
    same = [day for day in ahead if day.weekday() == found.weekday]
    fit = [day for day in same if bool(open_spans(hall.timetable, day)) == (found.kind == "longer")]
    return (fit or same)[0]
