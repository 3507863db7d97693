"""A hundred rounds of each race over two API processes, in five halls at once.

Every answer of any of them is looked at: a deadlock or a fault that reaches anybody is a 5xx. Order
is compared, not only who: the lowest numbers are called, each round begins where the last ended.
"""

from asyncio import gather
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio

from tests.city.test_races import a_counter_for, citizens, items_of
from tests.conftest import City
from tests.people import Person, a_member_of_staff, with_a_device
from tests.sizes import size

HALLS = ("dg-21", "dg-22", "dg-31", "dg-32", "dg-33")
ROUNDS = size(8, 20)  # in each hall: a hundred in all
PEOPLE = 5

Ticket = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A hall with people, a clerk, and counters that are open for just one line."""

    hall: str
    item: str
    line: str
    clerk: Person
    counters: Sequence[str]
    people: Sequence[Person]

    async def take(self, person: Person) -> Ticket:
        """Her ticket; nothing stands against it."""
        reply = await person.take(self.hall, self.item)
        assert reply.status_code == 201, reply.text
        ticket: Ticket = reply.json()
        return ticket

    async def at(self, counter: str, action: str, body: Any = None) -> httpx.Response:
        """What a counter answers."""
        return await self.clerk.at(self.hall, counter, action, body)

    async def serve(self, counter: str) -> bool:
        """Serve whoever is at the counter; whether somebody was."""
        replies = [await self.at(counter, action) for action in ("start", "finish")]
        return all(reply.status_code == 200 for reply in replies)


async def no_fault(reply: httpx.Response) -> None:
    """Nobody ever sees a fault of ours, whatever races with whatever."""
    assert reply.status_code < 500, (reply.request.url.path, reply.status_code)


@pytest_asyncio.fixture
async def http(city: City) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=40, max_keepalive_connections=40)
    async with httpx.AsyncClient(
        base_url=city.url,
        limits=limits,
        trust_env=False,
        timeout=30,
        event_hooks={"response": [no_fault]},
    ) as http:
        yield http


@pytest_asyncio.fixture
async def sites(http: httpx.AsyncClient, city: City) -> AsyncIterator[list[Site]]:
    assert len(city.pids("api")) == 2

    async def one(hall: str) -> Site:
        people = await citizens(http, city, PEOPLE)
        item = (await items_of(http, hall))[0]
        clerk, counters, line = await a_counter_for(http, hall, item, people[0])
        return Site(hall, item, line, clerk, counters[:3], people)

    found = list(await gather(*(one(hall) for hall in HALLS)))
    yield found
    for site in found:
        for counter in site.counters:
            await site.at(counter, "close")


async def everywhere(sites: Sequence[Site], race: Callable[[Site, int], Awaitable[None]]) -> None:
    """A race, round after round, in all halls at once."""

    async def rounds(site: Site) -> None:
        for nth in range(ROUNDS):
            await race(site, nth)

    await gather(*(rounds(site) for site in sites))


def nth_of(number: str) -> int:
    return int(number[1:])


async def test_numbers_taken_at_once_are_dense_and_ordered(sites: list[Site]) -> None:
    last: dict[str, int] = {}

    async def race(site: Site, _nth: int) -> None:
        tickets = await gather(*(site.take(person) for person in site.people))
        given = sorted(nth_of(ticket["number"]) for ticket in tickets)
        first = last.get(site.hall, given[0] - 1) + 1
        assert given == list(range(first, first + PEOPLE))
        last[site.hall] = given[-1]
        # Each later number has one more before it.
        orders = await gather(
            *(
                person.get(f"/tickets/{ticket['id']}/order")
                for person, ticket in zip(site.people, tickets, strict=True)
            )
        )
        for ticket, order in zip(tickets, orders, strict=True):
            ahead = [nth_of(one["number"]) for one in order.json()["ahead"]]
            assert ahead == list(range(first, nth_of(ticket["number"])))
        await give_up(site, tickets)

    await everywhere(sites, race)


async def give_up(site: Site, tickets: Sequence[Ticket]) -> None:
    replies = await gather(
        *(
            person.post(f"/tickets/{ticket['id']}/cancel")
            for person, ticket in zip(site.people, tickets, strict=True)
        )
    )
    assert {reply.status_code for reply in replies} <= {200}


async def test_counters_that_call_at_once_call_the_first_and_each_another(
    sites: list[Site],
) -> None:
    async def race(site: Site, _nth: int) -> None:
        waiting: list[str] = [(await site.take(person))["number"] for person in site.people]
        while waiting:
            replies = await gather(*(site.at(code, "call-next") for code in site.counters))
            called = [reply.json()["number"] for reply in replies if reply.status_code == 200]
            refused = {reply.json()["code"] for reply in replies if reply.status_code != 200}
            many = min(len(site.counters), len(waiting))
            assert sorted(called) == waiting[:many]
            assert refused <= {"nobody_waiting"}
            waiting = waiting[many:]
            await gather(*(site.serve(code) for code in site.counters))

    await everywhere(sites, race)


async def test_a_number_given_up_while_it_is_called(sites: list[Site]) -> None:
    async def race(site: Site, _nth: int) -> None:
        first, second = site.people[:2]
        hers = await site.take(first)
        next_one = await site.take(second)
        called, cancelled = await gather(
            site.at(site.counters[0], "call-next"), first.post(f"/tickets/{hers['id']}/cancel")
        )
        assert (called.status_code, cancelled.status_code) == (200, 200)
        # Called and then given up, or given up and then the next was called.
        assert called.json()["id"] in {hers["id"], next_one["id"]}
        shown = (await first.get(f"/tickets/{hers['id']}")).json()
        assert shown["state"] == "cancelled"
        if called.json()["id"] == hers["id"]:
            assert (await site.at(site.counters[0], "start")).json()["code"] == "wrong_state"
            again = await site.at(site.counters[0], "call-next")
            assert again.json()["id"] == next_one["id"]
        assert await site.serve(site.counters[0])

    await everywhere(sites, race)


async def test_somebody_sent_on_while_others_call(sites: list[Site]) -> None:
    async def race(site: Site, nth: int) -> None:
        first, second, *_ = site.counters
        hers, next_one = [await site.take(person) for person in site.people[:2]]
        assert (await site.at(first, "call-next")).json()["id"] == hers["id"]
        to: dict[str, str] = {"counter": second} if nth % 2 else {"line": "A"}
        sent, called, started = await gather(
            site.at(first, "transfer", to), site.at(second, "call-next"), site.at(first, "start")
        )
        assert sent.status_code == 200, sent.text
        assert called.status_code == 200, called.text
        assert started.status_code in {200, 409}
        shown = (await site.people[0].get(f"/tickets/{hers['id']}")).json()
        if nth % 2:  # sent before the call she is ahead again, else the other was called
            by_second = called.json()["id"] == hers["id"]
            assert shown["state"] == ("called" if by_second else "waiting")
            assert shown["counter"] == second
            left = next_one if by_second else hers
        else:
            assert called.json()["id"] == next_one["id"]
            assert (shown["line"], shown["state"]) == ("A", "waiting")
            left = hers
        assert await site.serve(second)
        person = site.people[0] if left is hers else site.people[1]
        assert (await person.post(f"/tickets/{left['id']}/cancel")).status_code == 200

    await everywhere(sites, race)


async def test_a_counter_that_closes_while_it_calls_and_others_call(sites: list[Site]) -> None:
    async def race(site: Site, _nth: int) -> None:
        first, second, *_ = site.counters
        hers, next_one = [await site.take(person) for person in site.people[:2]]
        called, closed, other = await gather(
            site.at(first, "call-next"), site.at(first, "close"), site.at(second, "call-next")
        )
        assert closed.status_code == other.status_code == 200, (closed.text, other.text)
        assert called.status_code == 200 or called.json()["code"] == "wrong_state"
        by_second = other.json()["id"]
        assert by_second in {hers["id"], next_one["id"]}
        # Whoever was at the counter that closed waits again, in her place: she is next.
        left = next_one if by_second == hers["id"] else hers
        assert await site.serve(second)
        again = await site.at(second, "call-next")
        assert again.json()["id"] == left["id"]
        assert await site.serve(second)
        assert (await site.at(first, "open", {"lines": [site.line]})).status_code == 200

    await everywhere(sites, race)


async def test_two_managers_who_change_a_counters_lines_while_it_calls(
    http: httpx.AsyncClient, sites: list[Site]
) -> None:
    managers = {
        site.hall: await with_a_device(await a_member_of_staff(http, f"manager.{site.hall}"))
        for site in sites
    }

    async def race(site: Site, nth: int) -> None:
        manager, counter = managers[site.hall], site.counters[0]
        path = f"/halls/{site.hall}/counters/{counter}/skills"
        found = (await manager.get(f"/halls/{site.hall}/counters")).json()["data"]
        version = next(one["version"] for one in found if one["code"] == counter)
        ticket = await site.take(site.people[0])
        seen = {"version": version} if nth % 2 else {}
        wishes = [{"own": [site.line, "A"], **seen}, {"own": ["A", site.line], **seen}]
        *changed, called = await gather(
            *(manager.put(path, wish) for wish in wishes), site.at(counter, "call-next")
        )
        assert called.json()["id"] == ticket["id"], called.text
        done = [reply.json() for reply in changed if reply.status_code == 200]
        assert len(done) == (1 if seen else 2)
        refused = [reply.json()["code"] for reply in changed if reply.status_code != 200]
        assert refused == ["skills_changed"] * (2 - len(done))
        now = (await manager.get(f"/halls/{site.hall}/counters")).json()["data"]
        stands = next(one for one in now if one["code"] == counter)
        # The last counts, and whole.
        last = max(done, key=lambda one: one["version"])
        assert stands["skills"] == last["skills"]
        assert stands["version"] == last["version"] == version + len(done)
        assert await site.serve(counter)

    await everywhere(sites, race)
