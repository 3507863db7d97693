"""The list of halls: measured rightly, in every datum, and never an invented value."""

from typing import Any

import httpx
import pytest
from geopy.distance import geodesic

from scheduler.places import DATUMS, Datum, Place, convert
from tests.conftest import Api

HUMEN = Place(22.81899, 113.67306, "wgs84")
BEIJING = Place(39.9042, 116.4074, "wgs84")


async def halls(api: Api, **query: Any) -> httpx.Response:
    return await api.http.get("/api/v1/halls", params=query)


async def found(api: Api, **query: Any) -> list[dict[str, Any]]:
    reply = await halls(api, **query)
    assert reply.status_code == 200, reply.text
    data: list[dict[str, Any]] = reply.json()["data"]
    return data


def at(place: Place, datum: Datum = "wgs84") -> dict[str, Any]:
    """The query that stands at a place, told in a datum."""
    there = convert(place, datum)
    return {"lat": there.lat, "lng": there.lng, "datum": datum}


def metres(api: Api, place: Place) -> dict[str, float]:
    """How far each hall is, by geopy."""
    return {
        hall.code: geodesic((place.lat, place.lng), (hall.place.lat, hall.place.lng)).meters
        for hall in api.services.directory.halls.values()
        if hall.place is not None
    }


@pytest.mark.parametrize("datum", DATUMS)
@pytest.mark.parametrize("place", [HUMEN, BEIJING], ids=["humen", "beijing"])
async def test_the_nearest_comes_first_in_every_datum(api: Api, place: Place, datum: Datum) -> None:
    expected = metres(api, place)
    data = await found(api, **at(place, datum))
    assert [hall["code"] for hall in data] == sorted(expected, key=lambda code: expected[code])
    assert len(data) == 34
    for hall in data:
        tolerance = max(1.0, expected[hall["code"]] * 0.001)
        assert abs(hall["distance_m"] - expected[hall["code"]]) <= tolerance


async def test_a_phone_that_names_no_datum_speaks_gcj02(api: Api) -> None:
    told = at(HUMEN, "gcj02")
    assert await found(api, **told) == await found(api, lat=told["lat"], lng=told["lng"])


async def test_without_a_place_nothing_about_the_way_is_invented(api: Api) -> None:
    data = await found(api)
    assert [hall["code"] for hall in data] == api.services.directory.codes
    for hall in data:
        assert hall["distance_m"] is None
        assert hall["travel_s"] is None
        assert hall["wait_on_arrival"] is None
        assert hall["total"] is None


async def test_a_hall_in_the_list_is_whole(api: Api) -> None:
    reply = await halls(api, **at(HUMEN))
    assert set(reply.json()) == {"as_of", "data"}
    assert reply.json()["as_of"].startswith("2026-11-23T09:30")
    hall = reply.json()["data"][0]
    assert {"code", "name", "name_en", "address", "level", "open", "waiting"} < set(hall)
    assert hall["place"]["datum"] == "wgs84"
    assert hall["open"] is True
    assert isinstance(hall["waiting"], int)
    gcj = convert(Place(**hall["place"]), "gcj02")
    for link in ("wechat", "alipay", "amap"):
        assert f"{gcj.lat:.6f}" in hall["links"][link]
        assert f"{gcj.lng:.6f}" in hall["links"][link]


async def test_travelling_takes_longer_on_foot(api: Api) -> None:
    seconds = {
        travel: [hall["travel_s"] for hall in await found(api, **at(HUMEN), travel=travel)]
        for travel in ("walk", "bike", "transit", "drive")
    }
    for times in seconds.values():
        assert times == sorted(times)
    assert all(
        walk > drive for walk, drive in zip(seconds["walk"][5:], seconds["drive"][5:], strict=True)
    )


@pytest.mark.parametrize("limit", [1, 5, 34, 100])
async def test_a_limit_keeps_the_nearest(api: Api, limit: int) -> None:
    everything = await found(api, **at(HUMEN))
    assert await found(api, **at(HUMEN), limit=limit) == everything[:limit]


async def test_within_keeps_what_is_near_enough(api: Api) -> None:
    expected = metres(api, HUMEN)
    near = {code for code, distance in expected.items() if distance <= 15_000}
    data = await found(api, **at(HUMEN), within_m=15_000)
    assert 0 < len(near) < 34
    assert {hall["code"] for hall in data} == near
    assert await found(api, **at(BEIJING), within_m=1) == []


async def test_open_now_leaves_closed_halls_out(api: Api) -> None:
    assert len(await found(api, open_now=True)) == 34
    api.turn_clock("2026-11-23T12:30:00+08:00")
    assert [hall["code"] for hall in await found(api, open_now="true")] == ["dg-00"]
    shown = await found(api)
    assert {hall["code"] for hall in shown if hall["open"]} == {"dg-00"}
    api.turn_clock("2026-11-22T10:00:00+08:00")
    assert await found(api, open_now=True) == []


async def test_an_item_keeps_the_halls_that_offer_it(api: Api) -> None:
    directory = api.services.directory
    offered = {
        item: [hall.code for hall in directory.halls.values() if item in hall.offers]
        for item in directory.items
    }
    rare = min((item for item in offered if offered[item]), key=lambda item: len(offered[item]))
    assert 0 < len(offered[rare]) < 34
    for item in (rare, "social-card-renewal"):
        assert [hall["code"] for hall in await found(api, item=item)] == offered[item]
    nearest = await found(api, **at(HUMEN), item=rare)
    expected = metres(api, HUMEN)
    assert [hall["code"] for hall in nearest] == sorted(
        offered[rare], key=lambda code: expected[code]
    )


async def test_an_unknown_item_is_not_found(api: Api) -> None:
    reply = await halls(api, item="no-such-item")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("lat=NaN&lng=113", "lat"),
        ("lat=nan&lng=nan", "lat"),
        ("lat=inf&lng=113", "lat"),
        ("lat=22&lng=-inf", "lng"),
        ("lat=1e400&lng=113", "lat"),
        ("lat=90.001&lng=113", "lat"),
        ("lat=22&lng=180.1", "lng"),
        ("lat=22&lng=abc", "lng"),
        ("lat=22", "lng"),
        ("lng=113", "lat"),
        ("lat=22&lng=", "lng"),
        ("within_m=100", "within_m"),
        ("lat=22&lng=113&within_m=0", "within_m"),
        ("lat=22&lng=113&within_m=1.5", "within_m"),
        ("lat=22&lng=113&datum=mars", "datum"),
        ("rank=prettiest", "rank"),
        ("travel=teleport", "travel"),
        ("open_now=perhaps", "open_now"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=999999999999999999999", "limit"),
        ("item=" + "x" * 65, "item"),
        ("frobnicate=1", "frobnicate"),
        ("item=a%00b", "item"),
        ("item=", "item"),
        ("rank=", "rank"),
        ("lat=null&lng=113", "lat"),
        ("limit=1&limit=2", "limit"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_an_impossible_question_is_refused_and_says_where(
    api: Api, query: str, pointer: str
) -> None:
    reply = await api.http.get(f"/api/v1/halls?{query}")
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["instance"] == "/api/v1/halls"
    [error] = reply.json()["errors"]
    assert error["pointer"] == f"/{pointer}"
    assert not error["detail"].isascii()


async def test_a_question_that_cannot_be_read_names_no_field(api: Api) -> None:
    for query in ("&".join(f"a{n}=1" for n in range(60)), "item=%ff"):
        reply = await api.http.get(f"/api/v1/halls?{query}")
        assert (reply.status_code, reply.json()["code"]) == (400, "malformed_request")
        assert "errors" not in reply.json()


@pytest.mark.parametrize("place", [(90, 180), (-90, -180), (0, 0), (22.8, -180)])
async def test_the_ends_of_the_earth_are_far_but_known(
    api: Api, place: tuple[float, float]
) -> None:
    data = await found(api, lat=place[0], lng=place[1], datum="wgs84")
    assert len(data) == 34
    assert all(hall["distance_m"] > 1_000_000 for hall in data)
