"""Races over two API processes, with real connections."""

import asyncio
from asyncio import gather
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.conftest import City
from tests.people import Person, a_citizen, a_member_of_staff
from tests.sizes import size

ROUNDS = size(40, 100)
FEW_ROUNDS = size(10, 20)
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
        for action in ("start", "finish"):
            await gather(*(clerk.at(hall, code, action) for code in able))


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


async def a_counter_for(
    http: httpx.AsyncClient, hall: str, item: str, person: Person
) -> tuple[Person, list[str], str]:
    """A clerk, the counters open for just the line of that item, and the line."""
    clerk = await a_member_of_staff(http, f"clerk.{hall}.01")
    ticket = (await person.take(hall, item)).json()
    await person.post(f"/tickets/{ticket['id']}/cancel")
    line: str = ticket["line"]
    counters = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    able = [one["code"] for one in counters if line in one["skills"]]
    for code in able:
        opened = await clerk.at(hall, code, "open", {"lines": [line]})
        assert opened.status_code == 200, opened.text
    return clerk, able, line


async def test_a_number_given_up_while_it_is_called_is_one_or_the_other(
    http: httpx.AsyncClient, city: City
) -> None:
    hall = "dg-09"
    [person] = await citizens(http, city, 1)
    item = (await items_of(http, hall))[0]
    clerk, [counter, *_], _ = await a_counter_for(http, hall, item, person)
    for _ in range(FEW_ROUNDS):
        ticket = (await person.take(hall, item)).json()
        called, cancelled = await gather(
            clerk.at(hall, counter, "call-next"), person.post(f"/tickets/{ticket['id']}/cancel")
        )
        # A called number may still be given up, so giving it up is never refused.
        assert cancelled.status_code == 200, cancelled.text
        assert called.status_code == 200 or called.json()["code"] == "nobody_waiting"
        assert (await person.get(f"/tickets/{ticket['id']}")).json()["state"] == "cancelled"
        after = await clerk.at(hall, counter, "start")
        assert after.json()["code"] == "wrong_state"


async def test_a_person_sent_on_while_counters_call_is_called_by_one_of_them(
    http: httpx.AsyncClient, city: City
) -> None:
    hall, other = "dg-15", "dg-16"
    [person] = await citizens(http, city, 1)
    item = (await items_of(http, hall))[0]
    clerk, able, _ = await a_counter_for(http, hall, item, person)
    there, theirs, _ = await a_counter_for(http, other, item, person)
    first, second = able[:2]
    for turn in range(FEW_ROUNDS):
        ticket = (await person.take(hall, item)).json()
        await clerk.at(hall, first, "call-next")
        to_hall = turn % 2 == 0
        sent, *calls = await gather(
            clerk.at(hall, first, "transfer", {"hall": other} if to_hall else {"counter": second}),
            clerk.at(hall, second, "call-next"),
            there.at(other, theirs[0], "call-next"),
            clerk.at(hall, first, "start"),
        )
        assert sent.status_code == 200, sent.text
        called = [reply for reply in calls[:2] if reply.status_code == 200]
        assert len(called) <= 1
        now = (await person.get(f"/tickets/{ticket['id']}")).json()
        assert now["hall"] == (other if to_hall else hall)
        assert now["state"] == ("called" if called else "waiting")
        if not called:
            by, where, at = (there, other, theirs[0]) if to_hall else (clerk, hall, second)
            assert (await by.at(where, at, "call-next")).json()["id"] == ticket["id"]
        assert (await person.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200


async def test_halls_that_send_people_to_each_other_do_not_wait_for_each_other(
    http: httpx.AsyncClient, city: City
) -> None:
    halls = ("dg-12", "dg-13")
    people = await citizens(http, city, 8)
    item = (await items_of(http, halls[0]))[0]
    tickets = [
        (await person.take(halls[nth % 2], item)).json() for nth, person in enumerate(people)
    ]
    for turn in range(FEW_ROUNDS):
        replies = await gather(
            *(
                person.post(f"/tickets/{ticket['id']}/move", {"hall": halls[(nth + turn + 1) % 2]})
                for nth, (person, ticket) in enumerate(zip(people, tickets, strict=True))
            )
        )
        assert [reply.status_code for reply in replies] == [200] * len(people)
        numbers = [(reply.json()["hall"], reply.json()["number"]) for reply in replies]
        assert len(set(numbers)) == len(people)
    for person, ticket in zip(people, tickets, strict=True):
        assert (await person.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200


async def test_a_counter_that_closes_while_it_calls_leaves_nobody_standing_there(
    http: httpx.AsyncClient, city: City
) -> None:
    hall = "dg-14"
    [person] = await citizens(http, city, 1)
    item = (await items_of(http, hall))[0]
    clerk, [counter, *_], line = await a_counter_for(http, hall, item, person)
    for _ in range(FEW_ROUNDS):
        ticket = (await person.take(hall, item)).json()
        called, closed = await gather(
            clerk.at(hall, counter, "call-next"), clerk.at(hall, counter, "close")
        )
        # Called first, she was sent back into the line; closed first, nobody was called.
        assert closed.status_code == 200, closed.text
        assert called.status_code == 200 or called.json()["code"] == "wrong_state"
        now = (await person.get(f"/tickets/{ticket['id']}")).json()
        assert (now["state"], now["counter"]) == ("waiting", None)
        assert (await person.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200
        await clerk.at(hall, counter, "open", {"lines": [line]})


async def test_a_step_taken_back_while_the_next_is_called_is_one_or_the_other(
    http: httpx.AsyncClient, city: City
) -> None:
    hall = "dg-15"
    people = await citizens(http, city, 2)
    item = (await items_of(http, hall))[0]
    clerk, [counter, *_], _ = await a_counter_for(http, hall, item, people[0])
    for _ in range(FEW_ROUNDS):
        first, second = [(await person.take(hall, item)).json() for person in people]
        for action in ("call-next", "start", "finish"):
            assert (await clerk.at(hall, counter, action)).status_code == 200
        called, undone = await gather(
            clerk.at(hall, counter, "call-next"), clerk.at(hall, counter, "undo")
        )
        states = [
            (await person.get(f"/tickets/{ticket['id']}")).json()["state"]
            for person, ticket in zip(people, (first, second), strict=True)
        ]
        if called.status_code == 200:  # then the step taken back, if any, was that call
            assert states == ["finished", "waiting" if undone.status_code == 200 else "called"]
        else:
            assert (called.json()["code"], undone.status_code) == ("wrong_state", 200)
            assert states == ["serving", "waiting"]
            await clerk.at(hall, counter, "finish")
        await people[1].post(f"/tickets/{second['id']}/cancel")
