"""The first few of the fastest halls by a map service's roads; without it, the estimate."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
import redis.asyncio as aioredis

from integrations.ports import FoundPlace, MapPoint, PlatformUnavailable, TravelMode
from scheduler.places import Place
from server.halls.ways import FIRST_FEW, LOOKS_A_SECOND, Ways
from tests.conftest import Api
from tests.halls.test_finding_a_hall import HUMEN, at, found, halls

HERE = at(HUMEN)
DISTANCE = "amap.distance"


async def fault(api: Api, kind: str, **how: object) -> None:
    body = {"endpoint": DISTANCE, "kind": kind} | how
    reply = await api.http.put(f"{api.sandbox_url}/_sandbox/faults", json=body)
    assert reply.status_code == 200


@pytest_asyncio.fixture(autouse=True)
async def _fresh(api: Api) -> AsyncIterator[None]:
    """Nothing is kept of another test's ways, and the service works again after this one."""
    await forget(api)
    yield
    await api.http.delete(f"{api.sandbox_url}/_sandbox/faults")
    await forget(api)


async def forget(api: Api) -> None:
    assert api.services.ways is not None
    api.services.ways = Ways(api.services.ways._maps, api.services.valkey, budget_s=2.0)
    async for key in api.services.valkey.scan_iter("way:*"):
        await api.services.valkey.delete(key)
    api.app.ctx.hall_lists._answers.clear()


async def test_the_first_few_are_refined_and_say_so(api: Api) -> None:
    estimated = {hall["code"]: hall for hall in await found(api, rank="nearest", **HERE)}
    listed = await found(api, rank="fastest", **HERE)
    by_map = [hall for hall in listed if hall["travel_basis"] == "map"]
    assert len(by_map) == FIRST_FEW
    assert all(h["travel_s"] != estimated[h["code"]]["travel_s"] for h in by_map)
    assert {h["travel_basis"] for h in listed} == {"map", "estimate"}
    assert {hall["code"] for hall in listed} == set(estimated)


async def test_only_the_fastest_asks_the_map_service(api: Api) -> None:
    before = await calls(api)
    await found(api, rank="nearest", **HERE)
    await found(api, rank="shortest_wait", **HERE)
    assert await calls(api) == before
    await found(api, rank="fastest", limit=1, **HERE)
    assert await calls(api) == before + FIRST_FEW


async def calls(api: Api) -> int:
    reply = await api.http.get(f"{api.sandbox_url}/_sandbox/calls")
    return int({row["endpoint"]: row["calls"] for row in reply.json()["data"]}[DISTANCE])


async def test_the_same_place_is_asked_for_once(api: Api) -> None:
    first = await by_map(api)
    asked = await calls(api)
    api.app.ctx.hall_lists._answers.clear()
    assert await by_map(api) == first
    # Another process finds it in Valkey.
    assert api.services.ways is not None
    api.services.ways = Ways(api.services.ways._maps, api.services.valkey, budget_s=2.0)
    api.app.ctx.hall_lists._answers.clear()
    assert await by_map(api) == first
    assert await calls(api) == asked


async def by_map(api: Api) -> dict[str, int]:
    """The ways that the map service told, by hall."""
    listed = await found(api, rank="fastest", **HERE)
    return {hall["code"]: hall["travel_s"] for hall in listed if hall["travel_basis"] == "map"}


@pytest.mark.parametrize("kind", ["error", "http_500", "rubbish"])
async def test_when_the_service_fails_the_estimate_stands(api: Api, kind: str) -> None:
    await fault(api, kind, **({"errcode": "10003"} if kind == "error" else {}))
    listed = await found(api, rank="fastest", **HERE)
    assert {hall["travel_basis"] for hall in listed} == {"estimate"}
    # It is left alone for a while.
    asked = await calls(api)
    await found(api, rank="fastest", **at(Place(23.05, 113.75, "wgs84")))
    assert await calls(api) == asked


async def test_a_slow_service_is_not_waited_for_but_serves_the_next(api: Api) -> None:
    assert api.services.ways is not None
    api.services.ways._budget_s = 0.3
    await fault(api, "delay", seconds=0.8, times=FIRST_FEW)
    began = time.monotonic()
    listed = await found(api, rank="fastest", **HERE)
    assert time.monotonic() - began < 0.75
    assert {hall["travel_basis"] for hall in listed} == {"estimate"}
    await asyncio.sleep(1.2)
    api.app.ctx.hall_lists._answers.clear()
    later = await found(api, rank="fastest", **HERE)
    assert {hall["travel_basis"] for hall in later} == {"map", "estimate"}


async def test_many_at_one_place_ask_once(api: Api) -> None:
    before = await calls(api)
    replies = await asyncio.gather(*(halls(api, rank="fastest", **HERE) for _ in range(20)))
    assert all(reply.status_code == 200 for reply in replies)
    assert await calls(api) == before + FIRST_FEW


async def test_transit_stays_an_estimate(api: Api) -> None:
    listed = await found(api, rank="fastest", travel="transit", **HERE)
    assert {hall["travel_basis"] for hall in listed} == {"estimate"}


class Scripted:
    """A map service that says what a test tells it."""

    def __init__(self, answer: list[int | None] | Exception) -> None:
        self.answer = answer
        self.asked = 0

    async def travel_times_s(
        self, origin: MapPoint, destinations: Sequence[MapPoint], mode: TravelMode
    ) -> list[int | None]:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def find(self, address: str, *, city: str | None = None) -> list[FoundPlace]:
        return []


PLACES = {"a": Place(23.0, 113.0, "wgs84"), "b": Place(23.1, 113.0, "wgs84")}


async def test_a_hall_that_no_road_leads_to_keeps_its_estimate(api: Api) -> None:
    maps = Scripted([None, 700])
    ways = Ways(maps, api.services.valkey)
    for _ in range(3):
        assert await ways.known(HUMEN, PLACES, "drive") == {"b": 700}
    assert maps.asked == 1


async def test_after_a_refusal_it_is_asked_again_when_its_time_has_come(api: Api) -> None:
    maps = Scripted(PlatformUnavailable(1))
    ways = Ways(maps, api.services.valkey)
    assert await ways.known(HUMEN, PLACES, "walk") == {}
    maps.answer = [60, 70]
    assert await ways.known(HUMEN, PLACES, "walk") == {}
    ways._quiet_until = 0.0
    assert await ways.known(HUMEN, PLACES, "walk") == {"a": 60, "b": 70}
    assert maps.asked == 2


async def test_without_valkey_ways_are_known_all_the_same(api: Api) -> None:
    nowhere = aioredis.from_url("redis://127.0.0.1:9")
    ways = Ways(Scripted([60, 70]), nowhere)
    assert await ways.known(HUMEN, PLACES, "drive") == {"a": 60, "b": 70}
    await nowhere.aclose()


async def test_a_rush_from_everywhere_does_not_wait_for_the_map_service(api: Api) -> None:
    assert api.services.ways is not None
    slow, began = SlowMaps(), time.monotonic()
    ways = Ways(slow, api.services.valkey, budget_s=1.0)
    hall = {"dg-05": Place(22.9, 113.7, "wgs84")}
    places = [Place(22.8 + nth / 500, 113.7, "wgs84") for nth in range(100)]
    answers = await asyncio.gather(*(ways.known(each, hall, "drive") for each in places))
    seconds = int(time.monotonic()) - int(began) + 1
    assert 0 < slow.looks <= LOOKS_A_SECOND * seconds
    assert {} in answers
    asked = next(place for place, answer in zip(places, answers, strict=True) if answer)
    assert ways.kept_from(asked, "drive") == {"dg-05": 600}
    assert ways.kept_from(asked, "walk") == {}
    await ways.close()


class SlowMaps:
    """A map service that counts how often it is asked."""

    def __init__(self) -> None:
        self.looks = 0

    async def travel_times_s(
        self, origin: MapPoint, destinations: Sequence[MapPoint], mode: TravelMode
    ) -> list[int | None]:
        self.looks += 1
        await asyncio.sleep(0.05)
        return [600 for _ in destinations]

    async def find(self, address: str, *, city: str | None = None) -> list[FoundPlace]:
        raise NotImplementedError
