"""Races over a visit, over two API processes: it is in one place afterwards, whoever was first."""

from asyncio import gather
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conftest import City
from tests.people import Person, a_citizen, a_member_of_staff
from tests.sizes import size

ROUNDS = size(8, 20)
HALL, ELSEWHERE = "dg-11", "dg-12"
# The general line does these at every hall, for anybody who is signed in.
ITEMS = ["birth-registration", "elder-card", "legal-aid"]
OPEN = {"waiting", "called", "serving", "parked"}


@pytest_asyncio.fixture
async def http(city: City) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=60, max_keepalive_connections=60)
    async with httpx.AsyncClient(
        base_url=city.url, limits=limits, trust_env=False, timeout=30
    ) as client:
        yield client


@pytest_asyncio.fixture
async def lin(http: httpx.AsyncClient, city: City) -> Person:
    return await a_citizen(http, city.sandbox_url)


@pytest_asyncio.fixture
async def clerk(http: httpx.AsyncClient) -> Person:
    return await a_member_of_staff(http, f"clerk.{HALL}.01")


async def two_counters(clerk: Person) -> list[str]:
    counters = (await clerk.get(f"/halls/{HALL}/counters")).json()["data"]
    able = [one["code"] for one in counters if "E" in one["skills"]][:2]
    for code in able:
        opened = await clerk.at(HALL, code, "open", {"lines": ["E"]})
        assert opened.status_code == 200, opened.text
    return able


async def come(lin: Person) -> dict[str, Any]:
    reply = await lin.post("/visits", {"hall": HALL, "items": ITEMS})
    assert reply.status_code == 201, reply.text
    visit: dict[str, Any] = reply.json()
    return visit


async def in_one_place(lin: Person, visit: dict[str, Any], *replies: httpx.Response) -> list[str]:
    """Nothing broke, and she has one number as long as the visit goes on; its stops' states."""
    assert [reply.text for reply in replies if reply.status_code not in {200, 409}] == []
    now = (await lin.get(f"/visits/{visit['id']}")).json()
    states = [stop["state"] for stop in now["stops"]]
    under_way = [state for state in states if state in OPEN]
    assert len(under_way) == (now["state"] == "open"), now
    return states


async def leave(lin: Person, clerk: Person, visit: dict[str, Any], counters: list[str]) -> None:
    """The hall as it was before."""
    for counter in counters:
        await clerk.at(HALL, counter, "start")
        await clerk.at(HALL, counter, "finish")
    await lin.post(f"/visits/{visit['id']}/cancel")


async def test_two_clerks_finish_one_stop_and_one_number_is_given(
    lin: Person, clerk: Person
) -> None:
    counters = await two_counters(clerk)
    for _ in range(ROUNDS):
        visit = await come(lin)
        await clerk.at(HALL, counters[0], "call-next")
        await clerk.at(HALL, counters[0], "start")
        replies = await gather(*(clerk.at(HALL, counters[0], "finish") for _ in range(4)))
        assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
        assert await in_one_place(lin, visit, *replies) == ["finished", "waiting", "pending"]
        await leave(lin, clerk, visit, counters)


async def test_the_phone_changes_what_the_clerk_finishes(lin: Person, clerk: Person) -> None:
    counters = await two_counters(clerk)
    for _ in range(ROUNDS):
        visit = await come(lin)
        await clerk.at(HALL, counters[0], "call-next")
        await clerk.at(HALL, counters[0], "start")
        following = visit["stops"][1]["item"]
        finished, *rest = await gather(
            clerk.at(HALL, counters[0], "finish"),
            lin.post(f"/visits/{visit['id']}/skip", {"item": following}),
            lin.post(f"/visits/{visit['id']}/cancel"),
        )
        assert finished.status_code == 200
        states = await in_one_place(lin, visit, finished, *rest)
        assert states.count("finished") == 1
        await leave(lin, clerk, visit, counters)


async def test_she_gives_up_a_number_that_is_called(lin: Person, clerk: Person) -> None:
    counters = await two_counters(clerk)
    for _ in range(ROUNDS):
        visit = await come(lin)
        called, *rest = await gather(
            clerk.at(HALL, counters[0], "call-next"),
            lin.post(f"/tickets/{visit['now']}/cancel"),
            lin.post(f"/visits/{visit['id']}/skip", {"item": visit["stops"][0]["item"]}),
        )
        assert sum(reply.status_code == 200 for reply in rest) == 1
        await in_one_place(lin, visit, called, *rest)
        await leave(lin, clerk, visit, counters)


async def test_she_takes_the_next_item_elsewhere_while_the_clerk_finishes(
    lin: Person, clerk: Person
) -> None:
    counters = await two_counters(clerk)
    for _ in range(ROUNDS):
        visit = await come(lin)
        for action in ("call-next", "start"):
            assert (await clerk.at(HALL, counters[0], action)).status_code == 200
        following = visit["stops"][1]["item"]
        finished, taken = await gather(
            clerk.at(HALL, counters[0], "finish"), lin.take(ELSEWHERE, following)
        )
        # Whoever was first has it: one number for the item, and the visit goes on with the next.
        assert finished.status_code == 200, finished.text
        assert taken.status_code in {201, 409}, taken.text
        states = sorted(await in_one_place(lin, visit, finished))
        if taken.status_code == 201:
            assert states == ["finished", "left_out", "waiting"]
            assert (await lin.post(f"/tickets/{taken.json()['id']}/cancel")).status_code == 200
        else:
            assert states == ["finished", "pending", "waiting"]
        await leave(lin, clerk, visit, counters)


@pytest.mark.parametrize("how", ["return", "undo"])
async def test_a_miss_is_taken_back_while_she_goes_on_without_that_stop(
    http: httpx.AsyncClient, city: City, clerk: Person, how: str
) -> None:
    counters = await two_counters(clerk)
    for _ in range(ROUNDS):
        # Another one each time: whoever missed a number and gives it up gets no other at once.
        lin = await a_citizen(http, city.sandbox_url)
        visit = await come(lin)
        for action in ("call-next", "miss"):
            assert (await clerk.at(HALL, counters[0], action)).status_code == 200
        back, skipped = await gather(
            clerk.post(f"/halls/{HALL}/tickets/{visit['now']}/return")
            if how == "return"
            else clerk.at(HALL, counters[0], "undo"),
            lin.post(f"/visits/{visit['id']}/skip", {"item": visit["stops"][0]["item"]}),
        )
        assert skipped.status_code == 200, skipped.text
        states = await in_one_place(lin, visit, back, skipped)
        # Back first, she gave up a number that waited; else it was not open again.
        assert states == ["left_out", "waiting", "pending"]
        first = (await lin.get(f"/tickets/{visit['now']}")).json()
        assert first["state"] == ("cancelled" if back.status_code == 200 else "missed"), back.text
        await leave(lin, clerk, visit, counters)


async def test_a_finish_is_taken_back_or_she_is_called_to_the_next_counter(
    lin: Person, clerk: Person
) -> None:
    counters = await two_counters(clerk)
    for _ in range(ROUNDS):
        visit = await come(lin)
        for action in ("call-next", "start", "finish"):
            assert (await clerk.at(HALL, counters[0], action)).status_code == 200
        undone, called = await gather(
            clerk.at(HALL, counters[0], "undo"), clerk.at(HALL, counters[1], "call-next")
        )
        states = await in_one_place(lin, visit, undone, called)
        if undone.status_code == 200:
            assert (called.status_code, states) == (409, ["serving", "pending", "pending"])
        else:
            assert (called.status_code, states) == (200, ["finished", "called", "pending"])
        await leave(lin, clerk, visit, counters)
