"""A place that is free goes to who waits for it, in order: offered for a while, then to the next.

An offer is an appointment that holds the place, made in the transaction that freed it. So nobody
comes between, nobody is offered what another is, and a process that dies forgets none.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from models import booking, waiting
from models.appointments import AppointmentState
from models.booking import NewAppointment
from models.database import Transaction
from models.slots import Part
from models.tickets import SYSTEM
from server.appointments.codes import new_code
from server.clock import microseconds
from server.halls.directory import Directory


async def pass_on(
    tx: Transaction, slots: Iterable[UUID], *, now: datetime, directory: Directory
) -> set[UUID]:
    """Offer what is free in these slots, which this transaction holds; those that it changed."""
    changed: set[UUID] = set()
    for slot in slots:
        tried: list[UUID] = []
        while her := await waiting.next_for(tx, slot, now, tried):
            tried.append(her["id"])
            run = await _run(tx, her, slot)
            if run is not None:
                await _offer(tx, her, *run, now=now, directory=directory)
                changed.update(each["id"] for each in run[0])
    return changed


async def _run(tx: Transaction, her: Any, slot: UUID) -> tuple[Sequence[Any], Part] | None:
    """The slots in a row that she could have, this one among them, and which part of them."""
    many = her["many"]
    around = await waiting.near(tx, slot, many)
    for nth in range(len(around) - many + 1):
        run = around[nth : nth + many]
        if slot not in {each["id"] for each in run} or not _fits(run, her):
            continue
        for part in dict.fromkeys((Part(her["part"]), Part.EVERYBODY)):
            if all(_room(each, part) > 0 for each in run):
                return run, part
    return None


def _fits(run: Sequence[Any], her: Any) -> bool:
    follow = pairwise(run)
    in_time = her["starts_from"] <= run[0]["starts_at"] and run[-1]["ends_at"] <= her["until"]
    return in_time and all(a["ends_at"] == b["starts_at"] for a, b in follow)


def _room(slot: Any, part: Part) -> int:
    room: int = slot["room"]
    if part is Part.ELDERS:
        room = slot["for_elders"] - slot["taken_elders"]
    elif part is Part.COMPANIES:
        room = slot["for_companies"] - slot["taken_companies"]
    elif part is Part.DESK:
        room = slot["for_desk"] - slot["taken_desk"]
    return room


async def _offer(
    tx: Transaction,
    her: Any,
    run: Sequence[Any],
    part: Part,
    *,
    now: datetime,
    directory: Directory,
) -> None:
    hall = directory.hall_by_id(her["hall_id"])
    start = run[0]["starts_at"]
    new = NewAppointment(
        id=uuid7(),
        hall_id=hall.id,
        line_id=her["line_id"],
        items=(her["item_id"],),
        whose=booking.whose(her),
        part=part,
        slots=tuple(each["id"] for each in run),
        day=her["day"],
        slot_start=start,
        slot_end=run[-1]["ends_at"],
        state=AppointmentState.OFFERED,
        now=now,
        held_until=min(now + timedelta(minutes=hall.booking.offer_min), start),
        code=new_code(),
        actor=SYSTEM,
        version=microseconds(),
        waitlist_id=her["id"],
    )
    await booking.make(tx, new)
    await waiting.offered(tx, her["id"], new.id)
