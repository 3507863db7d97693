"""Again and again somebody is killed amid 500 operations, and nothing is lost or invented.

After each: events and rows agree (`verify`), what was acknowledged is there or something later is,
what was refused never happened, and who asks again with her key gets the first answer.
"""

import asyncio
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from tortoise.context import TortoiseContext

from integrations.stores import EmbeddedStores, wipe
from models import orm_config
from models.database import rows
from models.verifying import verify
from server.bench.city import city_without_caps
from tests.city.driving import Citizen, Clerk, Halls, Noted, drive
from tests.city.test_crashes import pid_of_store, until_ready
from tests.conftest import City, start_city, stop_city
from tests.people import Person, a_citizen, a_member_of_staff
from tests.sizes import size

HALLS = ("dg-23", "dg-24")
OPERATIONS = 500
PEOPLE = 14
# Who is killed, round after round; `backend` is one of PostgreSQL's own children.
ONCE = ("api", "api", "work", "postgres", "api", "api", "backend", "api", "both", "api")
VICTIMS = ONCE * size(1, 2)


@pytest.fixture(scope="module")
def own_city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A city that nobody else has: all that is in its database was done here."""
    folder = tmp_path_factory.mktemp("killed")
    files = city_without_caps(folder / "files")
    running = start_city(folder / "data", "--no-crowd", "--no-rate-limits", "--city", str(files))
    yield running
    stop_city(running)
    wipe(running.data_dir)


@pytest_asyncio.fixture
async def http(own_city: City) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=own_city.url, trust_env=False, timeout=20) as http:
        yield http


def victims(city: City, kind: str, dice: random.Random) -> list[int]:
    """Processes to kill."""
    match kind:
        case "api":
            return [dice.choice(city.pids("api"))]
        case "both":
            return city.pids("api")
        case "work":
            return city.pids("work")
        case "postgres":
            return [pid_of_store(city, "postgres")]
    found = subprocess.run(
        ["ps", "--ppid", str(pid_of_store(city, "postgres")), "-o", "pid=,args="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = [int(line.split()[0]) for line in found.splitlines() if " yiting " in line]
    return [dice.choice(ours)]


def kill(city: City, kind: str, dice: random.Random) -> None:
    """Kill one of a kind, at once."""
    for pid in victims(city, kind, dice):
        os.kill(pid, signal.SIGKILL)


async def people_in(http: httpx.AsyncClient, city: City, noted: Noted) -> list[Citizen | Clerk]:
    """Citizens, and a clerk at each counter of the halls; all counters are open."""
    dice = random.Random(20)
    offers = []
    for hall in HALLS:
        answer = await http.get("/api/v1/items", params={"hall": hall, "limit": 100})
        free = [item["code"] for item in answer.json()["data"] if not item["level_required"]]
        offers.append(free)
    items = [code for code in offers[0] if code in offers[1]][:4]
    halls = Halls(HALLS, items, ["A", "B", "D", "E"])
    actors: list[Citizen | Clerk] = []
    for hall in HALLS:
        clerk = await a_member_of_staff(http, f"clerk.{hall}.01")
        found = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
        codes = [counter["code"] for counter in found][:4]
        for code in codes:
            assert (await clerk.at(hall, code, "open")).status_code == 200
            own = random.Random(dice.random())
            actors.append(Clerk(clerk, hall, code, codes, halls, noted, own))
    for name in range(PEOPLE):
        person = await a_citizen(http, city.sandbox_url)
        own = random.Random(dice.random())
        actors.append(Citizen(person, name, halls, noted, own))
    return actors


async def check_what_was_answered(noted: Noted) -> None:
    """Compare what was noted with all rows and events there are."""
    stands = {str(row["id"]): row for row in await rows("SELECT id, state, version FROM ticket")}
    happened: dict[str, Counter[str]] = {ticket: Counter() for ticket in stands}
    for row in await rows("SELECT ticket_id, move FROM ticket_event WHERE move <> 'claim'"):
        happened[str(row["ticket_id"])][row["move"]] += 1
    for ticket, moves in noted.done.items():
        lost = moves - happened[ticket]
        assert not lost, f"acknowledged and gone: {lost} of {ticket}"
    for ticket, told in noted.newest.items():
        row = stands[ticket]
        assert row["version"] >= told["version"]
        if row["version"] == told["version"]:
            assert row["state"] == told["state"]
    # Whatever happened beyond what was acknowledged is of requests that got no answer.
    everything, answered = Counter[str](), Counter[str]()
    for moves in happened.values():
        everything.update(moves)
    for moves in noted.done.values():
        answered.update(moves)
    assert not everything - answered - noted.unknown


async def check_the_keys(noted: Noted) -> None:
    """Whoever asks again with her key gets the first answer, also when it never reached her."""

    async def again(person: Person, body: dict[str, object], key: str) -> httpx.Response:
        reply = await person.post("/tickets", body, Idempotency_Key=key)
        assert reply.status_code in {201, 409}, reply.text
        return reply

    async def check(key: str) -> None:
        person, body, first = noted.keyed[key]
        if first is None or first.status_code >= 500:
            reply = await again(person, body, key)
            noted.unknown["issue"] -= 1
            noted.hear("issue", reply)
            if reply.status_code == 201:
                assert (await again(person, body, key)).json() == reply.json()
        elif first.status_code == 201:
            assert (await again(person, body, key)).json() == first.json()

    await asyncio.gather(*(check(key) for key in noted.keyed))
    noted.keyed.clear()


async def check_what_is_shown(http: httpx.AsyncClient, actors: list[Citizen | Clerk]) -> None:
    """Every phone sees its ticket as it stands, and the boards count who waits."""
    stands = {row["id"]: row["state"] for row in await rows("SELECT id, state FROM ticket")}

    async def sees(person: Person, ticket: str) -> None:
        shown = (await person.get(f"/tickets/{ticket}")).json()
        assert shown["state"] == stands[UUID(ticket)]

    hers = [(a.person, one) for a in actors if isinstance(a, Citizen) for one in a.hers[-2:]]
    await asyncio.gather(*(sees(person, ticket) for person, ticket in hers))
    deadline = asyncio.get_running_loop().time() + 20
    for hall in HALLS:
        counted = await rows(
            "SELECT count(*) AS many FROM ticket JOIN hall ON hall.id = hall_id"
            " WHERE hall.code = $1 AND state = 'waiting'",
            hall,
        )
        while True:
            board = (await http.get(f"/api/v1/halls/{hall}/board")).json()
            if sum(line["waiting"] for line in board["lines"]) == counted[0]["many"]:
                break
            assert asyncio.get_running_loop().time() < deadline, "the board does not come back"
            await asyncio.sleep(0.05)


@pytest.mark.timeout(900)  # a hundred seconds on a quiet machine
async def test_whoever_is_killed_nothing_acknowledged_is_lost_and_nothing_refused_happens(
    own_city: City, http: httpx.AsyncClient
) -> None:
    noted, dice = Noted(), random.Random(19)
    actors = await people_in(http, own_city, noted)
    url = EmbeddedStores(own_city.data_dir).urls.database
    with TortoiseContext() as context:
        await context.init(config=orm_config(url, pool_size=1))
        for kind in VICTIMS:
            at = dice.randint(20, OPERATIONS - 60)
            await drive(
                actors, OPERATIONS, noted, after=at, then=partial(kill, own_city, kind, dice)
            )
            await until_ready(http, within_s=40)
            verdict = await verify()
            assert verdict.is_well, [
                str(one) for kept in verdict.found.kept.values() for one in kept
            ]
            await check_the_keys(noted)
            await check_what_was_answered(noted)
            await check_what_is_shown(http, actors)
        await context.connections.close_all()
    assert noted.operations >= len(VICTIMS) * OPERATIONS
    assert sum(noted.unknown.values()) > 0, "nobody was killed at work"
