"""Finding a place by its address, for whoever cannot say where she stands."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from integrations.ports import Maps
from models.database import rows, transaction
from scheduler.places import Place, convert, geodesic_m
from server.commands.geocode import find_places, write_places
from server.http.limits import PLACES_ADDRESS, Limits
from tests.conftest import Api
from tests.halls.test_finding_a_hall import found

GEOCODE = "amap.geocode"


async def places(api: Api, q: str) -> httpx.Response:
    return await api.http.get("/api/v1/places", params={"q": q})


async def calls(api: Api) -> int:
    reply = await api.http.get(f"{api.sandbox_url}/_sandbox/calls")
    return int({row["endpoint"]: row["calls"] for row in reply.json()["data"]}[GEOCODE])


def maps_of(api: Api) -> Maps:
    assert api.services.platforms.maps is not None
    return api.services.platforms.maps


async def test_an_address_leads_to_the_halls_near_it(api: Api) -> None:
    reply = await places(api, "虎门镇连升中路183号")
    assert reply.status_code == 200
    [place] = reply.json()["data"]
    assert place["place"]["datum"] == "gcj02"
    assert place["exact"]
    at = place["place"]
    nearest = (await found(api, lat=at["lat"], lng=at["lng"], limit=1))[0]
    assert "虎门" in nearest["name"]


async def test_an_address_that_nobody_knows_is_an_empty_list(api: Api) -> None:
    reply = await places(api, "月球背面的大厅")
    assert (reply.status_code, reply.json()) == (200, {"data": [], "next_cursor": None})


async def test_an_empty_search_field_finds_nothing_and_costs_nothing(api: Api) -> None:
    asked = await calls(api)
    for words in ("", "   "):
        assert (await places(api, words)).json()["data"] == []
    assert await calls(api) == asked


async def test_what_was_found_is_kept_and_costs_nothing_again(api: Api) -> None:
    first = await places(api, "长安镇 德政中路")
    asked = await calls(api)
    for words in ("长安镇 德政中路", "  长安镇   德政中路 "):
        assert (await places(api, words)).json() == first.json()
    assert await calls(api) == asked


@pytest.mark.parametrize("query", ["", "q=" + "x" * 81, "q=虎门&x=1", "address=虎门", "q=%00"])
async def test_an_impossible_question_is_refused(api: Api, query: str) -> None:
    reply = await api.http.get(f"/api/v1/places?{query}")
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")


async def test_strangers_may_not_spend_our_quota(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(api.services.valkey, enabled=True)
    monkeypatch.setattr(api.services, "limits", limits)
    await limits.take([(PLACES_ADDRESS, "127.0.0.1")] * 1)
    key = [key async for key in api.services.valkey.scan_iter("*places_address*127.0.0.1*")]
    assert key
    await api.services.valkey.set(key[0], PLACES_ADDRESS.most, ex=60)
    asked = await calls(api)
    reply = await places(api, "大朗镇某某路1号")
    assert (reply.status_code, reply.json()["code"]) == (429, "too_many_requests")
    assert int(reply.headers["Retry-After"]) > 0
    assert await calls(api) == asked
    await api.services.valkey.delete(key[0])


async def test_a_city_without_a_map_service_says_so(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "platforms", replace(api.services.platforms, maps=None))
    reply = await places(api, "虎门镇")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_available")


async def test_a_map_service_that_is_away_is_a_reason_to_come_back(api: Api) -> None:
    body = {"endpoint": GEOCODE, "kind": "error", "errcode": "10003", "times": 1}
    await api.http.put(f"{api.sandbox_url}/_sandbox/faults", json=body)
    reply = await places(api, "企石镇某某路2号")
    assert reply.status_code == 503
    assert reply.headers["Retry-After"] == "3600"


# --- halls without coordinates


async def without_place(hall: str, address: str) -> None:
    async with transaction() as tx:
        await tx.run(
            "UPDATE hall SET lat = NULL, lng = NULL, address = $2 WHERE code = $1", hall, address
        )


async def place_of(hall: str) -> dict[str, Any]:
    [row] = await rows("SELECT lat, lng, address FROM hall WHERE code = $1", hall)
    return dict(row)


async def test_halls_without_coordinates_get_those_of_their_address(api: Api) -> None:
    before = {code: await place_of(code) for code in ("dg-08", "dg-09")}
    try:
        await without_place("dg-08", "东莞市虎门镇人民路1号")
        await without_place("dg-09", "虎门镇")
        placed = await find_places(maps_of(api), city=None, rough=False)
        by_code = {hall.code: hall for hall in placed}
        assert by_code["dg-08"].place is not None
        # A town is no door: somebody has to want it.
        assert by_code["dg-09"].place is None
        assert (await place_of("dg-08"))["lat"] is None
        await write_places(placed)
        after = await place_of("dg-08")
        sure = convert(Place(22.8163, 113.6785, "gcj02"), "wgs84")
        assert geodesic_m(Place(after["lat"], after["lng"], "wgs84"), sure) < 2_000
        assert (await place_of("dg-09"))["lat"] is None
        [town] = await find_places(maps_of(api), city="东莞", rough=True)
        assert town.code == "dg-09"
        assert town.place is not None
    finally:
        for code, row in before.items():
            async with transaction() as tx:
                await tx.run(
                    "UPDATE hall SET lat = $2, lng = $3, address = $4 WHERE code = $1",
                    code,
                    row["lat"],
                    row["lng"],
                    row["address"],
                )
