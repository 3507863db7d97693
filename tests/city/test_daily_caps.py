"""Daily caps over two API processes: whatever is asked at once, nobody gets more than the cap."""

from asyncio import gather
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from integrations.stores import wipe
from scheduler.discipline import Rules
from tests.conftest import City, start_city, stop_city
from tests.people import a_citizen
from tests.sizes import size

ROUNDS = size(10, 20)
HALLS = ("dg-25", "dg-26", "dg-27")
MOST = Rules().daily_cap_line


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A city as it is shipped, in which anybody may ask as fast as she likes."""
    folder = tmp_path_factory.mktemp("limited")
    running = start_city(folder / "data", "--no-crowd", "--no-rate-limits")
    yield running
    stop_city(running)
    wipe(running.data_dir)


@pytest_asyncio.fixture
async def http(limited: City) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=40, max_keepalive_connections=40)
    async with httpx.AsyncClient(
        base_url=limited.url, limits=limits, trust_env=False, timeout=30
    ) as client:
        yield client


# Items of one line in each of these halls, for which anybody may take a number.
ITEMS = (
    "marriage-registration",
    "divorce-registration",
    "marriage-certificate-replacement",
    "elder-card",
    "old-age-allowance",
    "basic-funeral-waiver",
    "legal-aid",
    "mediation",
)


async def test_many_at_once_of_one_person_are_never_more_than_the_cap(
    http: httpx.AsyncClient, limited: City
) -> None:
    assert len(limited.pids("api")) == 2
    assert len(ITEMS) > MOST + 1
    for turn in range(ROUNDS):
        hall = HALLS[turn % len(HALLS)]
        person = await a_citizen(http, limited.sandbox_url)
        replies = await gather(*(person.take(hall, item) for item in ITEMS))
        given = [reply.json() for reply in replies if reply.status_code == 201]
        refused = [reply.json()["code"] for reply in replies if reply.status_code != 201]
        assert {ticket["line"] for ticket in given} == {"E"}
        assert (len(given), set(refused)) == (MOST, {"daily_cap_reached"}), refused
        for ticket in given:
            assert (await person.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200
        again = await person.take(hall, ITEMS[0])
        assert (again.status_code, again.json()["code"]) == (409, "daily_cap_reached")
