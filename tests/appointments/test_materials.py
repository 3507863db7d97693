"""She ticks off what she has of what to bring; the counter sees it."""

from typing import Any

import pytest

from tests.appointments.days import a_bookable_hall, an_item, at, booked, code_of
from tests.conftest import Api


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


def paper(material: dict[str, Any]) -> dict[str, str]:
    return {"name": material["name"], "kind": material["kind"]}


def had(shown: dict[str, Any]) -> list[bool]:
    return [each["have"] for each in shown["materials"]]


async def test_what_she_has_is_kept_and_the_counter_sees_it(api: Api, hall: str) -> None:
    lin, clerk = await api.citizen(), await api.clerk(hall)
    mine = await booked(lin, hall, an_item(api, hall), at("10:00"))
    path = f"/appointments/{mine['id']}/materials"
    needed = mine["materials"]
    assert len(needed) > 1
    assert not any(had(mine))
    first, second = paper(needed[0]), paper(needed[1])
    for have, expected in (([first, first], {0}), ([second], {1}), ([], set()), ([second], {1})):
        told = await lin.put(path, {"have": have})
        assert told.status_code == 200, told.text
        assert {nth for nth, has in enumerate(had(told.json())) if has} == expected
    assert had((await lin.get(f"/appointments/{mine['id']}")).json())[:2] == [False, True]
    api.turn_clock(at("09:50"))
    ticket = await clerk.post(f"/halls/{hall}/check-ins", {"code": mine["check_in_code"]})
    booked_as = ticket.json()["appointment"]["id"]
    seen = (await clerk.get(f"/halls/{hall}/appointments/{booked_as}")).json()
    assert [paper(each) for each in seen["materials"] if each["have"]] == [second]
    assert code_of(await lin.put(path, {"have": []})) == (409, "wrong_state")


async def test_what_is_not_to_be_brought_or_not_hers_is_refused(api: Api, hall: str) -> None:
    lin, stranger = await api.citizen(), await api.citizen()
    mine = await booked(lin, hall, an_item(api, hall), at("10:00"))
    path, first = f"/appointments/{mine['id']}/materials", paper(mine["materials"][0])
    wrong = await lin.put(path, {"have": [first, {"name": "护身符", "kind": "original"}]})
    assert code_of(wrong) == (422, "invalid_request")
    assert wrong.json()["errors"][0]["pointer"] == "/have/1"
    for body in ({}, {"have": None}, {"have": ["居民身份证"]}, {"have": [first] * 61}):
        assert code_of(await lin.put(path, body)) == (422, "invalid_request")
    assert code_of(await stranger.put(path, {"have": [first]})) == (404, "not_found")
    assert not any(had((await lin.get(f"/appointments/{mine['id']}")).json()))
    clerk = await api.clerk("dg-04")
    for who, expected in ((clerk, (404, "not_found")), (lin, (403, "not_allowed"))):
        seen = await who.get(f"/halls/dg-04/appointments/{mine['id']}")
        assert code_of(seen) == expected
