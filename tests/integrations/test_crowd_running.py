"""The simulated crowd: patient at the door, and a city that comes to life through the API alone."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

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
from integrations.sandbox.crowd.door import Answer, Door, Session, held_for_s, what_of
from integrations.sandbox.crowd.pace import Gate
from integrations.sandbox.crowd.rates import Rates
from tests.conftest import City
from tests.house.test_commands import Surroundings, begin
from tests.people import Person, a_member_of_staff

# What is waited for comes in some ten seconds on a quiet machine.
PATIENCE_S = 100

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


@pytest.mark.parametrize(
    ("path", "status", "code", "errors"),
    [
        ("/api/v1/tickets/7/let-pass", 409, "nobody_behind", 0),
        # She has moved to another hall meanwhile.
        ("/api/v1/halls/dg-03/tickets/7/return", 404, "not_found", 0),
        # There is no such address.
        ("/api/v1/halls/dg-03/lines/A/dance", 404, "not_found", 1),
        ("/api/v1/tickets", 422, "invalid_request", 1),
        ("/api/v1/halls/dg-03/lines/A/stop", 403, "not_allowed", 1),
    ],
)
async def test_a_refusal_is_counted_and_is_an_error_only_where_we_asked_wrongly(
    path: str, status: int, code: str, errors: int
) -> None:
    figures = Figures()
    http, door = door_to(lambda _: httpx.Response(status, json={"code": code}), figures)
    async with http:
        answer = await door.ask("POST", path)
    assert (answer.status, answer.code) == (status, code)
    assert figures.refused == {code: 1}
    assert figures.errors == errors


def test_a_log_line_about_an_address_names_nobody_and_nothing() -> None:
    url = "http://city/api/v1/halls/dg-03/tickets/0190-ab1/return?x=1"
    assert what_of(url) == "/api/v1/halls/*/tickets/*/return"


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


async def test_a_crowd_is_not_sent_to_what_is_no_city(city: City) -> None:
    wrong_way = CrowdPlan(api_url=city.sandbox_url, sandbox_url=city.url, password="x")
    with pytest.raises(NoCity, match="no city of ours"):
        await require_city(wrong_way)
    there = CrowdPlan(api_url=city.url, sandbox_url=city.sandbox_url, password="x")
    await require_city(there)


async def test_a_city_comes_to_life(city: City) -> None:
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
    figures, quiet = Figures(), set(halls)

    async def life() -> None:
        async with httpx.AsyncClient(base_url=city.url, trust_env=False) as http:
            while quiet or figures.served < 5 or figures.arrivals < 10:
                for hall in [*quiet]:
                    board = (await http.get(f"/api/v1/halls/{hall}/board")).json()
                    if board["called"]:
                        quiet.remove(hall)
                await asyncio.sleep(0.1)

    await simulate_crowd(plan, asyncio.wait_for(life(), PATIENCE_S), figures)
    assert figures.called >= figures.served >= 5
    assert figures.errors == 0


async def test_a_clerk_leaves_the_counter_to_whoever_takes_it_over(city: City) -> None:
    hall, figures = "dg-12", Figures()
    plan = CrowdPlan(
        api_url=city.url,
        sandbox_url=city.sandbox_url,
        password="yiting-demo",
        per_hour=600,
        speed=600,
        halls=frozenset({hall}),
        opening_s=0,
    )

    async def a_human_comes(manager: Person) -> None:
        while not figures.called:  # noqa: ASYNC110 others count
            await asyncio.sleep(0.1)
        opened = await manager.at(hall, "01", "open", {"take_over": True})
        assert opened.status_code == 200
        # Whoever is there is served, and then the next.
        while (await manager.at(hall, "01", "call-next")).status_code != 200:
            await manager.at(hall, "01", "start")
            await manager.at(hall, "01", "finish", {})
            await asyncio.sleep(0.05)
        called = figures.called
        while figures.called < called + 5:  # noqa: ASYNC110 the others go on
            await asyncio.sleep(0.1)
        await manager.at(hall, "01", "start")
        assert (await manager.at(hall, "01", "finish", {})).status_code == 200
        for _ in range(20):
            await asyncio.sleep(0.1)
            counters = (await manager.get(f"/halls/{hall}/counters")).json()["data"]
            assert counters[0]["code"] == "01"
            assert counters[0]["number"] is None
            assert counters[0]["staffed_by"] == opened.json()["staffed_by"]

    async with httpx.AsyncClient(base_url=city.url, trust_env=False, timeout=20) as http:
        manager = await a_member_of_staff(http, f"manager.{hall}")
        await simulate_crowd(plan, asyncio.wait_for(a_human_comes(manager), PATIENCE_S), figures)
    assert figures.errors == 0


# Everybody does everything, and often: what takes an hour of the usual city is seen in seconds.
LIVELY = Rates(
    at_the_hall=0.4,
    at_the_kiosk=0.5,
    proves_name=0.6,
    for_parent=0.8,
    claims=0.3,
    several_items=0.2,
    bundles=0.4,
    books=0.4,
    books_soon=1.0,
    holds_first=0.3,
    moves_booking=0.25,
    cancels_booking=0.25,
    misses_booking=0.2,
    waits_for_place=1.0,
    books_at_desk=0.3,
    gives_up=0.2,
    lets_pass=0.3,
    looks_elsewhere=0.5,
    checks_in=0.4,
    shares=0.3,
    comes_when_called=0.7,
    recalls=0.8,
    comes_back=0.8,
    parks=0.15,
    sent_to_line=0.08,
    sent_to_counter=0.08,
    sent_to_hall=0.08,
    slips=0.1,
    next_item=0.15,
    pauses=0.1,
    hands_over=0.1,
    closes_early=0.08,
    calls_for_help=0.3,
    announces_per_hour=20,
    opens_overflow_per_hour=60,
    reassigns_per_hour=20,
    pauses_line_per_hour=10,
    stops_line_per_hour=10,
)
# What a machine that keeps up has none of, and what is nobody's step.
NO_STEPS = {"requests", "turned_away", "skipped", "held_back", "errors"}
# Who waits for a place needs a week that is booked up.
SELDOM = {"waits_for_place", "offers_accepted"}


async def test_every_step_of_a_tickets_life_happens_and_all_fits_together_after_it(
    city: City,
) -> None:
    # Halls of its own: the first is large enough for a kiosk.
    plan = CrowdPlan(
        api_url=city.url,
        sandbox_url=city.sandbox_url,
        password="yiting-demo",
        per_hour=600,
        speed=120,
        halls=frozenset({"dg-03", "dg-04", "dg-08", "dg-11"}),
        rates=LIVELY,
        opening_s=0,
    )
    figures = Figures()

    def not_seen() -> set[str]:
        counts = figures.counts()
        return {name for name in counts.keys() - NO_STEPS - SELDOM if not counts[name]}

    async def every_step() -> None:
        while not_seen():  # noqa: ASYNC110 others count
            await asyncio.sleep(0.1)

    with suppress(TimeoutError):
        await simulate_crowd(plan, asyncio.wait_for(every_step(), PATIENCE_S), figures)
    assert not_seen() == set()
    assert figures.errors == 0, figures.refused
    async with httpx.AsyncClient(base_url=city.url, trust_env=False) as http:
        manager = await a_member_of_staff(http, "manager.dg-03")
        assert (await manager.get("/halls/dg-03/kiosks")).json()["data"] == []
        for line in "ABCDE":
            assert (await manager.get(f"/halls/dg-03/lines/{line}")).json()["state"] == "open"
    around = Surroundings(city.data_dir.parent, {}).but(data_dir=str(city.data_dir))
    verifying = await begin(around, "verify", stdout=asyncio.subprocess.PIPE)
    out, wrong = await asyncio.wait_for(verifying.communicate(), 60)
    assert (verifying.returncode, wrong) == (0, b"")
    assert "All is well" in out.decode()
