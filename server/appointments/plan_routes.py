"""Slots planned by a hall's managers, over HTTP: how many, how long, for whom, one by one."""

from datetime import datetime, time
from typing import Annotated, Any
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models import slot_plans
from models.audit import Entry, record
from models.database import transaction
from models.tickets import Actor
from scheduler.calendar import BadTimetable, Opening
from server.appointments.asked import with_offset
from server.appointments.planning import Replanned, plan_hall
from server.appointments.refusals import NotBookable, SlotClosed
from server.appointments.slot_routes import slot_book
from server.auth import HALL_ADMIN, Principal
from server.errors import FieldFault, InvalidRequest, NotFound
from server.halls.directory import HallEntry
from server.http.endpoint import endpoint
from server.http.formats import ClockTime
from server.lines.looking import line_of
from server.numbers.refusals import NotOffered
from server.services import services

bp = Blueprint("slot-plans", url_prefix="/api/v1")
LineCode = Annotated[str, msgspec.Meta(min_length=1, max_length=4)]
ItemCode = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
_NEVER_ENDS = ("结束时间应晚于开始时间。", "must end after it starts")
_OVERLAPS = ("与当天其他时间重叠。", "begins before others of that day are over")
_OVER = ("各比例之和不能超过 100。", "all together are at most 100")


class OpenHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When on a weekday (0 is Monday) it may be booked; `to` 00:00 is the day's end."""

    weekday: Annotated[int, msgspec.Meta(ge=0, le=6)]
    start: ClockTime = msgspec.field(name="from")
    to: ClockTime


class SlotPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How slots are planned; what is left out is as usual, by the hall's rules.

    `counters` are how many serve it, `share_percent` which part of what they can serve is booked;
    `places` says instead how many places each slot has. `elders_percent` and `companies_percent`
    are kept for these, `desk_percent` for whom the hall books at its desk or by telephone. `hours`
    are when it may be booked, while the hall is open: null, or left out, whenever the hall is open;
    an empty list never, so that it is not booked any more until planned otherwise.
    """

    slot_min: Annotated[int, msgspec.Meta(ge=5, le=240)] | None = None
    counters: Annotated[int, msgspec.Meta(ge=0, le=200)] | None = None
    share_percent: Percent | None = None
    places: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None
    elders_percent: Percent | None = None
    companies_percent: Percent | None = None
    desk_percent: Percent | None = None
    hours: Annotated[list[OpenHours], msgspec.Meta(max_length=28)] | None = None


class LinePlan(SlotPlan, frozen=True, kw_only=True):
    """How the slots of a line are planned, or of one of its items apart."""

    line: str
    item: str | None


class LinePlans(msgspec.Struct, frozen=True):
    """What is planned otherwise than usual."""

    data: list[LinePlan]
    next_cursor: str | None = None


class PlanToSet(SlotPlan, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to plan the slots of a line, or of one of its items apart."""

    item: ItemCode | None = None


class PlanQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which of the line's items apart."""

    item: ItemCode | None = None


class Planned(msgspec.Struct, frozen=True):
    """What this has changed.

    `slots_changed`: so many slots were made, changed or closed; none where all were so already.
    `must_move`: so many bookings of the hall now fit no more and did before. They keep their places
    and are asked to move; `GET …/appointments?must_move=true` lists all there are.
    """

    slots_changed: int
    must_move: int


class OneSlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many places in one slot, 0 to close it; null leaves it to planning again."""

    line: LineCode
    start: datetime
    places: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None
    item: ItemCode | None = None


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/slot-plans",
    summary=("时段计划", "How slots are planned"),
    tag="appointments",
    guard=HALL_ADMIN,
    returns=LinePlans,
    refuses=[NotFound],
)
async def list_plans(request: Request, who: Principal, hall: str) -> LinePlans:
    """What managers of the hall planned otherwise than its rules say."""
    entry = services(request).directory.hall(hall)
    return LinePlans([_plan(row) for row in await slot_plans.plans(entry.id)])


@endpoint(
    bp,
    "PUT",
    "/halls/<hall:str>/slot-plans/<line:str>",
    summary=("设置时段计划", "Plan slots"),
    tag="appointments",
    guard=HALL_ADMIN,
    body=PlanToSet,
    returns=Planned,
    refuses=[NotFound, NotOffered, NotBookable],
)
async def set_plan(
    request: Request, who: Principal, hall: str, line: str, body: PlanToSet
) -> Planned:
    """Plan the slots of a line, or of one of its items, so from now on. It is recorded."""
    room = services(request)
    entry = room.directory.hall(hall)
    line_id, item_id = line_of(entry, line).id, _item_of(request, entry, line, body.item)
    if body.item is not None and not room.directory.item(body.item).bookable:
        raise NotBookable
    _check(body)
    values = {name: getattr(body, name) for name in slot_plans.PLANNED_BY_HAND}
    async with transaction() as tx:
        await slot_plans.set_plan(tx, entry.id, line_id, item_id, values=values, hours=_hours(body))
        said = {name: value for name, value in values.items() if value is not None}
        entry_of = {"hall": hall, "item": body.item, "hours": body.hours is not None}
        actor = Actor("staff", who.id)
        await record(
            tx, Entry(actor, "slot_plan.set", "line", line_id, detail={**entry_of, **said})
        )
    return await _replanned(request, entry)


@endpoint(
    bp,
    "DELETE",
    "/halls/<hall:str>/slot-plans/<line:str>",
    summary=("恢复常规计划", "Plan as usual"),
    tag="appointments",
    guard=HALL_ADMIN,
    query=PlanQuery,
    returns=Planned,
    refuses=[NotFound, NotOffered],
)
async def drop_plan(
    request: Request, who: Principal, hall: str, line: str, query: PlanQuery
) -> Planned:
    """Plan the slots of a line, or of one of its items, by the hall's rules again."""
    entry = services(request).directory.hall(hall)
    line_id, item_id = line_of(entry, line).id, _item_of(request, entry, line, query.item)
    async with transaction() as tx:
        if not await slot_plans.drop_plan(tx, line_id, item_id):
            raise NotFound
        detail = {"hall": hall, "item": query.item}
        actor = Actor("staff", who.id)
        await record(tx, Entry(actor, "slot_plan.dropped", "line", line_id, detail=detail))
    return await _replanned(request, entry)


@endpoint(
    bp,
    "PUT",
    "/halls/<hall:str>/slots",
    summary=("调整单个时段", "Set one slot"),
    tag="appointments",
    guard=HALL_ADMIN,
    body=OneSlot,
    returns=Planned,
    refuses=[NotFound, NotOffered, SlotClosed],
)
async def set_slot(request: Request, who: Principal, hall: str, body: OneSlot) -> Planned:
    """Give one slot other places than planned, or close it. Nobody who booked loses her place."""
    room = services(request)
    entry, start = room.directory.hall(hall), with_offset(body.start, at="/start")
    if start <= room.clock.now():
        raise SlotClosed(("该时段已过。", "This slot is past."))
    line_id, item_id = line_of(entry, body.line).id, _item_of(request, entry, body.line, body.item)
    async with transaction() as tx:
        found = await slot_plans.override(tx, line_id, item_id, start, body.places)
        if found is None:
            raise SlotClosed(("没有这个时段。", "There is no such slot."))
        slot_id, changed = found
        actor, detail = Actor("staff", who.id), {"hall": hall, "places": body.places}
        await record(tx, Entry(actor, "slot.set", "slot", slot_id, detail=detail))
    planned = await _replanned(request, entry)
    return Planned(planned.slots_changed + changed, planned.must_move)


async def _replanned(request: Request, hall: HallEntry) -> Planned:
    room = services(request)
    now, habits = room.clock.now(), request.app.ctx.habits
    found: Replanned = await plan_hall(
        hall,
        now=now,
        directory=room.directory,
        no_shows=await habits.no_shows(now),
        walk_ins=await habits.walk_ins(hall, now),
        wait=True,
    )
    await slot_book(request).changed(halls=[hall.id])
    return Planned(found.slots, len(found.must_move))


def _item_of(request: Request, hall: HallEntry, line: str, item: str | None) -> UUID | None:
    if item is None:
        return None
    entry = services(request).directory.item(item)
    if hall.offers.get(item) != line:
        raise NotOffered
    return entry.id


def _check(body: SlotPlan) -> None:
    faults = []
    kept = (body.elders_percent, body.companies_percent, body.desk_percent)
    if sum(each or 0 for each in kept) > 100:
        faults.append(FieldFault("/companies_percent", _OVER))
    for nth, hours in enumerate(body.hours or ()):
        try:
            Opening(hours.weekday, time.fromisoformat(hours.start), time.fromisoformat(hours.to))
        except BadTimetable:
            faults.append(FieldFault(f"/hours/{nth}/to", _NEVER_ENDS))
    faults += [FieldFault(f"/hours/{nth}/from", _OVERLAPS) for nth in _overlapping(body)]
    if faults:
        raise InvalidRequest(errors=faults)


def _overlapping(body: SlotPlan) -> list[int]:
    """Which of its hours begin before others of their day are over."""
    found, ends = [], dict[int, int]()
    hours = enumerate(body.hours or ())
    for nth, each in sorted(hours, key=lambda one: (one[1].weekday, one[1].start)):
        if _minute(each.start) < ends.get(each.weekday, 0):
            found.append(nth)
        ends[each.weekday] = max(ends.get(each.weekday, 0), _minute(each.to) or 24 * 60)
    return sorted(found)


def _hours(body: SlotPlan) -> str | None:
    if body.hours is None:
        return None
    found = [
        (each.weekday, _minute(each.start), _minute(each.to) or 24 * 60) for each in body.hours
    ]
    return msgspec.json.encode(found).decode()


def _minute(said: str) -> int:
    return int(said[:2]) * 60 + int(said[3:5])


def _plan(row: Any) -> LinePlan:
    kept = msgspec.json.decode(row["hours"] or "null", type=list[tuple[int, int, int]] | None)
    return LinePlan(
        line=row["line"],
        item=row["item"],
        hours=None if kept is None else [_open_hours(*each) for each in kept],
        **{name: row[name] for name in slot_plans.PLANNED_BY_HAND},
    )


def _open_hours(day: int, start: int, end: int) -> OpenHours:
    return OpenHours(day, _clock(start), _clock(end))


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"
