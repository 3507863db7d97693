"""The ranked list of halls, made from memory.

Most of a hall's JSON stays the same from one request to the next, so it is encoded once for each
version of its live state; a request only measures, sorts, and joins the pieces.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import numpy as np

from scheduler.calendar import is_open
from scheduler.places import Place, to_gcj02, to_wgs84
from scheduler.ranking import rank_nearest, travel_s
from server.errors import FieldError, InvalidRequest
from server.halls.directory import Directory, HallEntry
from server.halls.views import HallSummary, Links, NearQuery, PlaceView
from server.live.feed import Feed
from server.live.reading import shown
from server.live.state import encode

_UNKNOWN_TAIL = b'"distance_m":null,"travel_s":null}'


@dataclass(slots=True)
class _Piece:
    """A hall's encoded summary up to its distance, and what it was encoded from."""

    version: int
    open: bool
    encoded: bytes


class HallLists:
    """Makes ranked lists over one directory."""

    def __init__(self, directory: Directory, feed: Feed) -> None:
        self._directory = directory
        self._feed = feed
        self._pieces: dict[str, _Piece] = {}
        self._all = tuple(directory.halls.values())
        self._index = {hall.code: at for at, hall in enumerate(self._all)}
        # Positions in `_all` of the halls that have a place, in the map's order.
        self._placed = np.array([self._index[hall.code] for hall in directory.placed], dtype=int)

    def ranked(self, query: NearQuery, now: datetime) -> bytes:
        """The JSON of a HallList. Raises InvalidRequest or NotFound."""
        where = place_of(query)
        halls = self._all
        if where is None:
            order: Sequence[int] = range(len(halls))
            distances = np.full(len(halls), np.nan)
        else:
            distances = np.full(len(halls), np.nan)
            distances[self._placed] = self._directory.hall_map.distances_m(where.lat, where.lng)
            order = rank_nearest(distances, within_m=query.within_m).tolist()
        travel = travel_s(distances, query.travel)
        if query.item is not None:
            self._directory.item(query.item)
            order = [at for at in order if query.item in halls[at].offers]
        pieces = []
        metres, seconds = distances.tolist(), travel.tolist()
        for at in order:
            piece = self._piece(halls[at], now)
            if query.open_now and not piece.open:
                continue
            pieces.append(piece.encoded + _tail(metres[at], seconds[at]))
            if len(pieces) == query.limit:
                break
        return b'{"as_of":%s,"data":[%s]}' % (
            encode(shown(now)),
            b",".join(pieces),
        )

    def _piece(self, hall: HallEntry, now: datetime) -> _Piece:
        live = self._feed.halls.get(hall.code)
        version = live.hall.version if live else 0
        opened = is_open(hall.timetable, now)
        piece = self._pieces.get(hall.code)
        if piece is None or piece.version != version or piece.open != opened:
            summary = HallSummary(
                code=hall.code,
                name=hall.name,
                name_en=hall.name_en,
                level=hall.level,
                address=hall.address,
                place=place_view(hall.place),
                links=links(hall),
                open=opened,
                waiting=live.waiting if live else None,
                wait=None,
                wait_on_arrival=None,
                total=None,
                distance_m=None,
                travel_s=None,
            )
            # The two values that differ between requests are declared last; cut them off here.
            encoded = encode(summary).removesuffix(_UNKNOWN_TAIL)
            piece = self._pieces[hall.code] = _Piece(version, opened, encoded)
        return piece


def _tail(distance_m: float, seconds: float) -> bytes:
    if math.isnan(distance_m):  # the hall or the citizen has no known place
        return _UNKNOWN_TAIL
    return b'"distance_m":%d,"travel_s":%d}' % (round(distance_m), round(seconds))


def place_of(query: NearQuery) -> Place | None:
    """Where the citizen is, in WGS-84; None when she does not say. Raises InvalidRequest."""
    if query.lat is None and query.lng is None:
        if query.within_m is not None:
            raise InvalidRequest(errors=[FieldError("within_m", "needs lat and lng")])
        return None
    if query.lat is None or query.lng is None:
        missing = "lat" if query.lat is None else "lng"
        raise InvalidRequest(errors=[FieldError(missing, "lat and lng go together")])
    return wgs84(query.lat, query.lng, query.datum)


def wgs84(lat: float, lng: float, datum: str) -> Place:
    """A place from outside, in WGS-84. Raises InvalidRequest for NaN and impossible numbers."""
    try:
        return to_wgs84(Place(lat, lng, datum))  # type: ignore[arg-type]
    except ValueError as fault:
        raise InvalidRequest(errors=[FieldError("lat,lng", str(fault))]) from None


def place_view(place: Place | None) -> PlaceView | None:
    """A place as it is stored."""
    return PlaceView(place.lat, place.lng, place.datum) if place else None


def links(hall: HallEntry) -> Links:
    """Navigation links. WeChat's and Alipay's maps and AMap all want GCJ-02."""
    if hall.place is None:
        return Links(None, None, None)
    at = to_gcj02(hall.place)
    name = quote(hall.name)
    lat, lng = f"{at.lat:.6f}", f"{at.lng:.6f}"
    return Links(
        wechat=f"https://apis.map.qq.com/uri/v1/marker?marker=coord:{lat},{lng};title:{name}"
        "&referer=yiting",
        alipay=f"https://uri.amap.com/navigation?to={lng},{lat},{name}&mode=car&coordinate=gaode"
        "&callnative=1",
        amap=f"https://uri.amap.com/marker?position={lng},{lat}&name={name}&coordinate=gaode",
    )
