"""Rate limits: counted here at once, and across processes through Valkey."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import redis.asyncio as aioredis

from integrations.stores import StoreUrls
from server.errors import TooManyRequests
from server.http import endpoint as endpoints
from server.http import limits as limits_module
from server.http.limits import Limits, Rate
from tests.conftest import Api, free_port

_serial = itertools.count()


def a_rate(most: int = 3, window_s: int = 3600) -> Rate:
    """A rate nobody else counts; its window is so long that no test meets its end."""
    return Rate(f"test-{next(_serial)}-{uuid4().hex}", most, window_s)


@pytest.fixture
async def valkey(store_urls: StoreUrls) -> AsyncIterator[aioredis.Redis]:
    client = aioredis.from_url(store_urls.redis)
    yield client
    await client.aclose()


def allowed(limits: Limits, rate: Rate, key: str = "lin", *, asked: int = 10) -> int:
    """How many of so many requests are let through."""
    passed = 0
    for _ in range(asked):
        try:
            limits.check(rate, key)
        except TooManyRequests:
            continue
        passed += 1
    return passed


def test_so_many_pass_and_no_more(valkey: aioredis.Redis) -> None:
    limits, rate = Limits(valkey, enabled=True), a_rate(most=3)
    assert allowed(limits, rate) == 3
    assert allowed(limits, rate) == 0
    assert allowed(limits, rate, "chen") == 3
    assert allowed(limits, a_rate(most=5)) == 5


def test_switched_off_it_counts_nothing(valkey: aioredis.Redis) -> None:
    limits = Limits(valkey, enabled=False)
    assert allowed(limits, a_rate(most=1), asked=1000) == 1000
    assert limits._counts == {}


def test_a_refusal_says_when_to_come_back(valkey: aioredis.Redis) -> None:
    limits, rate = Limits(valkey, enabled=True), a_rate(most=0, window_s=3600)
    with pytest.raises(TooManyRequests) as refused:
        limits.check(rate, "lin")
    wait = int(str(refused.value.headers["Retry-After"]))
    left = 3600 - time.time() % 3600
    assert 1 <= wait <= 3600
    assert abs(wait - left) <= 2


def test_the_next_window_begins_anew(
    valkey: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000_000.0
    monkeypatch.setattr("server.http.limits.time.time", lambda: now)
    limits, rate = Limits(valkey, enabled=True), a_rate(most=3, window_s=10)
    assert allowed(limits, rate) == 3
    now += 9.999
    assert allowed(limits, rate) == 0
    with pytest.raises(TooManyRequests) as refused:
        limits.check(rate, "lin")
    assert refused.value.headers["Retry-After"] == "1"
    now += 0.001
    assert allowed(limits, rate) == 3


async def test_two_processes_add_up(valkey: aioredis.Redis) -> None:
    here, there, rate = Limits(valkey, enabled=True), Limits(valkey, enabled=True), a_rate(most=10)
    assert allowed(here, rate, asked=6) == 6
    assert allowed(there, rate, asked=3) == 3
    await here._add_up()
    await there._add_up()
    assert allowed(there, rate) == 1
    # The first hears of the others when it next has something to tell.
    assert allowed(here, rate, asked=1) == 1
    await here._add_up()
    assert allowed(here, rate) == 0


async def test_what_was_told_once_is_not_told_again(valkey: aioredis.Redis) -> None:
    limits, rate = Limits(valkey, enabled=True), a_rate(most=100)
    allowed(limits, rate, asked=7)
    for _ in range(3):
        await limits._add_up()
    [name] = await valkey.keys(f"limit:{rate.name}:*")
    assert await valkey.get(name) == b"7"
    assert 0 < await valkey.ttl(name) <= 2 * rate.window_s
    assert allowed(limits, rate, asked=100) == 93


async def test_counts_of_past_windows_are_forgotten(
    valkey: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 2_000_000_000.0
    monkeypatch.setattr("server.http.limits.time.time", lambda: now)
    limits, rate = Limits(valkey, enabled=True), a_rate(window_s=10)
    for number in range(100):
        limits.check(rate, str(number))
    await limits._add_up()
    now += 10
    await limits._add_up()
    assert limits._counts == {}


async def test_without_valkey_each_process_still_counts_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits_module, "ADD_UP_EVERY_S", 0.01)
    nobody_there = aioredis.from_url(f"redis://127.0.0.1:{free_port()}")
    limits, rate = Limits(nobody_there, enabled=True), a_rate(most=3)
    adding = asyncio.create_task(limits.add_up_forever())
    assert allowed(limits, rate) == 3
    await asyncio.sleep(0.1)
    assert not adding.done()
    assert allowed(limits, rate) == 0
    adding.cancel()
    await nobody_there.aclose()


async def test_over_http_a_person_is_asked_to_wait(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    lin, chen = await api.citizen(), await api.citizen()
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr(endpoints, "PERSON", a_rate(most=3))
    replies = [await lin.get("/tickets") for _ in range(5)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429, 429]
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 3600
    assert replies[-1].json()["code"] == "too_many_requests"
    assert replies[-1].headers["content-type"] == "application/problem+json"
    assert (await chen.get("/tickets")).status_code == 200


async def test_over_http_an_address_is_asked_to_wait(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr(endpoints, "ADDRESS", a_rate(most=3))
    statuses = [(await api.http.get("/api/v1/halls")).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    # Naming another address in a header does not make one: no proxy is trusted here.
    claim = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
    assert (await api.http.get("/api/v1/halls", headers=claim)).status_code == 429


async def test_who_tries_tokens_out_is_counted_by_address(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr(endpoints, "ADDRESS", a_rate(most=3))
    statuses = [
        (
            await api.http.get("/api/v1/tickets", headers={"Authorization": f"Bearer {nth}"})
        ).status_code
        for nth in range(5)
    ]
    assert statuses == [401, 401, 401, 429, 429]


@pytest.mark.parametrize(
    "path", ["/", "/board/dg-01", "/board/nowhere", "/assets/yiting.css", "/docs", "/docs/problems"]
)
async def test_pages_count_against_the_address(
    api: Api, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr("server.http.addresses.ADDRESS", a_rate(most=2))
    replies = [await api.http.get(path, follow_redirects=True) for _ in range(3)]
    assert [reply.status_code == 429 for reply in replies] == [False, False, True]
    assert replies[-1].json()["code"] == "too_many_requests"
    assert int(replies[-1].headers["retry-after"]) >= 1


async def test_unknown_addresses_and_methods_count_together(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr("server.http.addresses.ADDRESS", a_rate(most=3))
    asked = [("GET", "/admin.php"), ("GET", "/api/v1/nothing"), ("DELETE", "/api/v1/halls")]
    statuses = [(await api.http.request(*each)).status_code for each in asked * 2]
    assert statuses == [404, 404, 405, 429, 429, 429]
