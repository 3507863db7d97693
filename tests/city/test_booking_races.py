"""Bookings race over two API processes; one is killed in the midst, and nothing is lost."""

import asyncio
import os
import signal
from asyncio import gather
from collections import Counter
from functools import partial
from typing import Any

import httpx
import pytest

from tests.appointments.days import code_of
from tests.city.driving import asked
from tests.conftest import City
from tests.people import Person, a_citizen, a_member_of_staff

HALL = "dg-21"
CROWD, ROUNDS, PLACES = 60, 8, 10


async def an_item(http: httpx.AsyncClient) -> str:
    params = {"hall": HALL, "limit": "100"}
    found = (await http.get("/api/v1/items", params=params)).json()["data"]
    return next(
        str(item["code"])
        for item in found
        if item["level_required"] == 0 and item["bookable"] and item["residents_of"] == "anywhere"
    )


async def slots_of(http: httpx.AsyncClient, item: str) -> list[dict[str, Any]]:
    reply = await http.get(f"/api/v1/halls/{HALL}/slots", params={"item": item})
    found: list[dict[str, Any]] = reply.json()["data"]
    return [slot for slot in found if slot["bookable"]]


async def with_places(http: httpx.AsyncClient, item: str, places: int) -> list[dict[str, Any]]:
    """The hall's slots, each with so many places, once both processes have read them."""
    manager = await a_member_of_staff(http, f"manager.{HALL}")
    for line in "ABCDE":
        await manager.put(f"/halls/{HALL}/slot-plans/{line}", {"places": places})
    found: list[dict[str, Any]] = []
    for _ in range(200):
        found = await slots_of(http, item)
        if found and all(slot["capacity"] == places for slot in found):
            break
        await asyncio.sleep(0.1)
    assert found
    assert {slot["capacity"] for slot in found} == {places}
    return found


@pytest.fixture
async def http(city: City) -> Any:
    limits = httpx.Limits(max_connections=80, max_keepalive_connections=80)
    async with httpx.AsyncClient(
        base_url=city.url, limits=limits, trust_env=False, timeout=60
    ) as client:
        yield client


async def people_of(http: httpx.AsyncClient, city: City, many: int) -> list[Person]:
    return list(await gather(*(a_citizen(http, city.sandbox_url) for _ in range(many))))


async def test_ten_places_go_to_ten_of_sixty_each_time(http: httpx.AsyncClient, city: City) -> None:
    assert len(city.pids("api")) == 2
    item = await an_item(http)
    slots = await with_places(http, item, PLACES)
    people = await people_of(http, city, CROWD)
    for slot in slots[-ROUNDS:]:
        body = {"hall": HALL, "item": item, "slot_start": slot["start"], "hold": True}
        replies = await gather(*(one.post("/appointments", body) for one in people))
        told = Counter(code_of(reply) for reply in replies)
        assert told == {(201, ""): PLACES, (409, "slot_full"): CROWD - PLACES}
        await gather(
            *(
                one.post(f"/appointments/{reply.json()['id']}/cancel")
                for one, reply in zip(people, replies, strict=True)
                if reply.is_success
            )
        )


async def test_what_was_promised_stands_though_a_process_dies(
    http: httpx.AsyncClient, city: City
) -> None:
    item = await an_item(http)
    slot = (await with_places(http, item, PLACES))[5]
    people = await people_of(http, city, CROWD)
    body = {"hall": HALL, "item": item, "slot_start": slot["start"]}

    async def kill_one() -> None:
        await asyncio.sleep(0.05)
        os.kill(city.pids("api")[0], signal.SIGKILL)

    replies, _ = await gather(
        gather(*(asked(partial(one.post, "/appointments", body)) for one in people)),
        kill_one(),
    )
    made = [(p, r.json()["id"]) for p, r in zip(people, replies, strict=True) if r and r.is_success]
    refused = {code_of(r) for r in replies if r is not None and r.is_error}
    assert refused <= {(409, "slot_full"), (503, "unavailable")}
    assert len(made) <= PLACES
    for one, mine in made:
        look = partial(one.get, f"/appointments/{mine}")
        while (reply := await asked(look)) is None:
            pass
        assert reply.json()["state"] == "booked"
    # However the others' requests ended, as many hold a place as the slot counts.
    holding = 0
    for one in people:
        listed = (await one.get("/appointments")).json()["data"]
        holding += sum(a["slot_start"] == slot["start"] for a in listed)
    assert len(made) <= holding <= PLACES
    left = [s["left"] for s in await slots_of(http, item) if s["start"] == slot["start"]]
    assert left in ([PLACES - holding], [])
    await _until_two(city)


async def _until_two(city: City) -> None:
    for _ in range(300):
        if len(city.pids("api")) == 2:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the process that died was not started again")
