"""Halls whose slots are planned, and what is booked in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from models.database import rows, transaction
from scheduler.capacity import NoShows
from server.appointments.planning import Replanned, plan_hall
from server.appointments.slot_book import SlotBook
from server.appointments.tending import tend_appointments
from tests.conftest import Api, until
from tests.people import Person

TUESDAY = "2026-11-24"


def book_of(api: Api) -> SlotBook:
    """The slots as the API under test remembers them."""
    found: SlotBook = api.app.ctx.slot_book
    return found


async def a_bookable_hall(api: Api, *, places: int = 4, line: str = "E", **plan: Any) -> str:
    """A hall where nothing is booked, with so many places in each slot of a line."""
    hall = await api.quiet_hall()
    entry = api.services.directory.hall(hall)
    async with transaction() as tx:
        await tx.run(
            "DELETE FROM appointment_place WHERE slot_id IN"
            " (SELECT id FROM slot WHERE hall_id = $1)",
            entry.id,
        )
        await tx.run(
            "DELETE FROM appointment_once WHERE appointment_id IN"
            " (SELECT id FROM appointment WHERE hall_id = $1)",
            entry.id,
        )
        for table in ("slot", "slot_plan", "appointment", "waitlist", "booking_block"):
            await tx.run(f"DELETE FROM {table} WHERE hall_id = $1", entry.id)
        await tx.run(
            "INSERT INTO slot_plan (id, hall_id, line_id, places) VALUES ($1, $2, $3, $4)",
            uuid4(),
            entry.id,
            entry.lines[line].id,
            places,
        )
    await replan(api, hall)
    return hall


async def replan(api: Api, hall: str) -> Replanned:
    """Plan the hall's slots anew, as the worker does; the API has read them when this returns."""
    room = api.services
    entry, now = room.directory.hall(hall), room.clock.now()
    found = await plan_hall(entry, now=now, directory=room.directory, no_shows=NoShows({}))
    await seen(api, hall)
    return found


async def seen(api: Api, hall: str) -> None:
    """Wait until the API has read the hall's slots anew."""
    book, hall_id = book_of(api), api.services.directory.hall(hall).id
    # Twice: the first may be a read that was under way already.
    for _ in range(2):
        before = book.versions[hall_id]
        await book.changed(halls=[hall_id])
        await until(lambda before=before: book.versions[hall_id] > before)


async def tend(api: Api) -> int:
    """Do what is due, as the worker does every second."""
    room = api.services
    return await tend_appointments(room.clock.now(), room.directory, book_of(api))


@contextmanager
def booking_ruled(api: Api, hall: str, **rules: int) -> Iterator[None]:
    """The hall has these rules of booking meanwhile."""
    room = api.services
    before = room.directory
    entry = before.hall(hall)
    changed = replace(entry, booking=replace(entry.booking, **rules))
    room.directory = replace(before, halls={**before.halls, hall: changed})
    try:
        yield
    finally:
        room.directory = before


def at(hour: str, day: str = TUESDAY) -> str:
    """A moment of a day, such as `at("10:00")`."""
    return f"{day}T{hour}:00+08:00"


def an_item(api: Api, hall: str, *, nth: int = 0, level: int = 0, line: str | None = "E") -> str:
    """An item to be booked in this line of the hall (None: any) by anybody of this level."""
    directory = api.services.directory
    return [
        code
        for code, served_by in directory.hall(hall).offers.items()
        if line in {None, served_by}
        and (item := directory.item(code)).bookable
        and (item.level_required, item.residents_of) == (level, "anywhere")
        and not item.requires
    ][nth]


async def book(who: Person, hall: str, item: str, start: str, **more: Any) -> httpx.Response:
    return await who.post(
        "/appointments", {"hall": hall, "item": item, "slot_start": start, **more}
    )


async def booked(who: Person, hall: str, item: str, start: str, **more: Any) -> dict[str, Any]:
    """An appointment, made."""
    reply = await book(who, hall, item, start, **more)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def slots(api: Api, hall: str, item: str, day: str = TUESDAY) -> dict[str, dict[str, Any]]:
    """A day's slots by when they start, as phones see them once what was booked got around."""
    await seen(api, hall)
    query = {"item": item, "from": day, "to": day}
    reply = await api.http.get(f"/api/v1/halls/{hall}/slots", params=query)
    assert reply.status_code == 200, reply.text
    return {slot["start"]: slot for slot in reply.json()["data"]}


async def counted(hall_id: UUID, start: str) -> tuple[int, int]:
    """How many places a hall's slots of a moment say are taken, and how many there are rows of."""
    [row] = await rows(
        """
        SELECT coalesce(sum(taken + taken_elders + taken_companies + taken_desk), 0) AS said,
               coalesce(sum((SELECT count(*) FROM appointment_place WHERE slot_id = slot.id)), 0)
                   AS there
        FROM slot WHERE hall_id = $1 AND starts_at = $2
        """,
        hall_id,
        datetime.fromisoformat(start),
    )
    return row["said"], row["there"]


def code_of(reply: httpx.Response) -> tuple[int, str]:
    """An answer's status and the code of its problem."""
    return reply.status_code, reply.json().get("code", "")
