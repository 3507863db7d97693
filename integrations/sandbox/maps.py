"""AMap and Tencent as map services: the way by road, and addresses in a small gazetteer.

The gazetteer is `map_places.csv`: Dongguan's towns (GeoNames, CC BY 4.0), in GCJ-02. An address is
found by the town that it names; what more it says makes it a door there. Ways are as if by roads of
a grid, over bridges here and there: not what a straight line and a factor give.
"""

import csv
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sanic import HTTPResponse, Request

from integrations.sandbox.endpoints import App, Clock, Endpoint, Endpoints
from integrations.sandbox.limits import PerWindow
from integrations.sandbox.replies import answer
from integrations.sandbox.settings import SandboxSettings

_PLACES: Final = Path(__file__).with_name("map_places.csv")
_SUFFIXES: Final = ("街道", "镇", "区")
_DAY_S: Final = 86_400.0
_METRES_A_DEGREE: Final = 111_195.0
_BRIDGE_M: Final = 2_500
# Metres a second door to door, and seconds that every trip takes besides.
_SPEEDS: Final = {"drive": (8.5, 240), "walk": (1.25, 0), "bike": (3.6, 90)}
_FARTHEST_M: Final = {"drive": 5_000_000, "walk": 5_000, "bike": 500_000}
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Town:
    name: str
    lat: float
    lng: float


class Gazetteer:
    """Where the towns are."""

    def __init__(self) -> None:
        with _PLACES.open(encoding="utf-8", newline="") as rows:
            self._towns = [
                _Town(row["name"], float(row["lat_gcj02"]), float(row["lng_gcj02"]))
                for row in csv.DictReader(rows)
            ]

    def named_in(self, address: str) -> list[tuple[_Town, bool]]:
        """The towns that an address names, and whether it says more than that."""
        found = []
        for town in self._towns:
            short = town.name
            for suffix in _SUFFIXES:
                short = short.removesuffix(suffix)
            if short in address:
                rest = address.partition(short)[2]
                for suffix in _SUFFIXES:
                    rest = rest.removeprefix(suffix)
                found.append((town, bool(rest.strip())))
        return found


class Maps:
    """Both services; each knows one account and keeps to its day's quota."""

    def __init__(self, settings: SandboxSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._gazetteer = Gazetteer()
        self._asked = PerWindow(settings.maps_a_day, _DAY_S)

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put the endpoints on the app."""
        for name, path, handler in (
            ("amap.distance", "/v3/distance", self._amap_distance),
            ("amap.bicycling", "/v5/direction/bicycling", self._amap_bicycling),
            ("amap.geocode", "/v3/geocode/geo", self._amap_geocode),
        ):
            endpoints.add(app, Endpoint(name, "GET", path, handler, _amap_refuse))
        for name, path, handler in (
            ("tencent_maps.matrix", "/ws/distance/v1/matrix", self._tencent_matrix),
            ("tencent_maps.geocode", "/ws/geocoder/v1/", self._tencent_geocode),
        ):
            endpoints.add(app, Endpoint(name, "GET", path, handler, _tencent_refuse))

    # --- AMap

    async def _amap_distance(self, request: Request) -> HTTPResponse:
        if refused := self._amap_fault(request):
            return refused
        mode = {"1": "drive", "3": "walk"}.get(request.args.get("type", "1"))
        try:
            origins = [_lng_lat(one) for one in request.args["origins"][0].split("|")]
            to = _lng_lat(request.args["destination"][0])
        except (KeyError, ValueError):
            return _amap_refuse("20000")
        if mode is None or len(origins) > 100:
            return _amap_refuse("20000")
        results = []
        for number, origin in enumerate(origins, 1):
            way = way_of(origin, to, mode)
            one: dict[str, object] = {"origin_id": str(number), "dest_id": "1"}
            if way is None:
                results.append(one | {"info": "OVER_DIRECTION_RANGE", "code": "2"})
            else:
                results.append(one | {"distance": str(way[0]), "duration": str(way[1])})
        return _amap_answer({"count": str(len(results)), "results": results})

    async def _amap_bicycling(self, request: Request) -> HTTPResponse:
        if refused := self._amap_fault(request):
            return refused
        try:
            ends = [_lng_lat(request.args[name][0]) for name in ("origin", "destination")]
        except (KeyError, ValueError):
            return _amap_refuse("20000")
        way = way_of(ends[0], ends[1], "bike")
        if way is None:
            return _amap_refuse("20803")
        path = {"distance": str(way[0]), "duration": str(way[1])}
        return _amap_answer({"count": "1", "route": {"paths": [path]}})

    async def _amap_geocode(self, request: Request) -> HTTPResponse:
        if refused := self._amap_fault(request):
            return refused
        address = request.args.get("address", "")
        if not address:
            return _amap_refuse("20001")
        found: list[dict[str, object]] = [
            {
                "formatted_address": f"广东省东莞市{town.name}",
                "province": "广东省",
                "citycode": "0769",
                "city": "东莞市",
                "district": [],
                "township": [],
                "street": [],
                "level": "门牌号" if more else "乡镇",
                "location": f"{town.lng:.6f},{town.lat:.6f}",
            }
            for town, more in self._gazetteer.named_in(address)
        ]
        return _amap_answer({"count": str(len(found)), "geocodes": found})

    def _amap_fault(self, request: Request) -> HTTPResponse | None:
        asked = {name: values[0] for name, values in request.args.items()}
        if asked.get("key") != self._settings.amap_key:
            return _amap_refuse("10001")
        signature = asked.pop("sig", None)
        if signature != _md5(_sorted(asked) + self._settings.amap_secret):
            return _amap_refuse("10007")
        if not self._asked.allows("amap", self._clock()):
            return _amap_refuse("10003")
        return None

    # --- Tencent

    async def _tencent_matrix(self, request: Request) -> HTTPResponse:
        if refused := self._tencent_fault(request, "/ws/distance/v1/matrix"):
            return refused
        modes = {"driving": "drive", "walking": "walk", "bicycling": "bike"}
        mode = modes.get(request.args.get("mode", ""))
        try:
            starts = [_lat_lng(one) for one in request.args["from"][0].split(";")]
            ends = [_lat_lng(one) for one in request.args["to"][0].split(";")]
        except (KeyError, ValueError):
            return _tencent_refuse(310)
        if mode is None or len(ends) > 200:
            return _tencent_refuse(310)
        rows = []
        for start in starts:
            ways = [way_of(start, end, mode) for end in ends]
            rows.append(
                {
                    "elements": [
                        {"distance": way[0], "duration": way[1]}
                        if way
                        else {"distance": 0, "duration": 0, "status": 4}
                        for way in ways
                    ]
                }
            )
        return answer({"status": 0, "message": "query ok", "result": {"rows": rows}})

    async def _tencent_geocode(self, request: Request) -> HTTPResponse:
        if refused := self._tencent_fault(request, "/ws/geocoder/v1/"):
            return refused
        address = request.args.get("address", "")
        if not address:
            return _tencent_refuse(300)
        found = self._gazetteer.named_in(address)
        if not found:
            return _tencent_refuse(347)
        town, more = found[0]
        parts = {"province": "广东省", "city": "东莞市", "district": "", "street": town.name}
        result = {
            "title": town.name,
            "location": {"lng": town.lng, "lat": town.lat},
            "address_components": parts,
            "reliability": 8 if more else 5,
            "level": 9 if more else 4,
        }
        return answer({"status": 0, "message": "query ok", "result": result})

    def _tencent_fault(self, request: Request, path: str) -> HTTPResponse | None:
        asked = {name: values[0] for name, values in request.args.items()}
        if asked.get("key") != self._settings.tencent_maps_key:
            return _tencent_refuse(190)
        signature = asked.pop("sig", None)
        if signature != _md5(f"{path}?{_sorted(asked)}{self._settings.tencent_maps_secret}"):
            return _tencent_refuse(111)
        if not self._asked.allows("tencent", self._clock()):
            return _tencent_refuse(121)
        return None


def way_of(start: Point, end: Point, mode: str) -> tuple[int, int] | None:
    """Metres and seconds by road; None where it is too far. The same two ends, the same way."""
    north = abs(end[0] - start[0]) * _METRES_A_DEGREE
    east = abs(end[1] - start[1]) * _METRES_A_DEGREE * math.cos(math.radians(start[0]))
    metres = north + east
    ends = f"{start[0]:.3f}{start[1]:.3f}{end[0]:.3f}{end[1]:.3f}"
    if hashlib.blake2b(ends.encode()).digest()[0] % 4 == 0:
        metres += _BRIDGE_M
    if metres > _FARTHEST_M[mode]:
        return None
    speed, besides = _SPEEDS[mode]
    return round(metres), round(metres / speed + besides)


def _lng_lat(text: str) -> Point:
    lng, lat = (float(part) for part in text.split(","))
    return lat, lng


def _lat_lng(text: str) -> Point:
    lat, lng = (float(part) for part in text.split(","))
    return lat, lng


def _sorted(asked: Mapping[str, str]) -> str:
    return "&".join(f"{name}={asked[name]}" for name in sorted(asked))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _amap_answer(body: dict[str, object]) -> HTTPResponse:
    return answer({"status": "1", "info": "OK", "infocode": "10000"} | body)


def _amap_refuse(code: int | str) -> HTTPResponse:
    return answer({"status": "0", "info": "REFUSED", "infocode": str(code)})


def _tencent_refuse(code: int | str) -> HTTPResponse:
    number = int(code) if str(code).lstrip("-").isdigit() else 400
    return answer({"status": number, "message": "refused"})
