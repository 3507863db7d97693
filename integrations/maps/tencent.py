"""Tencent 腾讯位置服务: a distance matrix and addresses by its WebService API.

An answer's `status` is 0 or says what is wrong. With a secret, `sig` is the MD5 of the path, `?`,
the parameters as they are, sorted by name and joined as in a query, and the secret.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import httpx
from geopy.exc import (
    GeocoderAuthenticationFailure,
    GeocoderQuotaExceeded,
    GeocoderRateLimited,
    GeocoderServiceError,
)
from geopy.geocoders.base import DEFAULT_SENTINEL, Geocoder
from geopy.location import Location

from integrations.maps.asking import MapAsking, Params, location, text_of, whole_seconds
from integrations.ports import FoundPlace, MapPoint, TravelMode

HOST: Final = "https://apis.map.qq.com"
_MATRIX: Final = "/ws/distance/v1/matrix"
_GEOCODER: Final = "/ws/geocoder/v1/"
_MODES: Final[dict[TravelMode, str]] = {
    "drive": "driving",
    "walk": "walking",
    "bike": "bicycling",
}
_MOST_DESTINATIONS: Final = 200
_OUR_FAULTS: Final = frozenset({110, 111, 112, 113, 190, 199, 300, 301, 306, 310, 311})
_QUOTA: Final = 121
_TOO_OFTEN: Final = 120
# Nothing was found; a point has no road near it; the way is too long.
_NOTHING: Final = frozenset({333, 347, 365, 373, 374, 375})
# From this on an address is told to a street number or a named place (`reliability`, 1 to 10).
_SURE: Final = 7


class TencentGeocoder(Geocoder):  # type: ignore[misc]
    """geopy's geocoder for Tencent; points are in GCJ-02. Tencent knows one place an address."""

    def __init__(self, service: MapAsking) -> None:
        super().__init__(adapter_factory=service.adapter)
        self._service = service

    def geocode(
        self,
        query: str,
        *,
        exactly_one: bool = True,
        timeout: Any = DEFAULT_SENTINEL,
        city: str | None = None,
    ) -> Any:
        """Find an address, within a city if one is named; awaited, a Location, several, or None."""
        params = {"address": query} | ({"region": city} if city else {})
        url = self._service.url(_GEOCODER, params)

        def read(answer: dict[str, Any]) -> Any:
            place = _place(answer)
            return place if exactly_one or place is None else [place]

        return self._call_geocoder(url, read, timeout=timeout)


class TencentMaps:
    """Asks Tencent with our WebService key. It reckons no transit in its matrix."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        host: str,
        key: str,
        secret: str | None = None,
        *,
        budget_s: float = 3.0,
    ) -> None:
        def signed(path: str, params: Params) -> Params:
            asked = {**params, "key": key}
            return asked | {"sig": tencent_sig(path, asked, secret)} if secret else asked

        self._service = MapAsking(http, "tencent_maps", host, signed, budget_s=budget_s)
        self._geocoder = TencentGeocoder(self._service)

    async def travel_times_s(
        self, origin: MapPoint, destinations: Sequence[MapPoint], mode: TravelMode
    ) -> list[int | None]:
        """Seconds to each of several places, in one question."""
        way = _MODES.get(mode)
        if way is None or not destinations:
            return [None] * len(destinations)
        asked = destinations[:_MOST_DESTINATIONS]
        params = {
            "mode": way,
            "from": _lat_lng(origin),
            "to": ";".join(_lat_lng(to) for to in asked),
        }
        async with self._service.asking.within_budget():
            answer = await self._service.get(_MATRIX, params)
        try:
            if not _is_answered(answer):
                return [None] * len(destinations)
        except GeocoderServiceError as fault:
            self._service.give_up(fault)
        found = _durations(answer)
        return (found + [None] * len(destinations))[: len(destinations)]

    async def find(self, address: str, *, city: str | None = None) -> list[FoundPlace]:
        """The place that an address is."""
        return await self._service.find(
            self._geocoder.geocode(address, exactly_one=False, city=city)
        )


def _is_answered(answer: dict[str, Any]) -> bool:
    """Whether there is something in an answer. Raises one of geopy's errors for a refusal."""
    code = answer.get("status")
    if code == 0:
        return True
    if code in _NOTHING:
        return False
    said = str(code) if isinstance(code, int) else "unknown"
    if code in _OUR_FAULTS:
        raise GeocoderAuthenticationFailure(said)
    if code == _QUOTA:
        raise GeocoderQuotaExceeded(said)
    if code == _TOO_OFTEN:
        raise GeocoderRateLimited(said)
    raise GeocoderServiceError(said)


def _durations(answer: dict[str, Any]) -> list[int | None]:
    try:
        ways = answer["result"]["rows"][0]["elements"]
        return [None if way.get("status") else whole_seconds(way.get("duration")) for way in ways]
    except (LookupError, TypeError, AttributeError):
        return []


def _place(answer: dict[str, Any]) -> Location | None:
    if not _is_answered(answer):
        return None
    try:
        found = answer["result"]
        parts = found.get("address_components") or {}
        named = [text_of(parts.get(part)) for part in ("city", "district", "street")]
        title = text_of(found.get("title"))
        return location(
            "".join(dict.fromkeys([*named, title])),
            named[1] or named[0],
            lat=float(found["location"]["lat"]),
            lng=float(found["location"]["lng"]),
            exact=int(found.get("reliability", 0)) >= _SURE,
        )
    except (LookupError, ValueError, TypeError, AttributeError):
        return None


def _lat_lng(point: MapPoint) -> str:
    return f"{point.lat:.6f},{point.lng:.6f}"


def tencent_sig(path: str, params: Params, secret: str) -> str:
    """The signature that Tencent wants of these parameters at a path."""
    text = f"{path}?" + "&".join(f"{name}={params[name]}" for name in sorted(params)) + secret
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
