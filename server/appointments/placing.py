"""Which slots a booking takes: in a row, line after line, of the part that is hers to book."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from models.booking import BookingFacts, SlotAt
from models.database import Transaction
from models.identifiers import age_on, read_id
from models.knowing import known
from models.sealing import Sealer
from models.slots import Part
from scheduler.calendar import business_day
from scheduler.discipline import ELDERLY_FROM_AGE
from scheduler.legs import Leg, following, run_at
from server.appointments.refusals import (
    SlotClosed,
    SlotFull,
)
from server.appointments.wishes import Booking, Places
from server.errors import Sentence
from server.halls.directory import ItemEntry

KEPT_FOR_ELDERS: Final[Sentence] = (
    "其他名额已约满，另有为 70 岁以上老人保留的名额；如您已满 70 岁，请先完成实名认证再预约。",
    "Everybody's places in this slot are taken, but some are kept for people over 70: if you are,"
    " verify your name first and book again.",
)
NOTHING_AFTER: Final[Sentence] = (
    "其后各队列没有能接上的时段，请换个时段，或分别预约。",
    "After it the other lines have no place in time: choose another slot, or book each apart.",
)


async def places_in(
    tx: Transaction, wanted: Booking, found: BookingFacts, slot_start: datetime, sealer: Sealer
) -> Places:
    """The slots to be booked, line by line, and which part of them. Raises SlotClosed or SlotFull.

    What is done in one line stands together, in the order of what was asked for first there.
    """
    legs, items = _legs(wanted, found)
    first = legs[0]
    if not first.slots or first.slots[0].starts_at != slot_start:
        raise SlotClosed(("没有这个时段。", "There is no such slot."))
    if any(not leg.slots for leg in legs):
        raise SlotClosed(NOTHING_AFTER)
    if not all(slot.open for slot in first.slots[: first.many]):
        raise SlotClosed
    run = run_at(first, 0)
    if run is None:
        raise SlotClosed(
            (
                f"该事项需要连续 {first.many} 个时段，请选更早的时段。",
                f"This takes {first.many} slots in a row: choose an earlier one.",
            )
        )
    line = wanted.lines[wanted.items.index(items[0])]
    await _hint_for_elders(tx, wanted, run, sealer)
    for part in await _parts(tx, wanted, legs, sealer):
        # Whether everybody's places are full the database alone says, for the first line.
        if part is not Part.EVERYBODY and not all(_left(slot, part) > 0 for slot in run):
            continue
        whole = following(legs, run, lambda slot, part=part: _left(slot, part) > 0)  # type: ignore[misc]
        if whole is not None:
            return Places(tuple(whole), part, items, line)
    raise SlotFull(NOTHING_AFTER)


async def _hint_for_elders(
    tx: Transaction, wanted: Booking, run: Sequence[SlotAt], sealer: Sealer
) -> None:
    """Raise SlotFull with a word to who is not verified, where only elders' places are left."""
    left = all(slot.room > 0 or slot.for_elders > 0 for slot in run)
    if not left or all(slot.room > 0 for slot in run):
        return
    citizen_id = wanted.whose.citizen_id
    if wanted.is_company or wanted.by_hall or citizen_id is None:
        return
    if (await known(tx, sealer, citizen_id)).id_type is None:
        raise SlotFull(KEPT_FOR_ELDERS)


def _legs(wanted: Booking, found: BookingFacts) -> tuple[list[Leg[SlotAt]], tuple[ItemEntry, ...]]:
    """What is booked line by line, and the items in that order; one with its own slots is apart."""
    by_slots: dict[Any, tuple[tuple[SlotAt, ...], list[ItemEntry]]] = {}
    for item, line, slots in zip(wanted.items, wanted.lines, found.slots, strict=True):
        of_day = by_slots.setdefault((line.id, slots[:1]), (slots, []))
        of_day[1].append(item)
    legs = [Leg(slots, sum(item.minutes for item in items)) for slots, items in by_slots.values()]
    return legs, tuple(item for _, items in by_slots.values() for item in items)


def _left(slot: SlotAt, part: Part) -> int:
    """How many places of this part are left."""
    of_part = {
        Part.EVERYBODY: slot.room,
        Part.ELDERS: slot.for_elders,
        Part.COMPANIES: slot.for_companies,
        Part.DESK: slot.for_desk,
    }
    return of_part[part]


async def _parts(
    tx: Transaction, wanted: Booking, legs: Sequence[Leg[SlotAt]], sealer: Sealer
) -> list[Part]:
    """The parts that she may book from: those kept for her kind, then everybody's."""
    all_slots = [slot for leg in legs for slot in leg.slots]
    parts = []
    if wanted.is_company:
        parts.append(Part.COMPANIES)
    elif any(slot.for_elders > 0 for slot in all_slots) and await is_elderly(tx, wanted, sealer):
        parts.append(Part.ELDERS)
    if wanted.by_hall:
        parts.append(Part.DESK)
    return [*parts, Part.EVERYBODY]


async def is_elderly(tx: Transaction, wanted: Booking, sealer: Sealer) -> bool:
    """Whether whom it is for is over 70, as her number says.

    That is the number of her own account, verified; or the one given for her who has none, by the
    hall that reads her card or by a relative: whoever comes with it shows that card.
    """
    if wanted.had_elders_place:
        return True
    born = wanted.born
    if born is None and wanted.whose.citizen_id is not None:
        her = await known(tx, sealer, wanted.whose.citizen_id)
        if her.id_type is None or her.id_number is None:
            return False
        born = read_id(her.id_type, her.id_number).born
    return born is not None and age_on(business_day(wanted.now), born) >= ELDERLY_FROM_AGE
