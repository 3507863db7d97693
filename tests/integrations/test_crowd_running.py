"""The simulated crowd: patient at the door, and a city that comes to life through the API alone."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.sandbox.crowd import (
    CrowdPlan,
    Figures,
    NoAddress,
    NoCity,
    require_city,
    simulate_crowd,
)
from integrations.sandbox.crowd.door import Answer, Door, Session, held_for_s
from integrations.sandbox.crowd.pace import Gate

# --- the door ---


def door_to(
    handler: Callable[[httpx.Request], httpx.Response], figures: Figures
) -> tuple[httpx.AsyncClient, Door]:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://city")
    gate = Gate(first_per_s=1_000, first_for_s=0, per_s=1_000)
    return http, Door(http, gate, figures)


async def test_a_restart_and_a_fault_are_waited_out_with_the_same_key() -> None:
    keys: list[str] = []

    def restarting(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(503 if len(keys) == 2 else 201, json={"id": "x"})

    figures = Figures()
    http, door = door_to(restarting, figures)
    async with http:
        answer = await door.ask("POST", "/api/v1/tickets", {}, key="k")
    assert answer.ok
    assert keys == ["k", "k", "k"]
    assert figures.errors == 2


async def test_retry_after_is_respected() -> None:
    asked: list[float] = []

    def busy(_: httpx.Request) -> httpx.Response:
        asked.append(asyncio.get_running_loop().time())
        return httpx.Response(200 if len(asked) > 1 else 429, headers={"Retry-After": "1"}, json={})

    figures = Figures()
    http, door = door_to(busy, figures)
    async with http:
        assert (await door.ask("GET", "/")).ok
    assert asked[1] - asked[0] >= 1
    assert (figures.held_back, figures.errors) == (1, 0)


@given(st.none() | st.text() | st.sampled_from(["nan", "inf", "-1", "1e9", "3"]))
def test_any_retry_after_is_a_bearable_wait(header: str | None) -> None:
    assert 0 <= held_for_s(header) <= 60


async def test_a_token_that_ran_out_is_refreshed_and_a_dead_sign_in_begun_anew() -> None:
    said: list[str] = []

    def city(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/refresh"):
            spent = json.loads(request.content)["refresh_token"]
            said.append(spent)
            pair = {"access_token": "good", "refresh_token": "r2"}
            return httpx.Response(200 if spent == "r1" else 401, json=pair)
        token = request.headers["authorization"].removeprefix("Bearer ")
        said.append(token)
        return httpx.Response(200 if token == "good" and said.count("good") != 2 else 401)

    async def sign_in() -> Answer:
        said.append("sign-in")
        return Answer(200, {"access_token": "old", "refresh_token": "r1"})

    http, door = door_to(city, Figures())
    async with http:
        session = Session(door, sign_in)
        assert (await session.ask("GET", "/api/v1/me")).ok
        assert said == ["sign-in", "old", "r1", "good"]
        said.clear()
        said.append("good")
        # Now the token is dead, its refresh token, too, and so is the first of the new sign-in.
        assert (await session.ask("GET", "/api/v1/me")).status == 401
        assert said == ["good", "good", "r2", "sign-in", "old"]


# --- the whole crowd ---


async def test_it_stops_at_once_though_nobody_answers() -> None:
    plan = CrowdPlan(api_url="http://127.0.0.1:9", sandbox_url="http://127.0.0.1:9", password="x")
    loop = asyncio.get_running_loop()
    began = loop.time()
    figures = await simulate_crowd(plan, asyncio.sleep(0.5))
    assert 0.5 <= loop.time() - began < 1.5
    assert figures.arrivals == 0
    assert figures.errors > 0


@pytest.mark.parametrize(
    "url", ["nonsense", "", "http://", "ftp://x", "http://x:99999999", "http://[", "127.0.0.1:8000"]
)
async def test_a_crowd_is_not_sent_to_what_is_no_address(url: str) -> None:
    plan = CrowdPlan(api_url=url, sandbox_url="http://127.0.0.1:9", password="x")
    with pytest.raises(NoAddress, match="is no address"):
        await require_city(plan)


async def test_a_crowd_is_not_sent_to_a_city_that_does_not_answer() -> None:
    plan = CrowdPlan(api_url="http://127.0.0.1:9", sandbox_url="http://127.0.0.1:9", password="x")
    with pytest.raises(NoCity, match=r"does not answer .*start the city first"):
        await require_city(plan, wait_s=0)


async def test_a_crowd_is_not_sent_to_what_is_no_city(city: Any) -> None:
    wrong_way = CrowdPlan(api_url=city.sandbox_url, sandbox_url=city.url, password="x")
    with pytest.raises(NoCity, match="no city of ours"):
        await require_city(wrong_way)
    there = CrowdPlan(api_url=city.url, sandbox_url=city.sandbox_url, password="x")
    await require_city(there)


async def test_a_city_comes_to_life(city: Any) -> None:
    # Halls of its own: other tests have the same city.
    halls = ("dg-31", "dg-32")
    plan = CrowdPlan(
        api_url=city.url,
        sandbox_url=city.sandbox_url,
        password="yiting-demo",
        per_hour=600,
        speed=600,
        halls=frozenset(halls),
    )
    figures = Figures()

    async def life() -> None:
        while not (figures.served >= 5 and figures.arrivals >= 10):  # noqa: ASYNC110 others count
            await asyncio.sleep(0.1)

    await simulate_crowd(plan, asyncio.wait_for(life(), 30), figures)
    assert figures.called >= figures.served >= 5
    assert figures.errors == 0
    async with httpx.AsyncClient(base_url=city.url, trust_env=False) as http:
        for hall in halls:
            board = (await http.get(f"/api/v1/halls/{hall}/board")).json()
            assert "open" in {counter["state"] for counter in board["counters"]}
            assert board["called"]
