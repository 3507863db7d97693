"""An appointment on the socket: to its own people, now and at each change."""

from datetime import datetime, timedelta

import pytest

from tests.appointments.days import a_bookable_hall, an_item, at, booked, booking_ruled
from tests.conftest import Api
from tests.departures.on_their_way import near
from tests.live.sockets import a_socket, hear, hear_until, say, signed_in
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


async def test_she_hears_when_to_leave_and_what_becomes_of_it(
    api: Api, hall: str, lin: Person, mine: str
) -> None:
    async with a_socket(api) as socket:
        await signed_in(socket, lin)
        await say(socket, op="watch", topic=f"appointment:{mine.upper()}")
        first = await hear(socket)
        assert (first["topic"], first["data"]["id"]) == (f"appointment:{mine}", mine)
        assert first["data"]["leave"] is None

        place = {"place": near(api, hall)}
        leave = (await lin.put(f"/appointments/{mine}/place", place)).json()["leave"]
        told = await hear_until(socket, lambda said: said["data"]["leave"])
        assert told[-1]["data"]["leave"] == leave
        assert told[-1]["version"] > first["version"]

        api.turn_clock((datetime.fromisoformat(leave["at"]) + timedelta(minutes=9)).isoformat())
        await lin.put(f"/appointments/{mine}/place", place)
        late = await hear_until(socket, lambda said: said["data"]["leave"]["certainty"] < 0.9)
        # She cannot leave before now.
        assert late[-1]["data"]["leave"]["at"] > leave["at"]

        await lin.delete(f"/appointments/{mine}/place")
        await hear_until(socket, lambda said: said["data"]["leave"] is None)
        with booking_ruled(api, hall, cancel_before_min=0):
            assert (await lin.post(f"/appointments/{mine}/cancel")).status_code == 200
        await hear_until(socket, lambda said: said["data"]["state"] == "cancelled")


async def test_it_is_shown_to_nobody_else(api: Api, lin: Person, mine: str) -> None:
    async with a_socket(api) as socket:
        await say(socket, op="watch", topic=f"appointment:{mine}")
        assert (await hear(socket))["code"] == "not_signed_in"
        await signed_in(socket, await api.citizen())
        for topic in (f"appointment:{mine}", "appointment:rubbish"):
            await say(socket, op="watch", topic=topic)
            assert (await hear(socket))["code"] == "not_found"


async def test_once_signed_out_she_hears_no_more(api: Api, lin: Person, mine: str) -> None:
    async with a_socket(api) as socket:
        await signed_in(socket, lin)
        await say(socket, op="watch", topic=f"appointment:{mine}")
        await hear(socket)
        await lin.delete("/sessions/current")
        assert (await hear(socket))["type"] == "signed_out"
        await say(socket, op="watch", topic=f"appointment:{mine}")
        assert (await hear(socket))["code"] == "not_signed_in"
