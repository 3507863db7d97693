"""Both map services, by one contract: the way by road, and where addresses are."""

import asyncio
import hashlib
import time
import traceback
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx
import pytest
import pytest_asyncio
from geopy.exc import GeocoderQuotaExceeded
from geopy.geocoders.base import Geocoder
from structlog.testing import capture_logs

from integrations.maps import AMapMaps, TencentMaps
from integrations.maps.amap import AMapGeocoder, amap_sig
from integrations.maps.tencent import TencentGeocoder, tencent_sig
from integrations.ports import MapPoint, Maps, PlatformUnavailable, TravelMode
from integrations.sandbox import SandboxSettings
from tests.integrations.province_walks import break_endpoint
from tests.integrations.sandbox_running import RunningSandbox, running

Kind = Literal["amap", "tencent"]
HUMEN = MapPoint(22.8163, 113.6785)
CHANGAN = MapPoint(22.8040, 113.7960)
NANCHENG = MapPoint(23.0180, 113.7510)
HOME = "虎门镇连升中路183号"
BEIJING = MapPoint(39.9042, 116.4074)
WAYS = {"amap": "amap.distance", "tencent": "tencent_maps.matrix"}
ADDRESSES = {"amap": "amap.geocode", "tencent": "tencent_maps.geocode"}
QUOTA = {"amap": "10003", "tencent": 121}
TOO_OFTEN = {"amap": "10021", "tencent": 120}
OUR_FAULT = {"amap": "10009", "tencent": 112}


def service(
    kind: Kind, sandbox: RunningSandbox, http: httpx.AsyncClient, **other: Any
) -> AMapMaps | TencentMaps:
    account = sandbox.settings
    if kind == "amap":
        known = {"key": account.amap_key, "secret": account.amap_secret}
        return AMapMaps(http, sandbox.url, **(known | other))
    known = {"key": account.tencent_maps_key, "secret": account.tencent_maps_secret}
    return TencentMaps(http, sandbox.url, **(known | other))


@pytest.fixture(params=["amap", "tencent"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def maps(kind: Kind, sandbox: RunningSandbox, http: httpx.AsyncClient) -> Maps:
    return service(kind, sandbox, http)


async def test_the_way_to_several_places_is_told_in_their_order(maps: Maps) -> None:
    near, far = await maps.travel_times_s(HUMEN, [CHANGAN, NANCHENG], "drive")
    assert near is not None
    assert far is not None
    assert 900 < near < far < 7200
    assert await maps.travel_times_s(HUMEN, [NANCHENG, CHANGAN], "drive") == [far, near]


async def test_both_services_are_asked_about_the_same_roads(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    modes: tuple[TravelMode, ...] = ("drive", "bike", "walk")
    for mode in modes:
        answers = [
            await service(kind, sandbox, http).travel_times_s(HUMEN, [CHANGAN], mode)
            for kind in ("amap", "tencent")
        ]
        assert answers[0] == answers[1]


async def test_a_place_that_no_way_leads_to_has_none(maps: Maps) -> None:
    nowhere, here = await maps.travel_times_s(HUMEN, [BEIJING, HUMEN], "walk")
    assert nowhere is None
    assert here is not None
    assert await maps.travel_times_s(HUMEN, [BEIJING], "bike") == [None]


async def test_transit_is_not_reckoned_with(
    maps: Maps, sandbox: RunningSandbox, kind: Kind
) -> None:
    assert await maps.travel_times_s(HUMEN, [CHANGAN, NANCHENG], "transit") == [None, None]
    assert await sandbox.calls(WAYS[kind]) == 0


async def test_no_places_are_no_question(maps: Maps) -> None:
    assert await maps.travel_times_s(HUMEN, [], "drive") == []


async def test_an_address_is_found_and_told_how_exactly(maps: Maps) -> None:
    [door] = await maps.find("东莞市虎门镇连升中路183号", city="东莞")
    assert door.point.lat == pytest.approx(22.816, abs=0.01)
    assert door.point.lng == pytest.approx(113.678, abs=0.01)
    assert "虎门" in door.name
    assert door.exact
    [town] = await maps.find("虎门镇")
    assert not town.exact


async def test_an_address_that_is_nowhere_is_no_place(maps: Maps) -> None:
    assert await maps.find("月球背面") == []


async def test_any_letters_are_signed_as_they_are_sent(maps: Maps) -> None:
    assert await maps.find("虎门 & 长安=?#%+\"'\\𠮷/") != []


async def test_a_key_without_a_signature_may_do_without(
    kind: Kind, sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    # The sandbox wants signatures, so this one is refused: that it was unsigned is what is seen.
    with pytest.raises(PlatformUnavailable), capture_logs() as logs:
        await service(kind, sandbox, http, secret=None).travel_times_s(HUMEN, [CHANGAN], "drive")
    assert logs[0]["said"] == {"amap": "10007", "tencent": "111"}[kind]


@pytest.mark.parametrize("wrong", [{"key": "somebody"}, {"secret": "wrong"}])
async def test_our_own_wrong_account_is_logged_as_our_fault(
    kind: Kind, sandbox: RunningSandbox, http: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    asked = service(kind, sandbox, http, **wrong)
    for question in (asked.travel_times_s(HUMEN, [CHANGAN], "drive"), asked.find("虎门镇")):
        with capture_logs() as logs, pytest.raises(PlatformUnavailable) as unavailable:
            await question
        assert unavailable.value.retry_after_s == 60
        assert [entry["log_level"] for entry in logs] == ["error"]
        assert logs[0]["event"].endswith("_misconfigured")


@pytest.mark.parametrize(
    ("codes", "retry_after_s"), [(QUOTA, 3600), (TOO_OFTEN, 1), (OUR_FAULT, 60)]
)
async def test_refusals_say_for_how_long(
    kind: Kind, sandbox: RunningSandbox, maps: Maps, codes: dict[str, Any], retry_after_s: int
) -> None:
    for endpoint, question in (
        (WAYS, lambda: maps.travel_times_s(HUMEN, [CHANGAN], "drive")),
        (ADDRESSES, lambda: maps.find("虎门镇")),
    ):
        await break_endpoint(sandbox, endpoint[kind], "error", errcode=codes[kind])
        with pytest.raises(PlatformUnavailable) as unavailable:
            await question()
        assert unavailable.value.retry_after_s == retry_after_s
        await sandbox.mend()


async def test_a_days_quota_comes_to_an_end(kind: Kind, http: httpx.AsyncClient) -> None:
    async with running(SandboxSettings(maps_a_day=2)) as small:
        maps = service(kind, small, http)
        for _ in range(2):
            await maps.find("虎门镇")
        with pytest.raises(PlatformUnavailable) as unavailable:
            await maps.find("虎门镇")
        assert unavailable.value.retry_after_s == 3600
        small.clock.move(86_400)
        assert await maps.find("虎门镇")


@pytest.mark.parametrize("fault", ["http_500", "rubbish"])
async def test_an_outage_is_unavailable(
    kind: Kind, sandbox: RunningSandbox, maps: Maps, fault: str
) -> None:
    for endpoint in (WAYS[kind], ADDRESSES[kind]):
        await break_endpoint(sandbox, endpoint, fault)
    with pytest.raises(PlatformUnavailable):
        await maps.travel_times_s(HUMEN, [CHANGAN], "drive")
    with pytest.raises(PlatformUnavailable):
        await maps.find("虎门镇")


async def test_a_slow_service_is_given_up_within_the_budget(
    kind: Kind, sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    maps = service(kind, sandbox, http, budget_s=0.3)
    for endpoint in (WAYS[kind], ADDRESSES[kind]):
        await break_endpoint(sandbox, endpoint, "delay", seconds=5)
    for question in (maps.travel_times_s(HUMEN, [CHANGAN], "drive"), maps.find("虎门镇")):
        began = time.monotonic()
        with pytest.raises(PlatformUnavailable):
            await question
        assert time.monotonic() - began < 4


async def test_nobodys_service_is_unavailable_and_nothing_secret_is_told(
    kind: Kind, sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    account = sandbox.settings
    away = AMapMaps if kind == "amap" else TencentMaps
    maps = away(http, "http://127.0.0.1:9", account.amap_key, account.amap_secret)
    with capture_logs() as logs, pytest.raises(PlatformUnavailable) as fault:
        await maps.find(HOME)
    told = str(logs) + "".join(traceback.format_exception(fault.value))
    for secret in (account.amap_key, account.amap_secret, HOME):
        assert secret not in told


# --- answers that no service should give


class Odd:
    """A service that answers one thing to everything."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=self.body)


def odd(kind: Kind, body: Any) -> AMapMaps | TencentMaps:
    http = httpx.AsyncClient(transport=httpx.MockTransport(Odd(body)))
    return (AMapMaps if kind == "amap" else TencentMaps)(http, "http://maps", "k", "s")


@pytest.mark.parametrize(
    "duration", [None, [], "", "soon", "NaN", "inf", -5, "1e400", 10**12, {"s": 1}]
)
async def test_an_absurd_time_is_none(kind: Kind, duration: Any) -> None:
    way = {"distance": "1", "duration": duration}
    maps = odd(
        kind,
        {"status": "1" if kind == "amap" else 0, "results": [way]}
        | {"result": {"rows": [{"elements": [way]}]}},
    )
    assert await maps.travel_times_s(HUMEN, [CHANGAN], "drive") == [None]


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"results": [], "geocodes": [], "result": {}},
        {"results": [[]], "geocodes": [[]], "result": {"rows": []}},
        {"results": 5, "geocodes": [{"location": []}], "result": {"rows": [{"elements": 5}]}},
        {"results": [{}], "geocodes": [{"location": "x,y"}], "result": {"location": "here"}},
        {"geocodes": [{"location": "999,999"}], "result": {"location": {"lat": 999, "lng": 1}}},
        {"geocodes": [{"location": "nan,nan"}], "result": {"location": {"lat": "nan", "lng": 1}}},
    ],
)
async def test_an_answer_of_another_shape_finds_nothing(kind: Kind, rest: dict[str, Any]) -> None:
    maps = odd(kind, {"status": "1" if kind == "amap" else 0} | rest)
    assert await maps.travel_times_s(HUMEN, [CHANGAN], "drive") == [None]
    assert await maps.find("虎门镇") == []


@pytest.mark.parametrize("body", [{}, {"status": "0"}, {"status": 99999}, {"status": None}])
async def test_a_refusal_that_nobody_knows_is_unavailable(kind: Kind, body: Any) -> None:
    maps = odd(kind, body)
    with pytest.raises(PlatformUnavailable):
        await maps.travel_times_s(HUMEN, [CHANGAN], "drive")
    with pytest.raises(PlatformUnavailable):
        await maps.find("虎门镇")


# --- signatures, and geopy's own way of asking


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_signatures_are_made_of_sorted_and_unescaped_parameters() -> None:
    asked = {"key": "k", "address": "虎门 镇&1", "city": "东莞"}
    joined = "address=虎门 镇&1&city=东莞&key=k"
    assert amap_sig(asked, "secret") == md5(joined + "secret")
    assert tencent_sig("/ws/geocoder/v1/", asked, "sk") == md5(f"/ws/geocoder/v1/?{joined}sk")


@pytest_asyncio.fixture
async def geocoder(kind: Kind, maps: AMapMaps | TencentMaps) -> AsyncIterator[Geocoder]:
    named = AMapGeocoder if kind == "amap" else TencentGeocoder
    yield named(maps._service)


async def test_a_geocoder_is_one_of_geopys(
    kind: Kind, geocoder: Geocoder, sandbox: RunningSandbox
) -> None:
    assert isinstance(geocoder, Geocoder)
    found = await geocoder.geocode("虎门镇连升中路183号")
    assert (round(found.latitude, 1), round(found.longitude, 1)) == (22.8, 113.7)
    several = await geocoder.geocode("虎门镇", exactly_one=False, city="东莞")
    assert [place.address for place in several]
    assert await geocoder.geocode("月球") is None
    await break_endpoint(sandbox, ADDRESSES[kind], "error", errcode=QUOTA[kind])
    with pytest.raises(GeocoderQuotaExceeded):
        await geocoder.geocode("虎门镇")


async def test_many_may_ask_at_once(maps: Maps) -> None:
    answers = await asyncio.gather(
        *(maps.travel_times_s(HUMEN, [CHANGAN, NANCHENG], "drive") for _ in range(30))
    )
    assert len({tuple(answer) for answer in answers}) == 1
