"""`verify` as it is started: on a city at work, by its URLs, and when all is not well."""

import asyncio
import json
from uuid import UUID

import asyncpg
import httpx
import pytest

from integrations.stores import EmbeddedStores, StoreUrls
from tests.conftest import City
from tests.house.test_commands import Surroundings, begin
from tests.people import a_citizen

HALL = "dg-22"


async def said(around: Surroundings, *arguments: str) -> tuple[int | None, str, str]:
    """How a command ended, and what it said on standard output and standard error."""
    process = await begin(around, *arguments, stdout=asyncio.subprocess.PIPE)
    out, wrong = await asyncio.wait_for(process.communicate(), 90)
    return process.returncode, out.decode(), wrong.decode()


@pytest.fixture
def beside(city: City) -> Surroundings:
    """The folder of a city that runs."""
    return Surroundings(city.data_dir.parent, {}).but(data_dir=str(city.data_dir))


async def test_a_city_at_work_is_well(city: City, beside: Surroundings) -> None:
    async with httpx.AsyncClient(base_url=city.url, trust_env=False, timeout=20) as http:
        items = (await http.get("/api/v1/items", params={"hall": HALL, "limit": 100})).json()
        item = next(one["code"] for one in items["data"] if one["level_required"] == 0)
        person = await a_citizen(http, city.sandbox_url)
        taken = await person.post(
            "/tickets", {"hall": HALL, "item": item}, Idempotency_Key="of-a-city-at-work"
        )
        assert taken.status_code == 201, taken.text
    code, out, wrong = await said(beside, "verify")
    assert (code, wrong) == (0, "")
    assert "一致 All is well" in out
    by_option = ("verify", "--json", "--hall", HALL, "--data-dir", str(city.data_dir))
    code, out, wrong = await said(Surroundings(beside.folder, {}), *by_option)
    told = json.loads(out)
    assert (code, wrong, told["ok"], told["faults"]) == (0, "", True, [])
    assert told["tickets"] >= 1
    code, out, _ = await said(beside, "verify", "--json", "--day", "2020-01-01")
    assert (code, json.loads(out)["tickets"]) == (0, 0)


async def test_what_is_wrong_is_listed_and_the_exit_code_is_1(
    city: City, beside: Surroundings
) -> None:
    url = EmbeddedStores(city.data_dir).urls.database
    stray = UUID(int=7)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind)"
            f" SELECT '{stray}', id, now(), 'issue', 'waiting', 'system'"
            f" FROM hall, generate_series(1, 30) WHERE code = '{HALL}'"
        )
        code, out, wrong = await said(beside, "verify")
        assert code == 1
        assert "30 × 事件没有对应的号票; events have no ticket (events_of_nobody)" in wrong
        assert wrong.count(str(stray)) == 20
        assert "… 另有 10 个 more" in wrong
        code, out, _ = await said(beside, "verify", "--json")
        told = json.loads(out)
        [fault] = told["faults"]
        assert (code, told["ok"], fault["kind"], fault["count"]) == (
            1,
            False,
            "events_of_nobody",
            30,
        )
        assert fault["meaning"] == {"zh": "事件没有对应的号票", "en": "events have no ticket"}
        assert fault["examples"][0]["hall"] == HALL
        assert fault["examples"][0]["ticket"] == str(stray)
    finally:
        await connection.execute("DELETE FROM ticket_event WHERE ticket_id = $1", stray)
        await connection.close()


async def test_what_cannot_be_verified_is_one_sentence(
    city: City, beside: Surroundings, store_urls: StoreUrls
) -> None:
    code, _, wrong = await said(beside, "verify", "--hall", "nowhere")
    assert (code, wrong) == (2, "There is no hall nowhere.\n")
    code, _, wrong = await said(beside, "verify", "--day", "today")
    assert code == 2
    assert "--day" in wrong
    urls = {"database_url": store_urls.database, "redis_url": store_urls.redis}
    nowhere = beside.but(**urls | {"database_url": "postgres://lin@127.0.0.1:1/city"})
    code, _, wrong = await said(nowhere, "verify")
    assert code == 1
    assert wrong.count("\n") == 1
    assert "does not answer" in wrong
