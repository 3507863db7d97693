"""Who has booked is read with her hall until she checks in; her number names what it came of."""

from datetime import timedelta
from typing import Any

import pytest

from server.live.rows import catch_up, read_whole
from tests.appointments.days import a_bookable_hall, an_item, at, booked
from tests.conftest import Api


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api, places=20)


async def test_those_who_booked_for_today_are_read_with_the_hall_until_they_check_in(
    api: Api, hall: str
) -> None:
    entry, item = api.services.directory.hall(hall), an_item(api, hall)
    people = [await api.citizen() for _ in range(3)]
    mine = [(await booked(lin, hall, item, at("10:00")))["id"] for lin in people]
    api.turn_clock(at("09:50"))
    now = api.services.clock.now()
    found = await read_whole(entry.id, now=now)
    assert {str(one.id) for one in found.booked} == set(mine)
    assert {(one.line, one.item) for one in found.booked} == {("E", item)}
    assert (await people[0].post(f"/appointments/{mine[0]}/cancel", {})).status_code == 409
    taken = (await people[1].post(f"/appointments/{mine[1]}/check-in", {})).json()
    assert taken["appointment"] == {"id": mine[1], "slot_start": at("10:00")}
    caught_up = (await catch_up({entry.id: found}, [], now=now))[entry.id]
    came = {row.appointment.id for row in caught_up.tickets.values() if row.appointment}
    assert {str(each) for each in came} == {mine[1]}
    again = await read_whole(entry.id, now=now)
    assert {str(one.id) for one in again.booked} == {mine[0], mine[2]}
    assert (await read_whole(entry.id, now=now + timedelta(days=1))).booked == ()
    shown: dict[str, Any] = (await people[1].get(f"/tickets/{taken['id']}")).json()
    assert shown["appointment"] == taken["appointment"]


async def test_a_number_of_a_walk_in_names_no_appointment(api: Api, hall: str) -> None:
    lin = await api.citizen()
    assert (await lin.take(hall, an_item(api, hall))).json()["appointment"] is None
