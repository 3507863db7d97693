"""An appointment as its own see it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args
from uuid import UUID

import msgspec

from models.appointments import HOLDING, AppointmentState, Pardon
from models.booking import whose
from models.database import Transaction, rows
from models.joined import HER_ID
from models.no_shows import MISSED_BEFORE
from models.proxies import TAKEN_FOR
from models.slot_departures import SLOT_WAY
from scheduler.booking import cancel_until, missed_at, until_blocked
from scheduler.calendar import SHANGHAI
from scheduler.leaving import CERTAINTY
from scheduler.travel import Travel
from server.appointments.holidays import warning_of
from server.appointments.papers import Material, materials_of
from server.appointments.prerequisites import Unfinished, unfinished
from server.halls.directory import Directory, HallEntry, ItemEntry
from server.live.reading import shown
from server.live.state import Leave, TakenFor


class _Way(msgspec.Struct, frozen=True):
    travel: Travel
    travel_s: int
    basis: Literal["estimate", "map"]
    lead_s: int
    told_at: datetime | None


_decode_way = msgspec.json.Decoder(_Way).decode
_decode_taken_for = msgspec.json.Decoder(TakenFor).decode
# Why it was cancelled though she did nothing: not for her did she not come, or accounts changed.
Excuse = Literal["hours_changed", "hall_closed", "line_closed", "service_down"]
# Those who are still to come.
OPEN: Final = frozenset({AppointmentState.HELD, AppointmentState.OFFERED, AppointmentState.BOOKED})


class StopAt(msgspec.Struct, frozen=True, kw_only=True):
    """What is done in one line: these items, from when to when there is a place for them."""

    line: str
    items: list[str]
    start: datetime
    end: datetime


class AppointmentView(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a slot of a hall. Times are Asia/Shanghai's.

    `held`: kept until `held_until`, then gone unless confirmed; `offered`: the same, for who waited
    for a place. `check_in_code` is what the QR code says that the hall reads. `cancel_until`: until
    then it may be given up or moved. One may check in from `check_in_from` to `check_in_until`.
    `must_move`: the hall's hours changed, and this slot is no more, or takes fewer people: it is to
    be moved (`reschedule`), whatever time it is, best to one of `move_to`,
    the free slots closest to it. `materials` is all to bring, `have` what she ticked off.
    `unfinished` is what is to be done before, as far as is known: nobody should come in vain.
    `stops` are where and when its places are, line by line, while it holds them.
    `ticket` is the number's, once checked in. Whoever misses `until_blocked` more, this one among
    them, may not book for `block_days` (null: it is over, or this hall does not block).
    `cancelled_for`: she did not come, and it is not counted, for the hall changed its hours or was
    closed, her line took nobody, or the service was down for minutes of the time to check in.
    `revision` rises with each step, for calendars that have it. `warning` (Chinese) and
    `warning_en`: why its day may yet turn out to be a day off, if it may.
    Who said where she is (`PUT /appointments/{id}/place`) reads here when to `leave`.
    """

    id: UUID
    state: AppointmentState
    hall: str
    line: str
    item: str
    items: list[str]
    slot_start: datetime
    slot_end: datetime
    check_in_code: str
    held_until: datetime | None
    made_at: datetime
    cancel_until: datetime
    check_in_from: datetime
    check_in_until: datetime
    must_move: bool
    move_to: list[datetime]
    pardon: Pardon | None
    ticket: UUID | None
    fee_fen: int
    materials: list[Material]
    unfinished: list[Unfinished]
    stops: list[StopAt]
    until_blocked: int | None
    block_days: int
    taken_for: TakenFor | None = msgspec.field(name="for")
    version: int
    warning: str | None = None
    warning_en: str | None = None
    revision: int = 0
    cancelled_for: Excuse | None = None
    leave: Leave | None = None


class AppointmentPage(msgspec.Struct, frozen=True):
    """Appointments, newest first, a page at a time."""

    data: list[AppointmentView]
    next_cursor: str | None


# Where its places are, told by them; of one item in one line the appointment itself says it.
PLACES: Final = """CASE WHEN cardinality(t.items) > 1 THEN (
               SELECT json_agg(json_build_array(s.line_id, s.item_id, s.starts_at, s.ends_at)
                               ORDER BY s.starts_at)
               FROM appointment_place p JOIN slot s ON s.id = p.slot_id
               WHERE p.appointment_id = t.id) END AS places"""
# Why an appointment was cancelled, as its last step says.
CANCELLED_FOR: Final = """CASE WHEN {one}.state = 'cancelled' THEN (
               SELECT e.detail FROM appointment_event e
               WHERE e.appointment_id = {one}.id ORDER BY e.id DESC LIMIT 1) END AS cancelled_for"""
_VIEW = """
    SELECT t.*, hall.code AS hall, line.code AS line, {taken_for}, {missed}, {places}, {way},
           {cancelled_for}
    FROM {which} t JOIN hall ON hall.id = t.hall_id JOIN line ON line.id = t.line_id
"""
_MORE: Final = {
    "taken_for": TAKEN_FOR,
    "missed": MISSED_BEFORE,
    "places": PLACES,
    "way": SLOT_WAY,
    "cancelled_for": CANCELLED_FOR.format(one="t"),
}
_ONE = _VIEW.format(which="appointment", **_MORE)
_OF_CITIZEN = """(
        (SELECT * FROM (SELECT * FROM appointment WHERE citizen_id = $1 OFFSET 0) hers
         WHERE $2::uuid IS NULL OR id < $2 ORDER BY id DESC LIMIT $3)
        UNION ALL
        (SELECT * FROM appointment WHERE acting_id = $1 AND citizen_id IS DISTINCT FROM $1
         AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3)
    )"""
_MINE = _VIEW.format(which=_OF_CITIZEN, **_MORE) + " ORDER BY t.id DESC LIMIT $3"


async def appointment(
    appointment_id: UUID, directory: Directory, tx: Transaction | None = None
) -> AppointmentView | None:
    """One appointment, whosever it is."""
    found = await rows(f"{_ONE} WHERE t.id = $1", appointment_id, tx=tx)
    return await _whole(found[0], directory, tx) if found else None


async def own_appointment(
    appointment_id: UUID, citizen_id: UUID, directory: Directory
) -> AppointmentView | None:
    """One for her or made by her; her id may be one that was joined into another a moment ago."""
    found = await rows(
        f"{_ONE}, (SELECT {HER_ID} AS id) her"
        " WHERE t.id = $2 AND her.id IN (t.citizen_id, t.acting_id)",
        citizen_id,
        appointment_id,
    )
    return await _hers(found[0], directory) if found else None


async def appointments_of(
    citizen_id: UUID, cursor: UUID | None, limit: int, directory: Directory
) -> AppointmentPage:
    """Hers, and those she made for others, newest first."""
    found = await rows(_MINE, citizen_id, cursor, limit + 1)
    page = [await _hers(row, directory) for row in found[:limit]]
    return AppointmentPage(page, str(page[-1].id) if len(found) > limit else None)


async def _hers(row: Any, directory: Directory) -> AppointmentView:
    """A row's view, with when to leave: that is for nobody but her."""
    seen = await _whole(row, directory)
    if row["way"] is None:
        return seen
    way = _decode_way(row["way"])
    leave = Leave(
        at=seen.slot_start - timedelta(seconds=way.lead_s),
        certainty=CERTAINTY,
        travel=way.travel,
        travel_s=way.travel_s,
        travel_basis=way.basis,
        told_at=None if way.told_at is None else shown(way.told_at),
    )
    return msgspec.structs.replace(seen, leave=leave)


async def _whole(row: Any, directory: Directory, tx: Transaction | None = None) -> AppointmentView:
    """A row's view, with what is to be done before she comes, while she is to."""
    seen = view(row, directory)
    if seen.state not in OPEN:
        return seen
    items = [directory.item(item) for item in seen.items]
    before = await unfinished(tx, whose(row), items, directory)
    return msgspec.structs.replace(seen, unfinished=before)


def view(row: Mapping[str, Any], directory: Directory) -> AppointmentView:
    """An appointment's row, with the codes of its hall and line, as its own see it."""
    hall = directory.hall(row["hall"])
    items = [directory.item_by_id(item) for item in row["items"]]
    start, rules = row["slot_start"].astimezone(SHANGHAI), hall.booking
    state = AppointmentState(row["state"])
    warning = warning_of(row["day"], row["day"]) if state in OPEN else None
    return AppointmentView(
        id=row["id"],
        state=state,
        hall=hall.code,
        line=row["line"],
        item=items[0].code,
        items=[item.code for item in items],
        slot_start=start,
        slot_end=row["slot_end"].astimezone(SHANGHAI),
        check_in_code=row["check_in_code"],
        held_until=_local(row["held_until"]) if state in OPEN else None,
        made_at=row["made_at"].astimezone(SHANGHAI),
        cancel_until=cancel_until(start, row["booked_at"], rules).astimezone(SHANGHAI),
        check_in_from=start - timedelta(minutes=rules.early_min),
        check_in_until=missed_at(start, rules),
        must_move=row["must_move"] and state in OPEN,
        move_to=[],
        pardon=Pardon(row["pardon"]) if row["pardon"] else None,
        ticket=row["ticket_id"],
        fee_fen=sum(item.fee_fen for item in items),
        materials=materials_of(items, row["papers"]),
        unfinished=[],
        stops=_stops(row, hall, items),
        until_blocked=until_blocked(row["missed_before"], start, rules) if state in OPEN else None,
        block_days=rules.block_days,
        taken_for=_decode_taken_for(row["taken_for"]) if row["taken_for"] else None,
        version=row["version"],
        revision=row["revision"],
        cancelled_for=excuse_of(row["cancelled_for"]),
        warning=warning[0] if warning else None,
        warning_en=warning[1] if warning else None,
    )


def excuse_of(detail: str | None) -> Excuse | None:
    """What the last step of one that was cancelled says, where it says why."""
    known: tuple[Excuse, ...] = get_args(Excuse)
    return next((each for each in known if each == detail), None)


def _local(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(SHANGHAI)


_decode_places = msgspec.json.Decoder(list[tuple[UUID, UUID | None, datetime, datetime]]).decode


def _stops(row: Any, hall: HallEntry, items: Sequence[ItemEntry]) -> list[StopAt]:
    """Where she goes when: places of one line one after the other are one stop."""
    if len(items) == 1:
        if AppointmentState(row["state"]) not in HOLDING:
            return []
        start, end = (row[name].astimezone(SHANGHAI) for name in ("slot_start", "slot_end"))
        return [StopAt(line=row["line"], items=[items[0].code], start=start, end=end)]
    places = _decode_places(row["places"] or "[]")
    apart = {item_id for _, item_id, _, _ in places}
    lines = {line.id: line.code for line in hall.lines.values()}
    stops: dict[tuple[UUID, UUID | None], StopAt] = {}
    for line_id, item_id, start, end in places:
        line, begun = lines.get(line_id, row["line"]), stops.get((line_id, item_id))
        stops[line_id, item_id] = StopAt(
            line=line,
            items=[
                item.code
                for item in items
                if item.id == item_id
                or (item_id is None and item.id not in apart and hall.offers.get(item.code) == line)
            ],
            start=begun.start if begun else start.astimezone(SHANGHAI),
            end=end.astimezone(SHANGHAI),
        )
    return list(stops.values())
