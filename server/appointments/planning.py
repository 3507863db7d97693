"""Slots are planned ahead: from hours, counters, pace and share, as each hall's rules say.

Planned again they come out the same, and what managers said by hand stays. Where hours changed,
bookings that no longer fit are marked, listed, and offered another slot; none is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from models import matter_notices, planning
from models.database import Transaction, transaction
from models.planning import PlannedSlot
from scheduler.calendar import (
    Opening,
    Span,
    Timetable,
    business_day,
    cut_into,
    last_bookable,
    spans_within,
    uncovered_years,
)
from scheduler.capacity import Cell, NoShows, Places, overbooking, parts, places
from server.clock import microseconds
from server.halls.directory import Directory, HallEntry, ItemEntry

log = structlog.get_logger()

QUARTER_MIN: Final = 15
_NO_ITEM: Final = UUID(int=0)
WalkIns = Mapping[tuple[UUID, int, int], float]
NO_WALK_INS: Final[WalkIns] = {}


@dataclass(frozen=True, slots=True)
class Learned:
    """What earlier days tell: who stays away, and who comes to this hall without booking."""

    no_shows: NoShows
    walk_ins: WalkIns


@dataclass(frozen=True, slots=True)
class Plan:
    """What the slots of a line, or of one of its items, are made of."""

    hall: HallEntry
    line_id: UUID
    item_id: UUID | None
    slot_min: int
    counters: float
    minutes: float
    share_percent: int
    places: int | None
    elders_percent: int
    companies_percent: int
    desk_percent: int
    hours: Timetable | None
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replanned:
    """What planning a hall anew has changed: so many slots, and these bookings fit no more."""

    slots: int = 0
    must_move: tuple[UUID, ...] = ()


async def plan_hall(
    hall: HallEntry,
    *,
    now: datetime,
    directory: Directory,
    no_shows: NoShows,
    walk_ins: WalkIns = NO_WALK_INS,
    wait: bool = False,
) -> Replanned:
    """Plan the hall's slots from now to its horizon.

    Nothing where somebody else does just now, unless it is to `wait`: what that one has read may be
    older than what a manager has just said.
    """
    changed, keep = 0, []
    async with transaction() as tx:
        if not await planning.take_turn(tx, hall.id, wait=wait):
            return Replanned()
        for plan in await _plans(tx, hall, directory):
            slots = list(_slots(plan, now, Learned(no_shows, walk_ins)))
            changed += await planning.write(tx, hall.id, plan.line_id, plan.item_id, slots)
            keep += [(plan.line_id, plan.item_id, slot.starts_at) for slot in slots]
        changed += await planning.close_others(tx, hall.id, keep, now)
    async with transaction() as tx:
        moved = await planning.mark_unfitting(tx, hall.id, now, microseconds())
        if moved:
            ids = [row["id"] for row in moved]
            await matter_notices.write_must_move(tx, ids, now=now)
    return Replanned(changed, tuple(row["id"] for row in moved))


def warn_of_years(directory: Directory, now: datetime) -> list[int]:
    """The years that may be booked already whose holidays nobody knows; said in the log, too."""
    today = business_day(now)
    furthest = max((last_day(hall, today) for hall in directory.halls.values()), default=today)
    if years := uncovered_years(today, furthest):
        log.warning("holidays_not_known", years=years, package="chinesecalendar")
    return years


def last_day(hall: HallEntry, today: date) -> date:
    """The last day that may be booked at a hall today."""
    return last_bookable(hall.timetable, today, hall.booking.book_working_days)


async def _plans(tx: Transaction, hall: HallEntry, directory: Directory) -> list[Plan]:
    serving = planning.serving(await planning.counters_of(tx, hall.id))
    said = {(row["line_id"], row["item_id"]): row for row in await planning.plans_of(tx, hall.id)}
    plans = []
    for code, line in hall.lines.items():
        served = [directory.item(item) for item, by in hall.offers.items() if by == code]
        bookable = [item for item in served if item.bookable]
        for item in bookable:
            if row := said.get((line.id, item.id)):
                plans.append(_plan(row, hall, line.id, item.id, items=[item], counters=1.0))
        if rest := [item for item in bookable if (line.id, item.id) not in said]:
            usual = said.get((line.id, None), {})
            plans.append(_plan(usual, hall, line.id, None, items=rest, counters=serving[code]))
    # As everybody locks slots who locks several.
    return sorted(plans, key=lambda plan: (plan.line_id, plan.item_id or _NO_ITEM))


def _plan(
    said: Mapping[str, Any],
    hall: HallEntry,
    line_id: UUID,
    item_id: UUID | None,
    *,
    items: Sequence[ItemEntry],
    counters: float,
) -> Plan:
    rules = hall.booking

    def of(name: str, usual: Any) -> Any:
        value = said.get(name)
        return usual if value is None else value

    return Plan(
        hall=hall,
        line_id=line_id,
        item_id=item_id,
        slot_min=of("slot_min", rules.slot_min),
        counters=of("counters", counters),
        minutes=sum(item.minutes for item in items) / len(items),
        share_percent=of("share_percent", rules.book_share_percent),
        places=said.get("places"),
        elders_percent=of("elders_percent", rules.elders_percent),
        companies_percent=of("companies_percent", rules.companies_percent),
        desk_percent=of("desk_percent", rules.desk_percent),
        hours=_hours(said.get("hours")),
        items=tuple(item.code for item in items),
    )


def _hours(kept: str | None) -> Timetable | None:
    if kept is None:
        return None
    rows = msgspec.json.decode(kept, type=list[tuple[int, int, int]] | None)
    if rows is None:
        return None
    return Timetable(
        tuple(
            Opening(day, time(start // 60, start % 60), time(end // 60 % 24, end % 60))
            for day, start, end in rows
        )
    )


def _slots(plan: Plan, now: datetime, learned: Learned) -> Sequence[PlannedSlot]:
    hall, today = plan.hall, business_day(now)
    length, last = timedelta(minutes=plan.slot_min), last_day(hall, today)
    days = map(date.fromordinal, range(today.toordinal(), last.toordinal() + 1))
    return [
        _slot(plan, span, now, learned)
        for day in days
        for span in cut_into(spans_within(hall.timetable, plan.hours, day), length)
        if span.start > now
    ]


def _slot(plan: Plan, span: Span, now: datetime, learned: Learned) -> PlannedSlot:
    keep_for = timedelta(hours=plan.hall.booking.keep_parts_h)
    found = _places(plan, keep_parts=span.start - now > keep_for)
    return PlannedSlot(
        starts_at=span.start,
        ends_at=span.end,
        planned=found.capacity,
        overbooking=_overbooking(plan, span, learned.no_shows, found.capacity),
        for_elders=found.elders,
        for_companies=found.companies,
        for_desk=found.desk,
        serves=round(plan.counters * plan.slot_min / plan.minutes, 2),
        walk_ins=_walk_ins(plan, span, learned.walk_ins),
    )


def _walk_ins(plan: Plan, span: Span, walk_ins: WalkIns) -> float:
    """How many come in this time without booking, by the quarters of an hour that it touches."""
    quarter, minute = QUARTER_MIN, span.start.hour * 60 + span.start.minute
    touched = range(minute // quarter, -(-(minute + plan.slot_min) // quarter))
    usual = (
        walk_ins.get((plan.line_id, span.start.weekday(), nth), 0.0)
        * (min((nth + 1) * quarter, minute + plan.slot_min) - max(nth * quarter, minute))
        / quarter
        for nth in touched
    )
    return round(sum(usual), 2)


def _places(plan: Plan, *, keep_parts: bool) -> Places:
    kept = (plan.elders_percent, plan.companies_percent, plan.desk_percent)
    elders, companies, desk = kept if keep_parts else (0, 0, 0)
    if plan.places is not None:
        return parts(plan.places, elders, companies, desk)
    return places(
        plan.counters,
        plan.minutes,
        plan.slot_min,
        plan.share_percent,
        elders_percent=elders,
        companies_percent=companies,
        desk_percent=desk,
    )


def _overbooking(plan: Plan, span: Span, no_shows: NoShows, capacity: int) -> int:
    expected = [
        no_shows.expected(Cell(plan.hall.code, item, span.start.weekday(), span.start.hour))
        for item in plan.items
    ]
    return overbooking(
        capacity,
        sum(expected) / len(expected),
        most_percent=plan.hall.booking.overbook_percent,
        chance=plan.hall.booking.overflow_permille / 1000,
    )
