"""Who has booked and says where she is, is told when to leave: once, and so that she is in time."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.database import rows
from server.appointments.leaving import lead_s
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    booked,
    booking_ruled,
    code_of,
    tend,
)
from tests.conftest import Api
from tests.departures.on_their_way import near
from tests.people import Person


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


@pytest.fixture
async def lin(api: Api) -> Person:
    return await api.citizen()


@pytest.fixture
async def mine(api: Api, hall: str, lin: Person) -> str:
    return str((await booked(lin, hall, an_item(api, hall), at("10:00")))["id"])


async def said(api: Api, lin: Person, mine: str, hall: str, **more: Any) -> dict[str, Any]:
    reply = await lin.put(f"/appointments/{mine}/place", {"place": near(api, hall), **more})
    assert reply.status_code == 200, reply.text
    leave: dict[str, Any] = reply.json()["leave"]
    return leave


async def kept(mine: str) -> Any:
    [row] = await rows("SELECT * FROM departure WHERE id = $1", UUID(mine))
    return row


def moment(leave: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(leave["at"])


async def test_she_reads_when_to_leave_so_as_to_be_there_before_her_slot(
    api: Api, hall: str, lin: Person, mine: str
) -> None:
    on_foot = await said(api, lin, mine, hall, travel="walk")
    before = datetime.fromisoformat(at("10:00")) - moment(on_foot)
    # The way may take longer than said, and she needs a moment to walk in.
    assert on_foot["travel_s"] * 1.1 < before.total_seconds() < on_foot["travel_s"] * 1.4 + 180
    assert (on_foot["certainty"], on_foot["told_at"]) == (0.9, None)
    shown = (await lin.get(f"/appointments/{mine}")).json()
    assert shown["leave"] == on_foot
    assert (await lin.get("/appointments")).json()["data"][0]["leave"] == on_foot
    assert moment(await said(api, lin, mine, hall, travel="drive")) > moment(on_foot)


async def test_when_the_moment_comes_it_is_noted_once(
    api: Api, hall: str, lin: Person, mine: str
) -> None:
    leave = await said(api, lin, mine, hall)
    api.turn_clock((moment(leave) + timedelta(seconds=1)).isoformat())
    await tend(api)
    told = (await kept(mine))["told_at"]
    assert told is not None
    api.turn_clock((moment(leave) + timedelta(minutes=1)).isoformat())
    await said(api, lin, mine, hall)
    await tend(api)
    assert (await kept(mine))["told_at"] == told
    late = (await lin.get(f"/appointments/{mine}")).json()["leave"]
    assert late["told_at"] is not None
    assert late["certainty"] < 0.9


async def test_moved_to_another_slot_she_is_told_anew(
    api: Api, hall: str, lin: Person, mine: str
) -> None:
    leave = await said(api, lin, mine, hall)
    api.turn_clock((moment(leave) + timedelta(seconds=1)).isoformat())
    await tend(api)
    with booking_ruled(api, hall, cancel_before_min=0):
        path = f"/appointments/{mine}/reschedule"
        reply = await lin.post(path, {"slot_start": at("11:00")})
    assert reply.status_code == 200, reply.text
    moved = (await lin.get(f"/appointments/{mine}")).json()["leave"]
    assert moment(moved) == moment(leave) + timedelta(hours=1)
    assert (moved["told_at"], moved["certainty"]) == (None, 0.9)
    told = (await kept(mine))["told_at"]
    await tend(api)
    assert (await kept(mine))["told_at"] == told
    api.turn_clock((moment(moved) + timedelta(seconds=1)).isoformat())
    await tend(api)
    assert (await kept(mine))["told_at"] > told


async def test_the_place_is_sealed_and_forgotten_once_she_is_there(
    api: Api, hall: str, lin: Person, mine: str
) -> None:
    await said(api, lin, mine, hall)
    assert str(near(api, hall)["lat"]).encode() not in (await kept(mine))["place"]
    api.turn_clock(at("09:50"))
    reply = await lin.post(f"/appointments/{mine}/check-in", {})
    assert reply.status_code == 201, reply.text
    await tend(api)
    row = await kept(mine)
    assert (row["place"], row["travel_s"], row["lead_s"]) == (None, None, None)
    assert (await lin.get(f"/appointments/{mine}")).json()["leave"] is None
    path = f"/appointments/{mine}/place"
    assert code_of(await lin.put(path, {"place": near(api, hall)})) == (409, "wrong_state")


async def test_she_may_take_it_back_and_it_is_nobody_elses(
    api: Api, hall: str, lin: Person, mine: str
) -> None:
    await said(api, lin, mine, hall)
    path, other = f"/appointments/{mine}/place", await api.citizen()
    assert code_of(await other.put(path, {"place": near(api, hall)})) == (404, "not_found")
    assert (await other.delete(path)).status_code == 404
    assert (await lin.get(f"/appointments/{mine}")).json()["leave"] is not None
    assert (await lin.delete(path)).status_code == 204
    assert (await lin.get(f"/appointments/{mine}")).json()["leave"] is None
    assert code_of(await lin.put(path, {"place": {"lat": 99, "lng": 0}})) == (
        422,
        "invalid_request",
    )


async def test_what_is_kept_of_it_is_hers_to_have_and_to_have_forgotten(
    api: Api, hall: str, lin: Person, mine: str
) -> None:
    await said(api, lin, mine, hall)
    [told] = (await lin.get("/me/export")).json()["departures"]
    assert told == {
        "appointment": mine,
        "place": near(api, hall),
        "travel": "drive",
        "told_at": None,
    }
    assert (await lin.delete("/me")).status_code == 204
    assert await rows("SELECT 1 FROM departure WHERE id = $1", UUID(mine)) == []


async def test_staff_who_list_appointments_see_nothing_of_her_way(
    api: Api, hall: str, lin: Person, mine: str
) -> None:
    await said(api, lin, mine, hall)
    manager = await api.manager(hall)
    reply = await manager.get(f"/halls/{hall}/appointments?date=2026-11-24")
    assert (reply.status_code, mine in reply.text) == (200, True)
    assert "travel_s" not in reply.text


def test_the_less_is_known_of_the_way_the_earlier_she_leaves() -> None:
    assert 1800 < lead_s(1800, "map") < lead_s(1800, "estimate") < 2 * 1800
    assert lead_s(3600, "map") > lead_s(1800, "map")
