"""The ranked list of halls, made from memory.

Most of a hall's JSON stays the same from one request to the next, so it is encoded once for each
version of its live state; a request only measures, ranks, and joins the pieces.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from scheduler.arrivals import instead_of_waiting
from scheduler.calendar import SHANGHAI
from scheduler.hall_table import seed_of
from scheduler.places import Place, to_wgs84
from scheduler.ranking import Ranked, Search, rank, refine
from scheduler.travel import PACES, Paces, pace_of
from server.errors import FieldFault, InvalidRequest
from server.halls.choosing import Choosing, Chosen
from server.halls.directory import Directory
from server.halls.standing import NULL, Standing
from server.halls.views import AppointmentInstead, NearQuery
from server.live.feed import Feed
from server.live.reading import shown
from server.live.state import encode

_MOST_ANSWERS: Final = 500
_NEEDS_PLACE = ("需要同时给出 lat 和 lng。", "needs lat and lng")
_TOGETHER = ("lat 和 lng 应同时给出。", "lat and lng go together")
_NO_PLACE = ("不是地球上的位置。", "is no place on Earth")

_RANGE = b'{"p10_s":%d,"p50_s":%d,"p90_s":%d}'
_WAY = b'"distance_m":%d,"travel_s":%d,"travel_basis":"%b","appointment":%b}'
_SERVED = b'%b%b,"wait_on_arrival":' + _RANGE + b',"total":' + _RANGE + b"," + _WAY
_NOT_FORETOLD = b'%b%b,"wait_on_arrival":null,"total":null,' + _WAY
_NO_WAY = (
    b'%b%b,"wait_on_arrival":null,"total":null,"distance_m":null,"travel_s":null,'
    b'"travel_basis":null,"appointment":null}'
)

# The next free slot of a hall for an item: when it starts, and how many minutes it is long.
NextSlots = Mapping[tuple[str, str], tuple[datetime, int]]


class HallLists:
    """Makes ranked lists over one directory.

    What a list is made of changes when a hall's live state does, or with the second (a hall opens,
    `as_of` moves); until then the same question gets the same bytes.
    """

    def __init__(
        self, directory: Directory, feed: Feed, now: datetime, *, paces: Paces = PACES
    ) -> None:
        self._feed = feed
        self._paces = paces
        self.standing = Standing(directory, now)
        self._choosing = Choosing(directory, self.standing)
        self.next_slots: NextSlots = {}
        # What was asked since the halls last changed, and the answer where it was asked again:
        # to keep every answer would cost more than to make it.
        self._answers: dict[NearQuery, bytes | None] = {}

    def answered(self, query: NearQuery, now: datetime) -> bytes | None:
        """What the same question got of late, while nothing that it tells of has changed."""
        if self.standing.catch_up(self._feed.memory, shown(now)):
            self._answers.clear()
        return self._answers.get(query)

    def ranked(
        self, query: NearQuery, now: datetime, travel_s: Mapping[str, int] | None = None
    ) -> bytes:
        """The JSON of a HallList, with the ways that somebody knows better: seconds by hall.

        Raises InvalidRequest or NotFound.
        """
        if answer := self.answered(query, now):
            return answer
        answers = self._answers
        answer = self._make(query, shown(now), travel_s or {})
        if len(answers) >= _MOST_ANSWERS:
            answers.clear()
        answers[query] = answer if query in answers else None
        return answer

    def first_served(self, query: NearQuery, now: datetime, many: int) -> dict[str, Place]:
        """The places of the first halls of a list where she is served today, by their codes.

        Raises InvalidRequest or NotFound.
        """
        found, _ = self._found(query, shown(now), least=many)
        halls = [self.standing.halls[at] for at in found.halls[found.served][:many].tolist()]
        return {hall.code: hall.place for hall in halls if hall.place is not None}

    def found(self, query: NearQuery, now: datetime) -> Ranked:
        """The first halls of a list, by their numbers in `standing`, with what they rest on.

        Raises InvalidRequest or NotFound.
        """
        self.standing.catch_up(self._feed.memory, shown(now))
        return self._found(query, shown(now))[0]

    def _make(self, query: NearQuery, as_of: datetime, travel_s: Mapping[str, int]) -> bytes:
        number = self.standing.number
        known = {number[code]: float(s) for code, s in travel_s.items() if code in number}
        found, chosen = self._found(query, as_of, known=known, least=len(known))
        halls = found.halls[: query.limit].tolist()
        if query.lat is None:
            answered = [self._unplaced(at, chosen) for at in halls]
        else:
            answered = self._placed(query, found, chosen, known, as_of)
            halls += self._placeless(query, chosen, query.limit - len(halls))
            answered += [self._unplaced(at, chosen) for at in halls[len(answered) :]]
        oldest = float(self.standing.as_of_s[halls].min(initial=as_of.timestamp()))
        told = min(as_of, datetime.fromtimestamp(oldest, SHANGHAI))
        return b'{"as_of":%b,"data":[%b]}' % (encode(told), b",".join(answered))

    def _found(
        self,
        query: NearQuery,
        as_of: datetime,
        *,
        known: Mapping[int, float] | None = None,
        least: int = 0,
    ) -> tuple[Ranked, Chosen]:
        """Rank the halls that a question asks for, `least` at least, by the ways known best."""
        chosen = self._choosing.chosen(query)
        where = place_of(query)
        here = (where.lat, where.lng) if where else None
        asked, rows, table = chosen.asked, chosen.rows, self.standing.table
        if query.open_now:
            rows = np.where(self.standing.open, rows, -1)
            asked = np.flatnonzero(rows >= 0)
        if here is not None:
            asked = asked[: asked.searchsorted(len(table.map))]
        now_s = as_of.timestamp()
        search = Search(
            by=query.rank,
            now_s=now_s,
            here=here,
            pace=pace_of(query.travel, self._paces),
            asked=asked,
            rows=rows,
            service_s=chosen.service_s,
            least_service_s=chosen.least_service_s,
            limit=max(query.limit, least),
            seed=seed_of(*(here or (0.0, 0.0)), now_s),
            within_m=query.within_m,
        )
        found = rank(table, search)
        return (refine(table, search, found, known) if known else found), chosen

    def _placed(
        self,
        query: NearQuery,
        found: Ranked,
        chosen: Chosen,
        known: Mapping[int, float],
        as_of: datetime,
    ) -> list[bytes]:
        standing, answered = self.standing, []
        wait_of = standing.wait_json.get
        figures = np.empty((len(found.halls), 8))
        figures[:, :3], figures[:, 3:6] = found.wait_s, found.total_s
        figures[:, 6], figures[:, 7] = found.distance_m, found.travel_s
        foretold = ~np.isnan(found.wait_s[:, 0])
        figures[~foretold, :6] = 0.0
        numbers = np.rint(figures[: query.limit]).astype(np.int64).tolist()
        halls = found.halls.tolist()
        for at, row, is_foretold, values in zip(
            halls, chosen.rows[found.halls].tolist(), foretold.tolist(), numbers, strict=False
        ):
            total_s = values[4] if is_foretold else None
            head = standing.piece(at), wait_of(row, NULL)
            tail = (b"map" if at in known else b"estimate",)
            slot = NULL
            if self.next_slots and query.item is not None:
                service_s = float(chosen.service_s[at])
                slot = self._instead(
                    query.item, at, service_s, as_of, travel_s=values[7], total_s=total_s
                )
            if is_foretold:
                answered.append(_SERVED % (*head, *values, *tail, slot))
            else:
                answered.append(_NOT_FORETOLD % (*head, *values[6:], *tail, slot))
        return answered

    def _instead(
        self,
        item: str,
        at: int,
        service_s: float,
        now: datetime,
        *,
        travel_s: int,
        total_s: int | None,
    ) -> bytes:
        """The appointment that is better than waiting at this hall, as JSON."""
        offer = instead_of_waiting(
            self.next_slots.get((self.standing.halls[at].code, item)),
            service_s=service_s,
            arrives=now + timedelta(seconds=travel_s),
            done=None if total_s is None else now + timedelta(seconds=total_s),
        )
        return NULL if offer is None else encode(AppointmentInstead(offer.start, offer.done_by))

    def _unplaced(self, at: int, chosen: Chosen) -> bytes:
        wait = self.standing.wait_json.get(int(chosen.rows[at]), NULL)
        return _NO_WAY % (self.standing.piece(at), wait)

    def _placeless(self, query: NearQuery, chosen: Chosen, most: int) -> list[int]:
        """Halls without a place, after all others, where any distance will do."""
        if query.within_m is not None or most <= 0:
            return []
        placed = len(self.standing.table.map)
        rest: list[int] = chosen.asked[chosen.asked.searchsorted(placed) :].tolist()
        if query.open_now:
            rest = [at for at in rest if self.standing.open[at]]
        return rest[:most]


def place_of(query: NearQuery) -> Place | None:
    """Where the citizen is, in WGS-84; None when she does not say. Raises InvalidRequest."""
    if query.lat is None and query.lng is None:
        for name, needs in (("within_m", query.within_m), ("rank", query.rank == "fastest")):
            if needs:
                raise InvalidRequest(errors=[FieldFault(f"/{name}", _NEEDS_PLACE)])
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
