"""The hall books for whoever stands at its desk or telephones, by the number of her card.

Who has an account finds the appointment in it. Who has none is told apart by a key of her number,
as at the desk for numbers, and is checked in by her card.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models import booking, booking_lookup
from models.audit import Entry, record
from models.booking import Whose
from models.database import Transaction, transaction
from models.identifiers import IdDocument, mask_name
from models.knowing import held_with_index
from models.proxies import person_key
from models.sealing import Sealer
from models.tickets import Actor
from scheduler.calendar import business_day
from server.again import TRIES
from server.appointments.booking import as_refusal, place
from server.appointments.slot_book import SlotBook
from server.appointments.views import AppointmentView, appointment
from server.appointments.wishes import Booking, Caller, Wish, read_wish
from server.auth import Principal
from server.errors import Unavailable
from server.halls.directory import Directory, HallEntry
from server.http.idempotency import Once
from server.numbers.at_hall import Comer

# What is sealed is sealed for the appointment's id.
NAME = "appointment.name"
PHONE = "appointment.phone"


@dataclass(frozen=True, slots=True)
class CallersWish:
    """Who wants to come, for which items, in which slot."""

    comer: Comer
    items: Sequence[str]
    slot_start: datetime


async def book_for(
    hall: HallEntry,
    wish: CallersWish,
    who: Principal,
    once: Once,
    *,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    slots: SlotBook,
) -> AppointmentView:
    """Book for somebody known by the number of her card; `who` is staff or a kiosk.

    Raises NotFound and the refusals of booking; after one, nothing has changed.
    """
    document = wish.comer.document
    assert document is not None, "the route asks for it"
    wanted = read_wish(Wish(hall.code, wish.items, wish.slot_start), who, now, directory)
    for _ in range(TRIES):
        try:
            async with transaction() as tx:
                await once.claim(tx)
                theirs = replace(wanted, caller=await _caller(tx, wish.comer, document, sealer))
                view, places = await place(tx, theirs, wish.slot_start, sealer, hold=False)
                await once.keep(tx, view, status=201)
                await _record(tx, theirs, view.id, wish.comer)
        except asyncpg.DeadlockDetectedError:
            continue
        except (asyncpg.CheckViolationError, asyncpg.UniqueViolationError) as refused:
            raise as_refusal(refused) from None
        await slots.changed(places.ids)
        return view
    raise Unavailable(1)


async def open_of(
    hall: HallEntry,
    document: IdDocument,
    who: Principal,
    *,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
) -> list[AppointmentView]:
    """What whoever has this card has booked at this hall from today on; each look is recorded."""
    async with transaction() as tx:
        whose = await _whose(tx, document, sealer)
        found = await booking_lookup.all_of_person(tx, hall.id, whose, business_day(now))
        views = [await appointment(each, directory, tx) for each in found]
        detail = {"fields": ["id_number"], "hall": hall.code}
        behalf = whose.citizen_id
        actor = Actor(who.kind.value, who.id)
        await record(
            tx,
            Entry(
                actor, "appointment.looked_up", "hall", hall.id, on_behalf_of=behalf, detail=detail
            ),
        )
    return [view for view in views if view is not None]


async def _whose(tx: Transaction, document: IdDocument, sealer: Sealer) -> Whose:
    """Whose number it is. Nobody comes to have it, or leaves, before the transaction ends."""
    index = sealer.blind_index(document.id_type, document.number)
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", index)
    citizen_id = await held_with_index(tx, index)
    return Whose(citizen_id, person_key=None if citizen_id else person_key(index))


async def _caller(tx: Transaction, comer: Comer, document: IdDocument, sealer: Sealer) -> Caller:
    """For whom it is, locked: nobody else books for her meanwhile."""
    whose = await _whose(tx, document, sealer)
    if whose.citizen_id is not None:
        await tx.run(booking.locking(whose.citizen_id))
        return Caller(whose, document.born)
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", str(whose.person))
    new_id: UUID = uuid7()

    def sealed(text: str | None, field: str) -> bytes | None:
        return None if text is None else sealer.seal(text, field=field, owner=new_id)

    return Caller(
        whose,
        document.born,
        shown_as=mask_name(comer.name) if comer.name else None,
        appointment_id=new_id,
        name=sealed(comer.name, NAME),
        phone=sealed(comer.phone, PHONE),
    )


async def _record(tx: Transaction, wanted: Booking, appointment_id: UUID, comer: Comer) -> None:
    said = {"id_number": comer.document, "name": comer.name, "phone": comer.phone}
    detail = {
        "hall": wanted.hall.code,
        "fields": [name for name, value in said.items() if value is not None],
    }
    behalf = wanted.whose.citizen_id
    entry = Entry(
        wanted.actor,
        "appointment.booked",
        "appointment",
        appointment_id,
        on_behalf_of=behalf,
        detail=detail,
    )
    await record(tx, entry)
