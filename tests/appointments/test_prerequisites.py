"""What is to be done before is said when somebody books, and kept to where it is booked with it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.appointments.days import a_bookable_hall, an_item, at, booked
from tests.conftest import Api
from tests.counters.halls import done, open_counters


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


@pytest.fixture
def needs(api: Api, hall: str) -> Iterator[tuple[str, str]]:
    """An item, and one that needs it done before."""
    room, first, second = api.services, an_item(api, hall), an_item(api, hall, nth=1)
    before = room.directory
    item = replace(before.item(second), requires=(first,))
    room.directory = replace(
        before,
        items={**before.items, second: item},
    )
    yield first, second
    room.directory = before


async def test_what_was_not_done_before_is_said_until_it_is(
    api: Api, hall: str, needs: tuple[str, str]
) -> None:
    first, second = needs
    lin = await api.citizen()
    mine = await booked(lin, hall, second, at("10:00"))
    [missing] = mine["unfinished"]
    assert (missing["kind"], missing["code"], missing["needed_for"]) == ("item", first, [second])
    listed = (await lin.get("/appointments")).json()["data"]
    assert listed[0]["unfinished"] == mine["unfinished"]
    assert (await api.http.get(f"/api/v1/items/{second}")).json()["requires"] == [first]
    # She has it done today.
    clerk = await api.clerk(hall)
    counter, *_ = await open_counters(clerk, hall, "E")
    assert (await lin.take(hall, first)).status_code == 201
    await done(clerk, hall, counter, "call-next", "start", "finish")
    assert (await lin.get(f"/appointments/{mine['id']}")).json()["unfinished"] == []
    # What somebody else has done does not count for her.
    other = await booked(await api.citizen(), hall, second, at("10:00"))
    assert [one["code"] for one in other["unfinished"]] == [first]


async def test_booked_together_they_are_done_in_order(
    api: Api, hall: str, needs: tuple[str, str]
) -> None:
    first, second = needs
    lin = await api.citizen()
    mine = await booked(lin, hall, second, at("10:00"), also=[first])
    assert (mine["items"], mine["unfinished"]) == ([first, second], [])
    api.turn_clock(at("09:55"))
    manager = await api.manager(hall)
    ticket = await manager.post(f"/halls/{hall}/check-ins", {"code": mine["check_in_code"]})
    assert ticket.json()["item"] == first
    visit = (await lin.get(f"/visits/{ticket.json()['visit']}")).json()
    assert [(stop["item"], stop["after"]) for stop in visit["stops"]] == [
        (first, []),
        (second, [first]),
    ]


async def test_most_items_need_nothing_and_cost_no_look(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, at("10:00"))
    _, statements = await api.statements(lin.get(f"/appointments/{mine['id']}"))
    assert (mine["unfinished"], statements) == ([], 1)


async def test_what_she_owes_for_an_item_is_said_until_it_is_asked_for_no_more(
    api: Api, hall: str, needs: tuple[str, str]
) -> None:
    item = needs[0]
    entry = api.services.directory.item(item)
    was = entry.fee_fen
    object.__setattr__(entry, "fee_fen", 2000)
    try:
        lin, clerk = await api.citizen(), await api.clerk(hall)
        ticket = (await lin.take(hall, item)).json()["id"]
        body = {"ticket": ticket, "amount_fen": 2000, "title": "工本费"}
        bill = (await clerk.post(f"/halls/{hall}/bills", body)).json()
        await lin.post(f"/tickets/{ticket}/cancel")
        mine = await booked(lin, hall, item, at("10:00"))
        [owed] = mine["unfinished"]
        assert (owed["kind"], owed["code"], owed["name"]) == ("bill", bill["bill_no"], "工本费")
        assert owed["needed_for"] == [item]
        other = await booked(await api.citizen(), hall, item, at("10:00"))
        assert other["unfinished"] == []
        gone = await clerk.post(f"/halls/{hall}/bills/{bill['id']}/cancel")
        assert gone.status_code == 200, gone.text
        assert (await lin.get(f"/appointments/{mine['id']}")).json()["unfinished"] == []
    finally:
        object.__setattr__(entry, "fee_fen", was)
