"""The ranked list of halls, made from memory.

Most of a hall's JSON stays the same from one request to the next, so it is encoded once for each
version of its live state; a request only measures, sorts, and joins the pieces.
"""

from datetime import datetime
from functools import cache
from urllib.parse import quote

from scheduler.calendar import is_open
from scheduler.places import Place, to_gcj02, to_wgs84
from scheduler.ranking import rank_nearest, travel_times_s
from server.errors import FieldFault, InvalidRequest
from server.halls.directory import Directory, HallEntry
from server.halls.views import HallSummary, Links, NearQuery, PlaceView
from server.live.feed import Feed
from server.live.reading import shown
from server.live.state import encode

_UNKNOWN = b'null,"travel_s":null}'
_MOST_ANSWERS = 500
_NEEDS_PLACE = ("需要同时给出 lat 和 lng。", "needs lat and lng")
_TOGETHER = ("lat 和 lng 应同时给出。", "lat and lng go together")
_NEEDS_ITEM = ("需要同时给出 item。", "needs item")
_NO_TOWN = (
    "应为镇街或村居大厅的代码，如 dg-24。",
    "must be the code of a town's or village's hall, like dg-24",
)
_NO_PLACE = ("不是地球上的位置。", "is no place on Earth")
Stamp = tuple[int, datetime]


class HallLists:
    """Makes ranked lists over one directory.

    What a list is made of changes when a hall's live state does, or with the second (a hall opens,
    `as_of` moves); until then the same question gets the same bytes.
    """

    def __init__(self, directory: Directory, feed: Feed) -> None:
        self._directory = directory
        self._feed = feed
        unplaced = (hall for hall in directory.halls.values() if hall.place is None)
        self._halls = (*directory.placed, *unplaced)
        self._links = [links(hall) for hall in self._halls]
        self._stamp: Stamp | None = None
        self._as_of = datetime.min
        self._versions: list[int | None] = [None] * len(self._halls)
        self._open = [False] * len(self._halls)
        # Each hall's JSON up to the value of `distance_m`.
        self._pieces = [b""] * len(self._halls)
        # What was asked since the halls last changed, and the answer where it was asked again:
        # to keep every answer would cost more than to make it.
        self._answers: dict[NearQuery, bytes | None] = {}

    def ranked(self, query: NearQuery, now: datetime) -> bytes:
        """The JSON of a HallList. Raises InvalidRequest or NotFound."""
        as_of = shown(now)
        self._catch_up(as_of)
        answers = self._answers
        if answer := answers.get(query):
            return answer
        answer = self._make(query)
        if len(answers) >= _MOST_ANSWERS:
            answers.clear()
        answers[query] = answer if query in answers else None
        return answer

    def _make(self, query: NearQuery) -> bytes:
        _check_home(self._directory, query)
        where = place_of(query)
        if where is None:
            order = self._wanted(query, self._in_code_order())
            return _joined(self._as_of, [self._pieces[at] + _UNKNOWN for at in order])
        distances = self._directory.hall_map.distances_m(where.lat, where.lng)
        near = rank_nearest(distances, within_m=query.within_m)
        placeless = [] if query.within_m else range(len(distances), len(self._halls))
        order = self._wanted(query, [*near, *placeless])
        known = [at for at in order if at < len(distances)]
        metres = [distances[at] for at in known]
        # Every piece and its two figures in turn: one formatting for the whole list.
        values: list[object] = [None] * (3 * len(known))
        values[::3] = [self._pieces[at] for at in known]
        # `%d` cuts off what follows the point, so half a unit more rounds.
        values[1::3] = [each + 0.5 for each in metres]
        values[2::3] = [each + 0.5 for each in travel_times_s(metres, query.travel)]
        halls = [_pattern(len(known)) % tuple(values)] if known else []
        return _joined(
            self._as_of, halls + [self._pieces[at] + _UNKNOWN for at in order[len(known) :]]
        )

    def _in_code_order(self) -> list[int]:
        return sorted(range(len(self._halls)), key=lambda at: self._halls[at].code)

    def _wanted(self, query: NearQuery, order: list[int]) -> list[int]:
        """The halls of an order that the query asks for. Raises NotFound for an unknown item."""
        if query.item is not None:
            item = self._directory.item(query.item)
            order = [at for at in order if query.item in self._halls[at].offers]
            if home := query.resident_of:
                order = [at for at in order if self._directory.takes(self._halls[at], item, home)]
        if query.open_now:
            order = [at for at in order if self._open[at]]
        return order[: query.limit]

    def _catch_up(self, as_of: datetime) -> None:
        """Encode again what changed since the last list."""
        stamp = (self._feed.memory.generation, as_of)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self._answers.clear()
        boards = [kept.board.as_of for kept in self._feed.memory.halls.values()]
        self._as_of = min([*boards, as_of])  # no list is newer than the oldest of what it tells
        for at, hall in enumerate(self._halls):
            live = self._feed.memory.halls.get(hall.code)
            version = live.board.version if live else 0
            opened = is_open(hall.timetable, as_of)
            if self._versions[at] != version or self._open[at] != opened:
                self._versions[at], self._open[at] = version, opened
                self._pieces[at] = self._piece(at, live.waiting if live else None)

    def _piece(self, at: int, waiting: int | None) -> bytes:
        hall = self._halls[at]
        summary = HallSummary(
            code=hall.code,
            name=hall.name,
            name_en=hall.name_en,
            level=hall.level,
            address=hall.address,
            place=place_view(hall.place),
            links=self._links[at],
            open=self._open[at],
            waiting=waiting,
            wait=None,
            wait_on_arrival=None,
            total=None,
            distance_m=None,
            travel_s=None,
        )
        # The two values that differ between requests are declared last: cut them off here.
        return encode(summary).removesuffix(_UNKNOWN)


@cache
def _pattern(many: int) -> bytes:
    """So many halls, each a piece with its metres and seconds to come."""
    return b",".join([b'%b%d,"travel_s":%d}'] * many)


def _joined(as_of: datetime, halls: list[bytes]) -> bytes:
    return b'{"as_of":%b,"data":[%b]}' % (encode(as_of), b",".join(halls))


def check_home(directory: Directory, town: str, *, at: str) -> None:
    """Raise InvalidRequest, pointing to where it stands, unless somebody can live there."""
    home = directory.halls.get(town)
    if home is None or home.level == "city":
        raise InvalidRequest(errors=[FieldFault(at, _NO_TOWN)])


def _check_home(directory: Directory, query: NearQuery) -> None:
    """Raise InvalidRequest for a home without an item, or where nobody can live."""
    if query.resident_of is None:
        return
    check_home(directory, query.resident_of, at="/resident_of")
    if query.item is None:
        raise InvalidRequest(errors=[FieldFault("/resident_of", _NEEDS_ITEM)])


def place_of(query: NearQuery) -> Place | None:
    """Where the citizen is, in WGS-84; None when she does not say. Raises InvalidRequest."""
    if query.lat is None and query.lng is None:
        if query.within_m is not None:
            raise InvalidRequest(errors=[FieldFault("/within_m", _NEEDS_PLACE)])
        return None
    if query.lat is None or query.lng is None:
        missing = "/lat" if query.lat is None else "/lng"
        raise InvalidRequest(errors=[FieldFault(missing, _TOGETHER)])
    return wgs84(query.lat, query.lng, query.datum)


def wgs84(lat: float, lng: float, datum: str, *, at: str = "") -> Place:
    """A place from outside, in WGS-84. Raises InvalidRequest for NaN and impossible numbers.

    `at` points to where `lat` and `lng` stand.
    """
    try:
        return to_wgs84(Place(lat, lng, datum))  # type: ignore[arg-type]
    except ValueError:
        faults = [FieldFault(f"{at}/{name}", _NO_PLACE) for name in ("lat", "lng")]
        raise InvalidRequest(errors=faults) from None


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
        alipay=f"https://uri.amap.com/navigation?to={lng},{lat}&mode=car",
        amap=f"https://uri.amap.com/marker?position={lng},{lat}&name={name}",
    )
