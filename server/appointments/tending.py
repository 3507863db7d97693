"""Appointments are looked after: holds and offers end in time, what is free is offered.

All of it is told by the rows alone, so that a worker that dies forgets nothing: another finds it.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from models import booking_steps, matter_notices, slot_departures, waiting
from models.database import Transaction, rows, transaction
from scheduler.booking import missed_at
from server.again import until_done
from server.appointments.changing import expire
from server.appointments.missing import miss
from server.appointments.offering import pass_on
from server.appointments.slot_book import SlotBook
from server.faults import is_store_fault
from server.halls.directory import Directory

log = structlog.get_logger()

TEND_EVERY_S: Final = 1.0
_AT_ONCE: Final = 200


async def tend_appointments(now: datetime, directory: Directory, slots: SlotBook) -> int:
    """Do what is due; about how many holds, offers, no-shows and slots something was done."""
    due = await rows(
        "SELECT id FROM appointment WHERE state IN ('held', 'offered') AND held_until <= $1"
        " ORDER BY held_until LIMIT $2",
        now,
        _AT_ONCE,
    )
    done = await _each((row["id"] for row in due), lambda id: expire(id, now, directory), slots)
    late = await rows(
        "SELECT id, hall_id, slot_start FROM appointment WHERE state = 'booked'"
        " AND slot_start <= $1 ORDER BY slot_start LIMIT 5000",
        now,
    )
    rules = {hall.id: hall.booking for hall in directory.halls.values()}
    gone = [r["id"] for r in late if now > missed_at(r["slot_start"], rules[r["hall_id"]])]
    done += await _each(gone[:_AT_ONCE], lambda id: miss(id, now, directory), slots)
    await slot_departures.forget_over()
    async with transaction() as tx:
        if leaving := await slot_departures.tell(tx, now, _AT_ONCE):
            await matter_notices.write_leave_now(tx, leaving, now=now)
    await waiting.end_what_is_over(now)
    free = await waiting.slots_to_offer(now)
    return done + await _each(free, lambda slot: _offer(slot, now, directory), slots)


async def _offer(slot: UUID, now: datetime, directory: Directory) -> set[UUID]:
    """Offer what became free without anybody giving it up: more was planned, a part is let go."""

    async def work(tx: Transaction) -> set[UUID]:
        await booking_steps.lock_slots(tx, [slot])
        return await pass_on(tx, [slot], now=now, directory=directory)

    return await until_done(work)


async def _each(
    ids: Iterable[UUID], do: Callable[[UUID], Awaitable[set[UUID]]], slots: SlotBook
) -> int:
    """One after the other, each by itself: one that cannot be done keeps no other from it."""
    done = 0
    for each in ids:
        try:
            changed = await do(each)
        except Exception as fault:
            if is_store_fault(fault):
                raise
            log.error("appointment_not_tended", id=str(each), fault=type(fault).__name__)
            continue
        done += 1
        await slots.changed(changed)
    return done
