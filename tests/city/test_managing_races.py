"""Races over two API processes: closing while calling, two managers, two clerks."""

import asyncio
from asyncio import gather
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest

from tests.city.test_races import a_counter_for, citizens, http, items_of
from tests.conftest import City
from tests.people import Person, a_member_of_staff
from tests.sizes import size

__all__ = ["http"]
ROUNDS = size(40, 100)
# Each is whole by itself: a mixture of two is neither.
SKILLS: list[dict[str, list[str]]] = [
    {"own": ["A"], "helps": ["B", "E"]},
    {"own": ["B", "E"], "helps": ["A"]},
    {"own": ["E", "A", "B"], "helps": []},
]


async def a_manager(http: httpx.AsyncClient, hall: str) -> Person:
    return await a_member_of_staff(http, f"manager.{hall}")


async def counters_of(clerk: Person, hall: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    return found


async def places_of(people: list[Person], tickets: list[str]) -> dict[str, Any]:
    """By ticket: its state, where, and how many are ahead."""
    found = await gather(
        *(person.get(f"/tickets/{ticket}") for person, ticket in zip(people, tickets, strict=True))
    )
    seen = [reply.json() for reply in found]
    return {one["id"]: (one["state"], one["counter"], one["ahead"]) for one in seen}


async def comes_to(expected: Any, read: Callable[[], Awaitable[Any]]) -> None:
    """Wait until what is read is as expected: the other process hears a little later."""
    for _ in range(500):
        if (seen := await read()) == expected:
            break
        await asyncio.sleep(0.01)
    assert seen == expected


async def serves_but(manager: Person, hall: str, counter: str, line: str) -> None:
    """Let a counter serve every line of its hall but one."""
    lines = {one for each in await counters_of(manager, hall) for one in each["skills"]}
    body = {"own": sorted(lines - {line}), "helps": []}
    reply = await manager.put(f"/halls/{hall}/counters/{counter}/skills", body)
    assert reply.status_code == 200, reply.text
    [now] = [one for one in await counters_of(manager, hall) if one["code"] == counter]
    assert now["serving"] == body["own"]


async def test_a_counter_closing_while_it_calls_loses_nobody_and_calls_nobody_twice(
    http: httpx.AsyncClient, city: City
) -> None:
    hall = "dg-28"
    people = await citizens(http, city, 3)
    item = (await items_of(http, hall))[0]
    clerk, [here, there, *_], line = await a_counter_for(http, hall, item, people[0])
    tickets = [(await person.take(hall, item)).json()["id"] for person in people]
    for _ in range(ROUNDS):
        called, other, closed = await gather(
            clerk.at(hall, here, "call-next"),
            clerk.at(hall, there, "call-next"),
            clerk.at(hall, here, "close"),
        )
        assert closed.status_code == 200, closed.text
        assert other.status_code == 200, other.text
        assert called.status_code == 200 or called.json()["code"] == "wrong_state"
        by_there = other.json()["id"]
        places = {
            ticket: ("called", there, None) if ticket == by_there else ("waiting", None, 0)
            for ticket in tickets
        }
        # Whoever was sent back is where she was: the first of those who wait.
        last = max(nth for nth, ticket in enumerate(tickets) if ticket != by_there)
        places[tickets[last]] = ("waiting", None, 1)
        await comes_to(places, partial(places_of, people, tickets))
        assert (await clerk.at(hall, there, "undo")).status_code == 200
        assert (await clerk.at(hall, here, "open", {"lines": [line]})).status_code == 200
    for person, ticket in zip(people, tickets, strict=True):
        assert (await person.post(f"/tickets/{ticket}/cancel")).status_code == 200


async def test_of_two_managers_at_once_the_last_one_wins_whole(
    http: httpx.AsyncClient, city: City
) -> None:
    hall, counter = "dg-29", "01"
    chiefs = [await a_manager(http, hall), await a_member_of_staff(http, "admin")]
    if any(chief.session.get("duty") for chief in chiefs):
        chiefs = [chiefs[0], await a_manager(http, hall)]
    path = f"/halls/{hall}/counters/{counter}/skills"
    for turn in range(ROUNDS):
        [before] = [one for one in await counters_of(chiefs[0], hall) if one["code"] == counter]
        wishes = [SKILLS[turn % 3], SKILLS[(turn + 1) % 3]]
        seen = {"version": before["version"]} if turn % 2 else {}
        replies = await gather(
            *(chief.put(path, wish | seen) for chief, wish in zip(chiefs, wishes, strict=True))
        )
        [after] = [one for one in await counters_of(chiefs[0], hall) if one["code"] == counter]
        now = {"own": after["own"], "helps": after["helps"]}
        assert after["serving"] == now["own"] + now["helps"]
        if seen:
            assert sorted(reply.status_code for reply in replies) == [200, 409]
            loser = next(reply for reply in replies if reply.status_code == 409)
            assert loser.json()["code"] == "skills_changed"
            winner = wishes[[reply.status_code for reply in replies].index(200)]
            assert (now, after["version"]) == (winner, before["version"] + 1)
        else:
            assert [reply.status_code for reply in replies] == [200, 200]
            assert after["version"] == before["version"] + 2
            last = max(replies, key=lambda reply: reply.json()["version"])
            assert now == {name: last.json()[name] for name in ("own", "helps")}
            assert now in wishes


@pytest.mark.parametrize("take_over", [False, True])
async def test_two_clerks_who_open_one_counter_at_once_both_know_who_works_there(
    http: httpx.AsyncClient, city: City, take_over: bool
) -> None:
    hall, counter = "dg-30", "02"
    clerks = [await a_member_of_staff(http, f"clerk.{hall}.0{nth}") for nth in (1, 2)]
    names = {}
    for clerk in clerks:
        names[clerk.token] = (await clerk.at(hall, counter, "open")).json()["staffed_by"]
        await clerk.at(hall, counter, "close")
    assert len(set(names.values())) == 2
    for _ in range(ROUNDS // 4):
        replies = await gather(
            *(clerk.at(hall, counter, "open", {"take_over": take_over}) for clerk in clerks)
        )
        [after] = [one for one in await counters_of(clerks[0], hall) if one["code"] == counter]
        won = [clerk for clerk, reply in zip(clerks, replies, strict=True) if reply.is_success]
        assert len(won) == (2 if take_over else 1)
        assert after["staffed_by"] in [names[clerk.token] for clerk in won]
        [closed] = [one for one in clerks if names[one.token] == after["staffed_by"]]
        assert (await closed.at(hall, counter, "close")).status_code == 200


async def test_overflow_opened_and_ended_while_counters_call_follows_one_order(
    http: httpx.AsyncClient, city: City
) -> None:
    hall = "dg-30"
    [person] = await citizens(http, city, 1)
    item = (await items_of(http, hall))[0]
    clerk, able, line = await a_counter_for(http, hall, item, person)
    manager = await a_manager(http, hall)
    for code in able:
        await clerk.at(hall, code, "close")
    helper = able[0]
    await serves_but(manager, hall, helper, line)
    await clerk.at(hall, helper, "open")
    path = f"/halls/{hall}/lines/{line}/overflow"
    for _ in range(ROUNDS // 4):
        ticket = (await person.take(hall, item)).json()["id"]
        opened, called = await gather(
            manager.post(path, {"counters": [helper]}), clerk.at(hall, helper, "call-next")
        )
        assert opened.status_code == 200, opened.text
        if called.status_code != 200:
            assert called.json()["code"] == "nobody_waiting"
            called = await clerk.at(hall, helper, "call-next")
        assert called.json()["id"] == ticket
        assert (await manager.delete(path)).status_code == 200
        assert (await person.post(f"/tickets/{ticket}/cancel")).status_code == 200
        await person.take(hall, item)
        late = await clerk.at(hall, helper, "call-next")
        assert late.json()["code"] == "nobody_waiting"
        for mine in (await person.get("/tickets?limit=1")).json()["data"]:
            await person.post(f"/tickets/{mine['id']}/cancel")
