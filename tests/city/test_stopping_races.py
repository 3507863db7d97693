"""A line that is stopped while people take numbers and counters call, over two API processes."""

import asyncio
from asyncio import gather
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from tests.conftest import City
from tests.people import Person, a_citizen, a_member_of_staff, with_a_device
from tests.sizes import size

ROUNDS = size(6, 12)
HALLS = ("dg-17", "dg-18", "dg-19")


@pytest_asyncio.fixture
async def http(city: City) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=60, max_keepalive_connections=60)
    async with httpx.AsyncClient(
        base_url=city.url, limits=limits, trust_env=False, timeout=30
    ) as client:
        yield client


async def an_item(http: httpx.AsyncClient, *halls: str) -> str:
    """An item that all these halls offer and that asks for no surer identity."""
    offered: list[set[str]] = []
    for hall in halls:
        found = await http.get("/api/v1/items", params={"hall": hall, "limit": 100})
        offered.append(
            {item["code"] for item in found.json()["data"] if item["level_required"] == 0}
        )
    return min(set.intersection(*offered))


async def a_manager(http: httpx.AsyncClient, hall: str) -> Person:
    return await with_a_device(await a_member_of_staff(http, f"manager.{hall}"))


async def now(person: Person, ticket: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await person.get(f"/tickets/{ticket['id']}")).json()
    return found


async def test_whoever_takes_a_number_while_the_line_stops_is_sent_on_or_refused(
    http: httpx.AsyncClient, city: City
) -> None:
    hall, other = HALLS[:2]
    item = await an_item(http, hall, other)
    people = list(await gather(*(a_citizen(http, city.sandbox_url) for _ in range(8))))
    manager = await a_manager(http, hall)
    line = (await people[0].take(hall, item)).json()
    await people[0].post(f"/tickets/{line['id']}/cancel")
    stop = f"/halls/{hall}/lines/{line['line']}"
    for _ in range(ROUNDS):
        stopped, *taken = await gather(
            manager.post(f"{stop}/stop", {"reason": "系统故障", "to": {"hall": other}}),
            *(person.take(hall, item) for person in people),
        )
        assert stopped.status_code == 200, stopped.text
        assert {reply.status_code for reply in taken} <= {201, 409}
        got = [
            (person, reply.json())
            for person, reply in zip(people, taken, strict=True)
            if reply.status_code == 201
        ]
        assert all(
            reply.json()["code"] == "line_closed" for reply in taken if reply.status_code == 409
        )
        # Whoever got a number got it before the line stopped: so all of them were sent on.
        assert stopped.json()["sent"] == len(got)
        there = [await now(person, ticket) for person, ticket in got]
        assert [ticket["hall"] for ticket in there] == [other] * len(got)
        assert len({ticket["number"] for ticket in there}) == len(got)
        assert (await manager.post(f"{stop}/open")).status_code == 200
        await gather(*(person.post(f"/tickets/{one['id']}/cancel") for person, one in got))


async def test_whoever_is_called_while_the_line_stops_is_called_once_and_in_one_place(
    http: httpx.AsyncClient, city: City
) -> None:
    hall, other = HALLS[2], HALLS[1]
    item = await an_item(http, hall, other)
    people = list(await gather(*(a_citizen(http, city.sandbox_url) for _ in range(4))))
    manager = await a_manager(http, hall)
    ticket = (await people[0].take(hall, item)).json()
    await people[0].post(f"/tickets/{ticket['id']}/cancel")
    line = ticket["line"]
    desks: list[tuple[Person, str, str]] = []
    for place in (hall, other):
        clerk = await a_member_of_staff(http, f"clerk.{place}.01")
        counters = (await clerk.get(f"/halls/{place}/counters")).json()["data"]
        able = [one["code"] for one in counters if line in one["skills"]][:2]
        for code in able:
            opened = await clerk.at(place, code, "open", {"lines": [line]})
            assert opened.status_code == 200, opened.text
            desks.append((clerk, place, code))
    for _ in range(ROUNDS):
        tickets = [(await person.take(hall, item)).json() for person in people]
        stopped, *calls = await gather(
            manager.post(
                f"/halls/{hall}/lines/{line}/stop", {"reason": "停电", "to": {"hall": other}}
            ),
            *(clerk.at(place, code, "call-next") for clerk, place, code in desks),
        )
        assert stopped.status_code == 200, stopped.text
        called = [reply.json()["id"] for reply in calls if reply.status_code == 200]
        assert len(called) == len(set(called))
        states = [await now(person, ticket) for person, ticket in zip(people, tickets, strict=True)]
        assert sum(one["state"] == "called" for one in states) == len(called)
        assert {one["hall"] for one in states if one["state"] == "waiting"} <= {other}
        assert (await manager.post(f"/halls/{hall}/lines/{line}/open")).status_code == 200
        await gather(
            *(
                person.post(f"/tickets/{ticket['id']}/cancel")
                for person, ticket in zip(people, tickets, strict=True)
            )
        )


async def test_two_halls_that_stop_at_once_and_send_to_each_other_both_finish(
    http: httpx.AsyncClient, city: City
) -> None:
    here, there = HALLS[:2]
    item = await an_item(http, here, there)
    people = list(await gather(*(a_citizen(http, city.sandbox_url) for _ in range(6))))
    managers = {hall: await a_manager(http, hall) for hall in (here, there)}
    for _ in range(ROUNDS // 2):
        tickets = list(
            await gather(
                *(person.take((here, there)[nth % 2], item) for nth, person in enumerate(people))
            )
        )
        lines = {reply.json()["hall"]: reply.json()["line"] for reply in tickets}
        async with asyncio.timeout(10):
            replies = await gather(
                *(
                    managers[hall].post(
                        f"/halls/{hall}/lines/{lines[hall]}/stop",
                        {"reason": "停电", "to": {"hall": to}},
                    )
                    for hall, to in ((here, there), (there, here))
                )
            )
        assert [reply.status_code for reply in replies] == [200, 200]
        # The first sends its three; the second finds that line stopped, so all six stay with it.
        assert sorted(reply.json()["sent"] for reply in replies) == [0, 3]
        assert sorted(reply.json()["stayed"] for reply in replies) == [0, 6]
        for hall in (here, there):
            await managers[hall].post(f"/halls/{hall}/lines/{lines[hall]}/open")
        await gather(
            *(
                person.post(f"/tickets/{reply.json()['id']}/cancel")
                for person, reply in zip(people, tickets, strict=True)
            )
        )
