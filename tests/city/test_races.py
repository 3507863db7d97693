"""Races over two API processes, with real connections."""

import asyncio
from asyncio import gather
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.conftest import City
from tests.people import Person, a_citizen, a_member_of_staff

ROUNDS = 100
HALL = "dg-24"
COUNTERS = 8


@pytest_asyncio.fixture
async def http(city: City) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=60, max_keepalive_connections=60)
    async with httpx.AsyncClient(
        base_url=city.url, limits=limits, trust_env=False, timeout=30
    ) as client:
        yield client


async def items_of(http: httpx.AsyncClient, hall: str) -> list[str]:
    """Codes of the hall's items that ask for no surer identity."""
    found = (await http.get("/api/v1/items", params={"hall": hall, "limit": 100})).json()["data"]
    return [item["code"] for item in found if item["level_required"] == 0]


async def citizens(http: httpx.AsyncClient, city: City, count: int) -> list[Person]:
    return list(await gather(*(a_citizen(http, city.sandbox_url) for _ in range(count))))


async def test_fifty_people_at_once_get_fifty_dense_numbers(
    http: httpx.AsyncClient, city: City
) -> None:
    assert len(city.pids("api")) == 2
    item = (await items_of(http, HALL))[0]
    people = await citizens(http, city, 50)
    replies = await gather(*(person.take(HALL, item) for person in people))
    assert {reply.status_code for reply in replies} == {201}
    numbers = sorted(reply.json()["number"] for reply in replies)
    first = int(numbers[0][1:])
    assert numbers == [f"{numbers[0][0]}{first + nth:03d}" for nth in range(50)]
    for person, reply in zip(people, replies, strict=True):
        await person.post(f"/tickets/{reply.json()['id']}/cancel")


async def test_eight_counters_a_hundred_rounds_in_order_and_never_twice(
    http: httpx.AsyncClient, city: City
) -> None:
    hall = "dg-23"
    items = await items_of(http, hall)
    clerk = await a_member_of_staff(http, f"clerk.{hall}.01")
    counters = [one["code"] for one in (await clerk.get(f"/halls/{hall}/counters")).json()["data"]]
    opened = [code for code in counters if (await clerk.at(hall, code, "open")).is_success]
    skills = {
        one["code"]: set(one["serving"])
        for one in (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    }
    people = await citizens(http, city, COUNTERS)
    line = (await people[0].take(hall, items[0])).json()
    await people[0].post(f"/tickets/{line['id']}/cancel")
    able = [code for code in opened if line["line"] in skills[code]][:COUNTERS]
    assert len(able) >= 4
    for code in able:  # only this line, so that the order expected is plain to see
        await clerk.at(hall, code, "open", {"lines": [line["line"]]})
    seen: set[str] = set()
    for _ in range(ROUNDS):
        # As many wait as counters call: nobody may hear "nobody waiting".
        taken = [
            reply.json()
            for reply in await gather(
                *(person.take(hall, items[0]) for person in people[: len(able)])
            )
        ]
        replies = await gather(*(clerk.at(hall, code, "call-next") for code in able))
        assert [reply.status_code for reply in replies] == [200] * len(able)
        called = sorted(reply.json()["number"] for reply in replies)
        assert called == sorted(ticket["number"] for ticket in taken)
        assert not seen & set(called)
        seen |= set(called)
        await gather(*(clerk.at(hall, code, "miss") for code in able))


async def test_calls_racing_with_takes_and_cancels_never_call_twice(
    http: httpx.AsyncClient, city: City
) -> None:
    hall = "dg-07"
    item = (await items_of(http, hall))[0]
    clerk = await a_member_of_staff(http, f"clerk.{hall}.01")
    counters = [one["code"] for one in (await clerk.get(f"/halls/{hall}/counters")).json()["data"]]
    for code in counters:
        await clerk.at(hall, code, "open")
    people = await citizens(http, city, 20)

    async def visit(person: Person, nth: int) -> None:
        for turn in range(5):
            reply = await person.take(hall, item)
            assert reply.status_code in {201, 409}, reply.text
            if reply.status_code == 201 and (nth + turn) % 3 == 0:
                cancelled = await person.post(f"/tickets/{reply.json()['id']}/cancel")
                assert cancelled.status_code in {200, 409}

    calls: list[str] = []
    done = asyncio.Event()

    async def work(counter: str) -> None:
        while not done.is_set():
            reply = await clerk.at(hall, counter, "call-next")
            if reply.status_code == 200:
                calls.append(reply.json()["id"])
                started = await clerk.at(hall, counter, "start")
                if started.status_code == 200:
                    assert (await clerk.at(hall, counter, "finish")).status_code == 200
            else:
                assert reply.json()["code"] == "nobody_waiting", reply.text
                await asyncio.sleep(0.02)

    clerks = [asyncio.create_task(work(code)) for code in counters]
    await gather(*(visit(person, nth) for nth, person in enumerate(people)))
    done.set()
    await gather(*clerks)
    assert len(calls) == len(set(calls))
