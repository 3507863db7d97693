"""AMap 高德: distances and addresses by its Web service API.

`/v3/distance` measures from many places to one, so that from one to many is one question each.
An answer's `status` is "1" or, with an `infocode`, "0". Numbers come as texts, and what is empty as
an empty list. With a secret, `sig` is the MD5 of the parameters as they are, sorted by name and
joined as in a query, and the secret.
"""

import asyncio
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

HOST: Final = "https://restapi.amap.com"
_OUR_FAULTS: Final = frozenset(
    f"100{nn}" for nn in ("01", "02", "05", "06", "07", "08", "09", "11", "12", "13", "26", "41")
) | {"20000", "20001", "20002", "20011", "20012"}
_QUOTA: Final = frozenset({"10003", "10044", "10045", "40000", "40001", "40002", "40003"})
_TOO_OFTEN: Final = frozenset(
    f"100{nn}" for nn in ("04", "10", "14", "15", "16", "19", "20", "21", "29")
)
# The way is too long, or there is none; the address is nowhere.
_NOTHING: Final = frozenset({"20800", "20801", "20802", "20803", "30001", "30002", "30003"})
_TYPES: Final = {"drive": "1", "walk": "3"}
# What an address was found as, when it is no more than a region.
_REGIONS: Final = frozenset(
    {"国家", "省", "市", "区县", "开发区", "乡镇", "村庄", "热点商圈", "道路", "道路交叉路口"}
)


class AMapGeocoder(Geocoder):  # type: ignore[misc]
    """geopy's geocoder for AMap; points are in GCJ-02."""

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
        params = {"address": query} | ({"city": city} if city else {})
        url = self._service.url("/v3/geocode/geo", params)

        def read(answer: dict[str, Any]) -> Any:
            found = _places(answer)
            return (found[0] if found else None) if exactly_one else found or None

        return self._call_geocoder(url, read, timeout=timeout)


class AMapMaps:
    """Asks AMap with our Web service key. Transit is not reckoned with: it would need the city."""

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
            asked = {**params, "key": key, "output": "JSON"}
            return asked | {"sig": amap_sig(asked, secret)} if secret else asked

        self._service = MapAsking(http, "amap", host, signed, budget_s=budget_s)
        self._geocoder = AMapGeocoder(self._service)

    async def travel_times_s(
        self, origin: MapPoint, destinations: Sequence[MapPoint], mode: TravelMode
    ) -> list[int | None]:
        """Seconds to each of several places, each asked for at the same time."""
        if mode == "transit":
            return [None] * len(destinations)
        async with self._service.asking.within_budget():
            return await asyncio.gather(*(self._way(origin, to, mode) for to in destinations))

    async def find(self, address: str, *, city: str | None = None) -> list[FoundPlace]:
        """The places that an address may be."""
        return await self._service.find(
            self._geocoder.geocode(address, exactly_one=False, city=city)
        )

    async def _way(self, origin: MapPoint, to: MapPoint, mode: TravelMode) -> int | None:
        if mode == "bike":
            path = "/v5/direction/bicycling"
            params = {"origin": _lng_lat(origin), "destination": _lng_lat(to)}
        else:
            path = "/v3/distance"
            params = {
                "origins": _lng_lat(origin),
                "destination": _lng_lat(to),
                "type": _TYPES[mode],
            }
        answer = await self._service.get(path, params)
        try:
            if not _is_answered(answer):
                return None
        except GeocoderServiceError as fault:
            self._service.give_up(fault)
        try:
            way = answer["route"]["paths"][0] if mode == "bike" else answer["results"][0]
            return whole_seconds(way.get("duration") or way["cost"]["duration"])
        except (LookupError, TypeError, AttributeError):
            return None


def _is_answered(answer: dict[str, Any]) -> bool:
    """Whether there is something in an answer. Raises one of geopy's errors for a refusal."""
    if answer.get("status") == "1":
        return True
    code = text_of(answer.get("infocode"))
    if code in _NOTHING:
        return False
    if code in _OUR_FAULTS:
        raise GeocoderAuthenticationFailure(code)
    if code in _QUOTA:
        raise GeocoderQuotaExceeded(code)
    if code in _TOO_OFTEN:
        raise GeocoderRateLimited(code)
    raise GeocoderServiceError(code if code.isdigit() and len(code) <= 8 else "unknown")


def _places(answer: dict[str, Any]) -> list[Location]:
    if not _is_answered(answer):
        return []
    found = []
    for place in answer.get("geocodes") or ():
        try:
            lng, lat = (float(part) for part in place["location"].split(","))
            found.append(
                location(
                    text_of(place.get("formatted_address")),
                    text_of(place.get("district")) or text_of(place.get("city")),
                    lat=lat,
                    lng=lng,
                    exact=text_of(place.get("level")) not in _REGIONS,
                )
            )
        except (LookupError, ValueError, TypeError, AttributeError):
            continue
    return found


def _lng_lat(point: MapPoint) -> str:
    return f"{point.lng:.6f},{point.lat:.6f}"


def amap_sig(params: Params, secret: str) -> str:
    """The signature that AMap wants of these parameters."""
    text = "&".join(f"{name}={params[name]}" for name in sorted(params)) + secret
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
