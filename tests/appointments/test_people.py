"""Appointments of people whose accounts are joined, who leave, or who ask what is kept."""

import pytest

from models.database import rows
from tests.appointments.days import a_bookable_hall, an_item, at, book, booked, counted, tend
from tests.appointments.test_waiting import wait, waits
from tests.conftest import Api
from tests.identity.families import CHILD_BORN, a_child_of, a_named_citizen
from tests.identity.people import a_persona, real_name, through
from tests.people import an_id_number


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api, places=2)


async def test_joined_she_has_both_and_of_two_for_one_item_the_first(api: Api, hall: str) -> None:
    persona = await a_persona(api, an_id_number(), name="林晓")
    first, second = await through(api, "wechat", persona), await through(api, "alipay", persona)
    await real_name(first, persona)
    item, other = an_item(api, hall), an_item(api, hall, nth=1)
    kept = (await booked(first, hall, item, at("10:00")))["id"]
    double = (await booked(second, hall, item, at("11:00")))["id"]
    both = (await booked(second, hall, other, at("11:00")))["id"]
    joined = await real_name(second, persona)
    assert joined.status_code == 200, joined.text
    states = {one["id"]: one["state"] for one in (await second.get("/appointments")).json()["data"]}
    assert states == {kept: "booked", double: "cancelled", both: "booked"}
    assert await counted(api.services.directory.hall(hall).id, at("11:00")) == (1, 1)
    assert (await book(second, hall, item, at("15:00"))).json()["code"] == "already_booked"


async def test_a_child_that_gets_an_account_finds_what_was_booked_for_it(
    api: Api, hall: str
) -> None:
    number, lin = an_id_number(CHILD_BORN), await a_named_citizen(api)
    child = await a_child_of(lin, number)
    mine = (await booked(lin, hall, an_item(api, hall), at("10:00"), **{"for": child["id"]}))["id"]
    persona = await a_persona(api, number, name="林小满")
    grown = await through(api, "wechat", persona)
    assert (await grown.get(f"/appointments/{mine}")).status_code == 404
    await real_name(grown, persona)
    assert (await grown.get(f"/appointments/{mine}")).json()["state"] == "booked"
    assert (await lin.get(f"/appointments/{mine}")).status_code == 200
    double = await book(grown, hall, an_item(api, hall), at("11:00"))
    assert double.json()["code"] == "already_booked"


async def test_who_leaves_gives_her_places_to_who_waits(api: Api, hall: str) -> None:
    lin, chen, wang = await a_named_citizen(api), await api.citizen(), await api.citizen()
    item = an_item(api, hall)
    mine = (await booked(lin, hall, item, at("10:00")))["id"]
    await booked(chen, hall, item, at("10:00"))
    await wait(wang, hall, item, "10:00", "10:30")
    exported = (await lin.get("/me/export")).json()
    assert [one["id"] for one in exported["appointments"]] == [mine]
    assert (await lin.delete("/me")).status_code == 204
    [row] = await rows("SELECT state FROM appointment WHERE id = $1", mine)
    assert row["state"] == "cancelled"
    await tend(api)
    assert [one["state"] for one in await waits(wang)] == ["offered"]
