"""Places kept for elders and companies go to these, whoever books for them and however often."""

import pytest

from models.database import rows
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    book,
    booked,
    code_of,
    seen,
    tend,
)
from tests.conftest import Api
from tests.identity.families import ELDER_BORN, a_child_of, a_company_of, a_named_citizen, add
from tests.people import Person, a_company_code, an_id_number

THURSDAY = "2026-11-26"


async def a_hall_with(api: Api, **kept: int) -> str:
    """A hall with two places in each slot, of which some are kept."""
    hall = await a_bookable_hall(api)
    manager = await api.manager(hall)
    assert (await manager.put(f"/halls/{hall}/slot-plans/E", {"places": 2, **kept})).is_success
    await seen(api, hall)
    return hall


async def part_of(appointment: str) -> str:
    [row] = await rows("SELECT part FROM appointment WHERE id = $1", appointment)
    return str(row["part"])


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_hall_with(api, elders_percent=50)


@pytest.fixture
async def son(api: Api) -> Person:
    return await a_named_citizen(api, "陈明")


async def her_of(son: Person) -> str:
    """His mother, who is 76 and has no account."""
    reply = await add(son, an_id_number(ELDER_BORN), name="王芳", relation="parent")
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


async def test_an_elder_without_an_account_has_her_place_by_her_son(
    api: Api, hall: str, son: Person
) -> None:
    item, ten = an_item(api, hall), at("10:00", THURSDAY)
    await booked(await api.citizen(), hall, item, ten)
    assert code_of(await book(son, hall, item, ten)) == (409, "slot_full")
    child = (await a_child_of(son))["id"]
    assert code_of(await book(son, hall, item, ten, **{"for": child})) == (409, "slot_full")
    mine = await booked(son, hall, item, ten, **{"for": await her_of(son)})
    assert await part_of(mine["id"]) == "elders"


async def test_moved_it_is_still_an_elders(api: Api, hall: str, son: Person) -> None:
    item, mother = an_item(api, hall), await her_of(son)
    mine = await booked(son, hall, item, at("10:00"), **{"for": mother})
    assert await part_of(mine["id"]) == "elders"
    # As if nothing had been kept yet when it was booked.
    await rows("UPDATE appointment SET part = 'everybody' WHERE id = $1", mine["id"])
    await rows("DELETE FROM appointment_place WHERE appointment_id = $1", mine["id"])
    await rows(
        "INSERT INTO appointment_place (appointment_id, slot_id, part) SELECT $1, id, 'everybody'"
        " FROM slot WHERE hall_id = $2 AND starts_at = '2026-11-24 10:00+08' AND capacity = 2",
        mine["id"],
        api.services.directory.hall(hall).id,
    )
    for day in (THURSDAY, "2026-11-27"):
        await booked(await api.citizen(), hall, item, at("10:00", day))
        to = {"slot_start": at("10:00", day)}
        moved = await son.post(f"/appointments/{mine['id']}/reschedule", to)
        assert moved.is_success, moved.text
        assert await part_of(mine["id"]) == "elders"


async def test_an_elder_waits_for_either_by_her_son(api: Api, hall: str, son: Person) -> None:
    item, mother = an_item(api, hall), await her_of(son)
    for start in ("09:00", "09:30"):
        await booked(await api.citizen(), hall, item, at(start, THURSDAY))
    elders = [await a_named_citizen(api, "王芳", born=ELDER_BORN) for _ in range(2)]
    held = [
        await booked(one, hall, item, at(start, THURSDAY))
        for one, start in zip(elders, ("09:00", "09:30"), strict=True)
    ]
    wanted = {"hall": hall, "item": item, "date": THURSDAY, "from": "09:00", "to": "10:00"}
    waiting = await son.post("/waitlist", {**wanted, "for": mother})
    assert (waiting.status_code, waiting.json()["state"]) == (201, "waiting"), waiting.text
    assert (await elders[1].post(f"/appointments/{held[1]['id']}/cancel")).is_success
    await tend(api)
    [mine] = (await son.get("/waitlist")).json()["data"]
    assert (mine["state"], mine["offer_start"]) == ("offered", at("09:30", THURSDAY))
    assert await part_of(mine["offer"]) == "elders"


async def test_a_company_moves_to_what_is_kept_for_companies(api: Api, son: Person) -> None:
    hall = await a_hall_with(api, companies_percent=50)
    item, company = an_item(api, hall), (await a_company_of(son, a_company_code()))["id"]
    # Nothing is kept on the same day any more: this place was everybody's.
    api.turn_clock("2026-11-23T08:00:00+08:00")
    mine = await booked(son, hall, item, at("15:00", "2026-11-23"), **{"for": company})
    assert await part_of(mine["id"]) == "everybody"
    await booked(await api.citizen(), hall, item, at("10:00", THURSDAY))
    for hour in ("10:00", "10:30"):
        to = {"slot_start": at(hour, THURSDAY)}
        moved = await son.post(f"/appointments/{mine['id']}/reschedule", to)
        assert moved.is_success, moved.text
        assert await part_of(mine["id"]) == "companies"
