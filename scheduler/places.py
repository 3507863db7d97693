"""Where things are and how far apart: the three datums of Chinese maps, and distances in metres.

Degrees everywhere, latitude first. WGS-84 is what satellites give, GCJ-02 what WeChat's, Alipay's,
Amap's and Tencent's maps draw, BD-09 what Baidu's draw. The shifts are the published formulas
(constants of wandergis/coordtransform); the inverses are iterated until they close.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from geopy.distance import geodesic

Datum = Literal["wgs84", "gcj02", "bd09"]
Pair = tuple[float, float]  # latitude, longitude in degrees
EarthCentred = tuple[float, float, float]  # metres along the axes of the WGS-84 ellipsoid

DATUMS: Final = get_args(Datum)

# The shift exists only inside this box; outside all three datums are one.
SHIFT_LAT: Final = (0.8293, 55.8271)
SHIFT_LNG: Final = (72.004, 137.8347)

# Krasovsky 1940, the ellipsoid of GCJ-02.
GCJ_A: Final = 6378245.0
GCJ_EE: Final = 0.00669342162296594323
BD_TURN: Final = math.pi * 3000.0 / 180.0
BD_LAT, BD_LNG = 0.006, 0.0065

# WGS-84 (NIMA TR8350.2): semi-major axis in metres, squares of first and second eccentricity.
WGS_A: Final = 6378137.0
WGS_F: Final = 1 / 298.257223563
WGS_EE: Final = WGS_F * (2 - WGS_F)
DIAMETER: Final = 2 * 6371008.8  # metres, twice IUGG's mean radius R1

# Where a phone does not say how exact its place is, it is taken for a usual one in a street.
ACCURACY_UNSAID_M: Final = 50.0
# A place that is less exact than this was not found by satellites, and says nothing here.
ACCURACY_WORST_M: Final = 500.0

CLOSE_ENOUGH: Final = 5e-7  # degrees missed before the last step, which leaves 2 mm at most
MOST_TURNS: Final = 30  # each turn shrinks the error 50 times or more: 3 are usual


class BadPlace(ValueError):
    """These numbers are no place on Earth."""


class PlaceNotFinite(BadPlace):
    """A latitude or longitude is NaN or infinite."""


class PlaceOutOfRange(BadPlace):
    """A latitude outside -90…90 or a longitude outside -180…180 degrees."""


class UnknownDatum(BadPlace):
    """A datum other than wgs84, gcj02 and bd09."""


def _check(lat: float, lng: float) -> None:
    if not (math.isfinite(lat) and math.isfinite(lng)):
        raise PlaceNotFinite(f"latitude and longitude must be finite numbers, not ({lat}, {lng})")
    if not -90 <= lat <= 90:
        raise PlaceOutOfRange(f"latitude must lie between -90 and 90 degrees, not {lat}")
    if not -180 <= lng <= 180:
        raise PlaceOutOfRange(f"longitude must lie between -180 and 180 degrees, not {lng}")


def _check_datum(datum: str) -> None:
    if datum not in DATUMS:
        raise UnknownDatum(f"datum must be one of {', '.join(DATUMS)}, not {datum!r}")


@dataclass(frozen=True, slots=True)
class Place:
    """A point in degrees and the datum its numbers are in. Raises a `BadPlace` when it is none."""

    lat: float
    lng: float
    datum: Datum

    def __post_init__(self) -> None:
        _check(self.lat, self.lng)
        _check_datum(self.datum)


def _is_shifted(lat: float, lng: float) -> bool:
    return SHIFT_LAT[0] <= lat <= SHIFT_LAT[1] and SHIFT_LNG[0] <= lng <= SHIFT_LNG[1]


def _wgs84_to_gcj02(lat: float, lng: float) -> Pair:
    x, y, pi = lng - 105.0, lat - 35.0, math.pi
    ripple = 20.0 * math.sin(6.0 * x * pi) + 20.0 * math.sin(2.0 * x * pi)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    north += ripple * 2 / 3
    north += (20.0 * math.sin(y * pi) + 40.0 * math.sin(y / 3.0 * pi)) * 2 / 3
    north += (160.0 * math.sin(y / 12.0 * pi) + 320.0 * math.sin(y * pi / 30.0)) * 2 / 3
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    east += ripple * 2 / 3
    east += (20.0 * math.sin(x * pi) + 40.0 * math.sin(x / 3.0 * pi)) * 2 / 3
    east += (150.0 * math.sin(x / 12.0 * pi) + 300.0 * math.sin(x / 30.0 * pi)) * 2 / 3
    phi = math.radians(lat)
    w = 1 - GCJ_EE * math.sin(phi) ** 2
    meridian = GCJ_A * (1 - GCJ_EE) / (w * math.sqrt(w))
    parallel = GCJ_A / math.sqrt(w) * math.cos(phi)
    return lat + math.degrees(north / meridian), lng + math.degrees(east / parallel)


def _gcj02_to_bd09(lat: float, lng: float) -> Pair:
    z = math.hypot(lng, lat) + 0.00002 * math.sin(lat * BD_TURN)
    theta = math.atan2(lat, lng) + 0.000003 * math.cos(lng * BD_TURN)
    return z * math.sin(theta) + BD_LAT, z * math.cos(theta) + BD_LNG


def _undo(shift: Callable[[float, float], Pair], lat: float, lng: float) -> Pair:
    """Find what `shift` moves to (lat, lng): move the guess by what it still misses."""
    guess_lat, guess_lng = lat, lng
    for _ in range(MOST_TURNS):
        got_lat, got_lng = shift(guess_lat, guess_lng)
        miss_lat, miss_lng = lat - got_lat, lng - got_lng
        guess_lat, guess_lng = guess_lat + miss_lat, guess_lng + miss_lng
        if abs(miss_lat) < CLOSE_ENOUGH and abs(miss_lng) < CLOSE_ENOUGH:
            break
    return guess_lat, guess_lng


def _convert(pair: Pair, source: Datum, target: Datum) -> Pair:
    if source == "bd09":
        pair = _undo(_gcj02_to_bd09, *pair)
    if source == "wgs84":
        pair = _wgs84_to_gcj02(*pair)
    if target == "wgs84":
        pair = _undo(_wgs84_to_gcj02, *pair)
    if target == "bd09":
        pair = _gcj02_to_bd09(*pair)
    return pair


def convert(place: Place, datum: Datum) -> Place:
    """Give the same point in another datum; round trips close within a centimetre.

    Whether the shift applies is asked of the numbers as given. Outside the box they stay as they
    are, so within a kilometre of its rim (the open sea, foreign land) a round trip may not close.
    Raises `UnknownDatum`.
    """
    _check_datum(datum)
    if place.datum == datum:
        return place
    pair = place.lat, place.lng
    if _is_shifted(*pair):
        pair = _convert(pair, place.datum, datum)
    return Place(*pair, datum)


def to_wgs84(place: Place) -> Place:
    """Give the same point in WGS-84, as satellites and our rows have it."""
    return convert(place, "wgs84")


def to_gcj02(place: Place) -> Place:
    """Give the same point in GCJ-02, as the mini-programs' maps have it."""
    return convert(place, "gcj02")


def to_bd09(place: Place) -> Place:
    """Give the same point in BD-09, as Baidu's maps have it."""
    return convert(place, "bd09")


def geodesic_m(a: Place, b: Place) -> float:
    """Metres between two places on the WGS-84 ellipsoid (Karney 2013, by geopy), in any datums.

    Exact to nanometres and slow (about 0.2 ms): for single decisions such as "too far to check in".
    """
    start, end = to_wgs84(a), to_wgs84(b)
    return float(geodesic((start.lat, start.lng), (end.lat, end.lng)).meters)


Presence = Literal["inside", "outside", "unsure"]


def presence(distance_m: float, accuracy_m: float | None, fence_m: float) -> Presence:
    """Whether somebody so far away, by a place so exact, is within a fence around the hall.

    All in metres. `accuracy_m` is the radius that the phone gives with its place; wherever in that
    circle she is, she must be inside (or outside) for it to be said. Else it cannot be told.
    """
    spread = ACCURACY_UNSAID_M if accuracy_m is None else accuracy_m
    if spread > ACCURACY_WORST_M:
        return "unsure"
    if distance_m + spread <= fence_m:
        return "inside"
    return "outside" if distance_m - spread > fence_m else "unsure"


def earth_centred(lat: float, lng: float) -> EarthCentred:
    """A point on the WGS-84 ellipsoid in Earth-centred metres. Raises a `BadPlace`."""
    _check(lat, lng)
    phi, lam = math.radians(lat), math.radians(lng)
    sine, cosine = math.sin(phi), math.cos(phi)
    n = WGS_A / math.sqrt(1 - WGS_EE * sine * sine)
    return n * cosine * math.cos(lam), n * cosine * math.sin(lam), n * (1 - WGS_EE) * sine
