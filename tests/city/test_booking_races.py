"""Bookings race over two API processes; one is killed in the midst, and nothing is lost."""

import asyncio
import os
import signal
from asyncio import gather
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from integrations.stores import EmbeddedStores
from server.bench.bench import Bench, Plan
from server.bench.bookings import bookable_items, plenty
from server.bench.city import citizens
from server.bench.races import CROWD, PLACES, race, starts_of
from tests.appointments.days import code_of
from tests.city.driving import asked
from tests.conftest import City
from tests.people import Person, a_citizen, a_member_of_staff
from tests.sizes import size

HALL = "dg-21"
# As the bar has it: twenty rounds, and all five hundred while processes are killed.
ROUNDS = size(3, 20)
A_FEW = 60
A_CROWD = size(A_FEW, CROWD)


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


def as_bench(city: City) -> Bench:
    """The city of these tests, as the bench asks of one."""
    api, sandbox = (httpx.URL(url) for url in (city.url, city.sandbox_url))
    return Bench(
        plan=Plan(),
        api=(api.host, api.port or 80),
        sandbox=(sandbox.host, sandbox.port or 80),
        empty=("", 0),
        guarded=("", 0),
        nation=None,
        database_url=EmbeddedStores(city.data_dir).urls.database,
        folder=city.data_dir,
        wrk=None,
        say=lambda _: None,
    )


@pytest.fixture
async def http(city: City) -> Any:
    limits = httpx.Limits(max_connections=80, max_keepalive_connections=80)
    async with httpx.AsyncClient(
        base_url=city.url, limits=limits, trust_env=False, timeout=60
    ) as client:
        yield client


async def people_of(http: httpx.AsyncClient, city: City, many: int) -> list[Person]:
    people: list[Person] = []
    while len(people) < many:  # what races is booking, not signing in
        some = range(min(A_FEW, many - len(people)))
        people += await gather(*(a_citizen(http, city.sandbox_url) for _ in some))
    return people


async def test_ten_places_go_to_ten_of_five_hundred_each_time(city: City) -> None:
    assert len(city.pids("api")) == 2
    bench = as_bench(city)
    await plenty(bench, [HALL], PLACES)
    [item, *_] = await bookable_items(bench)
    starts = await starts_of(bench, HALL, item)
    people = await citizens(bench, CROWD)
    for start in starts[-ROUNDS:]:
        found = await race(bench, people, HALL, item, start)
        assert found.is_right, (found.told, found.taken, found.rows)


async def test_what_was_promised_stands_though_a_process_dies(
    http: httpx.AsyncClient, city: City
) -> None:
    item = await an_item(http)
    slot = (await with_places(http, item, PLACES))[5]
    people = await people_of(http, city, A_CROWD)
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


async def test_every_hold_ends_and_every_place_is_offered_though_processes_die(
    http: httpx.AsyncClient, city: City
) -> None:
    item = await an_item(http)
    slot = (await with_places(http, item, PLACES))[9]
    people = await people_of(http, city, A_CROWD)
    wish = {"hall": HALL, "item": item, "slot_start": slot["start"], "hold": True}

    async def kill(*commands: str) -> None:
        await asyncio.sleep(0.05)
        for command in commands:
            os.kill(city.pids(command)[0], signal.SIGKILL)

    replies, _ = await gather(
        gather(*(asked(partial(one.post, "/appointments", wish)) for one in people)),
        kill("api", "work"),
    )
    refused = [p for p, r in zip(people, replies, strict=True) if r is None or r.is_error]
    promised = {UUID(r.json()["id"]) for r in replies if r is not None and r.is_success}
    async with rows_of(city) as connection:
        held = await connection.fetch(_IN_SLOT, HALL, slot["start"], "held")
        # What was promised is there, whoever else holds a place without knowing.
        assert promised <= {row["id"] for row in held}
        assert len(held) <= PLACES
        await until_full(refused, wish, PLACES - len(held))
        at = datetime.fromisoformat(slot["start"])
        end = datetime.fromisoformat(slot["end"])
        waits = {"hall": HALL, "item": item, "date": f"{at:%Y-%m-%d}"}
        waits |= {"from": f"{at:%H:%M}", "to": f"{end:%H:%M}"}
        in_order: list[UUID] = []
        for one in refused[-2 * PLACES :]:
            waiting = await answered(partial(one.post, "/waitlist", waits))
            in_order.append(UUID(waiting["id"]))
        for first in (0, PLACES):
            # Five minutes, or ten, pass for these rows; who is to see to it dies once more.
            await connection.execute(_TIME_PASSES, HALL, slot["start"])
            await kill("work")
            turn = in_order[first : first + PLACES]
            offered = await until_offered(connection, slot["start"], set(turn))
            assert sorted(row["waitlist_id"] for row in offered) == sorted(turn)
        assert not await connection.fetch(_IN_SLOT, HALL, slot["start"], "held")
        [counted] = await connection.fetch(_COUNTED, HALL, slot["start"])
        assert tuple(counted) == (PLACES, PLACES)
    await _until_two(city)


_SLOT = "hall_id = (SELECT id FROM hall WHERE code = $1) AND {at} = $2::text::timestamptz"
_IN_SLOT = f"""
    SELECT id, waitlist_id FROM appointment WHERE {_SLOT.format(at="slot_start")} AND state = $3
"""
_TIME_PASSES = f"""
    UPDATE appointment SET held_until = made_at
    WHERE {_SLOT.format(at="slot_start")} AND state IN ('held', 'offered')
"""
_COUNTED = f"""
    SELECT sum(taken)::int, sum((SELECT count(*) FROM appointment_place p
                                 WHERE p.slot_id = slot.id))::int
    FROM slot WHERE {_SLOT.format(at="starts_at")}
"""


@asynccontextmanager
async def rows_of(city: City) -> AsyncIterator[asyncpg.Connection]:
    """A look into the city's database."""
    connection = await asyncpg.connect(EmbeddedStores(city.data_dir).urls.database)
    try:
        yield connection
    finally:
        await connection.close()


async def answered(request: Callable[[], Any]) -> dict[str, Any]:
    """What is answered once somebody answers."""
    for _ in range(300):
        reply = await asked(request)
        if reply is not None and reply.status_code < 500:
            assert reply.is_success, reply.text
            found: dict[str, Any] = reply.json()
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("nobody answers")


async def until_full(people: list[Person], wish: dict[str, Any], left: int) -> None:
    """Let as many hold what is left."""
    for one in people[:left]:
        await answered(partial(one.post, "/appointments", wish))


async def until_offered(
    connection: asyncpg.Connection, start: str, to: set[UUID]
) -> list[asyncpg.Record]:
    """The offers of a slot, once all of these have one."""
    for _ in range(600):
        offered: list[asyncpg.Record] = await connection.fetch(_IN_SLOT, HALL, start, "offered")
        if to <= {row["waitlist_id"] for row in offered}:
            return offered
        await asyncio.sleep(0.05)
    raise AssertionError("not all that is free is offered")


async def _until_two(city: City) -> None:
    for _ in range(300):
        if len(city.pids("api")) == 2:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the process that died was not started again")
