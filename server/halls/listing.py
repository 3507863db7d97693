"""The ranked list of halls, made from memory.

Most of a hall's JSON stays the same from one request to the next, so it is encoded once for each
version of its live state; a request only measures, ranks, and joins the pieces.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import numpy as np

from scheduler.arrivals import Floats
from scheduler.calendar import SHANGHAI
from scheduler.hall_map import Indices
from scheduler.hall_table import seed_of
from scheduler.places import Place, to_wgs84
from scheduler.ranking import Ranked, Search, rank, refine
from scheduler.travel import PACES, Paces, pace_of
from scheduler.vicinity import Asked, Memory
from server.errors import FieldFault, InvalidRequest
from server.halls.choosing import Choosing
from server.halls.coming import Coming
from server.halls.directory import Directory, HallEntry, ItemEntry
from server.halls.figures import NO_WAY, NULL, Figures, written_out
from server.halls.standing import Standing
from server.halls.views import MOST_LISTED, AppointmentInstead, NearQuery
from server.live.feed import Feed
from server.live.reading import shown
from server.live.state import encode

_MOST_ANSWERS: Final = 500
_TOTAL_P50: Final = 4
_NEEDS_PLACE = ("需要同时给出 lat 和 lng。", "needs lat and lng")
_TOGETHER = ("lat 和 lng 应同时给出。", "lat and lng go together")
_NO_PLACE = ("不是地球上的位置。", "is no place on Earth")


class Soonest:
    """The soonest slot of each hall for an item: its start and end in Unix seconds, inf for none.

    By the halls' numbers in `Standing.halls`.
    """

    def __init__(self, halls: int) -> None:
        self.starts_s: Floats = np.full(halls, np.inf)
        self.ends_s: Floats = np.full(halls, np.inf)
        self._texts: dict[int, bytes] = {}

    def put(self, at: int, slot: AppointmentInstead | None) -> None:
        """This is the hall's from now on."""
        self._texts.pop(at, None)
        self.starts_s[at] = slot.slot_start.timestamp() if slot else np.inf
        self.ends_s[at] = slot.done_by.timestamp() if slot else np.inf

    def text(self, at: int) -> bytes:
        """A hall's slot as JSON."""
        text = self._texts.get(at)
        if text is None:
            ends = (self.starts_s[at], self.ends_s[at])
            start, end = (datetime.fromtimestamp(moment, SHANGHAI) for moment in ends)
            text = self._texts[at] = encode(AppointmentInstead(start, end))
        return text


class Bookable(Protocol):
    """What can be booked, from memory."""

    def soonest(self, item: ItemEntry, now: datetime, /) -> Soonest | None:
        """The soonest slots that can be booked now; None where there is none at any hall."""

    def slot(
        self, at: int, item: ItemEntry, arrives: datetime, now: datetime, /
    ) -> AppointmentInstead | None:
        """The soonest slot of a hall that can be booked, and begins once she can be there."""


def _nothing_bookable(_halls: Sequence[HallEntry]) -> Bookable | None:
    return None


class HallLists:
    """Makes ranked lists over one directory.

    What a list is made of changes when a hall's live state does, or with the second (a hall opens,
    `as_of` moves); until then the same question gets the same bytes. What searches leave behind is
    `remembered`, within bounds of its own where none are given.
    """

    def __init__(
        self,
        directory: Directory,
        feed: Feed,
        now: datetime,
        *,
        paces: Paces = PACES,
        coming: Coming | None = None,
        remembered: Memory | None = None,
        bookable: Callable[[Sequence[HallEntry]], Bookable | None] = _nothing_bookable,
    ) -> None:
        self._feed = feed
        self._paces = paces
        self.standing = Standing(directory, now, coming)
        self._choosing = Choosing(directory, self.standing, remembered)
        self._directory = directory
        self.bookable = bookable(self.standing.halls)
        # What was asked since the halls last changed, and the answer where it was asked again:
        # to keep every answer would cost more than to make it.
        self._answers: dict[NearQuery, bytes | None] = {}
        self._figures = Figures(MOST_LISTED)
        self._told_last: tuple[tuple[datetime, float] | None, bytes] = (None, b"")

    def ranked(
        self, query: NearQuery, now: datetime, travel_s: Mapping[str, int] | None = None
    ) -> bytes:
        """The JSON of a HallList, with the ways that somebody knows better: seconds by hall.

        Raises InvalidRequest or NotFound.
        """
        as_of = shown(now)
        if answer := self._answered(query, as_of):
            return answer
        answers = self._answers
        answer = self._make(query, as_of, travel_s or {})
        if len(answers) >= _MOST_ANSWERS:
            answers.clear()
        answers[query] = answer if query in answers else None
        return answer

    def answered(self, query: NearQuery, now: datetime) -> bytes | None:
        """What the same question got of late, while nothing that it tells of has changed."""
        return self._answered(query, shown(now))

    def _answered(self, query: NearQuery, as_of: datetime) -> bytes | None:
        if self.standing.catch_up(self._feed.memory, as_of):
            self._answers.clear()
        return self._answers.get(query)

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
        found, asked = self._found(query, as_of, known=known, least=len(known))
        halls = found.halls[: query.limit]
        if query.lat is None:
            parts = self._unplaced(halls, asked)
        else:
            fronts = self.standing.fronts(halls, asked.rows.take(halls))
            others = self._others(query, found, known, as_of)
            figures = found.figures[:, : query.limit]
            if not found.is_foretold:
                figures = np.nan_to_num(figures)
            parts = self._figures.parts(fronts, figures, others)
            if len(halls) < query.limit and len(asked.placed) < len(asked.halls):
                rest = self._placeless(query, asked, query.limit - len(halls))
                parts += self._unplaced(rest, asked)
                halls = np.concatenate((halls, rest))
        if parts:
            parts[0] = parts[0][1:]  # no comma before the first
        oldest_s = min(self.standing.as_of_s.take(halls).tolist(), default=math.inf)
        told = self._told(as_of, oldest_s)
        return b"".join((b'{"as_of":', told, b',"data":[', *parts, b"]}"))

    def _told(self, as_of: datetime, oldest_s: float) -> bytes:
        """The moment of which a list tells, as JSON: the oldest of its halls', if that is past."""
        wanted = as_of, oldest_s
        if self._told_last[0] != wanted:
            old = datetime.fromtimestamp(oldest_s, SHANGHAI) if oldest_s < math.inf else as_of
            self._told_last = wanted, encode(min(as_of, old))
        return self._told_last[1]

    def _found(
        self,
        query: NearQuery,
        as_of: datetime,
        *,
        known: Mapping[int, float] | None = None,
        least: int = 0,
    ) -> tuple[Ranked, Asked]:
        """Rank the halls that a question asks for, `least` at least, by the ways known best."""
        asked = self._choosing.chosen(query)
        where = place_of(query)
        here = (where.lat, where.lng) if where else None
        now_s = as_of.timestamp()
        search = Search(
            by=query.rank,
            now_s=now_s,
            here=here,
            pace=pace_of(query.travel, self._paces),
            asked=asked,
            limit=max(query.limit, least),
            open=self.standing.open if query.open_now else None,
            seed=seed_of(*(here or (0.0, 0.0)), now_s),
            within_m=query.within_m,
        )
        found = rank(self.standing.table, search)
        if known:
            found = refine(self.standing.table, search, found, known)
        return found, asked

    def _others(
        self,
        query: NearQuery,
        found: Ranked,
        known: Mapping[int, float],
        as_of: datetime,
    ) -> dict[int, bytes]:
        """The figures that are not told as usual, by their place in the list.

        Without a wait, with a way by road, or with an appointment that is better.
        """
        better = self._better_by_booking(query, found, as_of)
        if found.is_foretold and not known and not better:
            return {}
        others = {}
        foretold = ~np.isnan(found.wait_s[:, 0])
        figures = np.rint(np.nan_to_num(found.figures)).astype(np.int64).T.tolist()
        halls = found.halls.tolist()
        for nth, (at, is_foretold) in enumerate(
            zip(halls[: query.limit], foretold[: query.limit].tolist(), strict=True)
        ):
            appointment = better.get(nth, NULL)
            if not is_foretold or at in known or appointment is not NULL:
                others[nth] = written_out(
                    figures[nth],
                    is_foretold=is_foretold,
                    travel_basis=b"map" if at in known else b"estimate",
                    appointment=appointment,
                )
        return others

    def _better_by_booking(
        self, query: NearQuery, found: Ranked, as_of: datetime
    ) -> Mapping[int, bytes]:
        """The appointments with which she is done earlier than by waiting, by place in the list."""
        if self.bookable is None or query.item is None:
            return {}
        item = self._directory.item(query.item)
        soonest = self.bookable.soonest(item, as_of)
        if soonest is None:
            return {}
        halls, now_s = found.halls[: query.limit], as_of.timestamp()
        done_s = found.figures[_TOTAL_P50, : query.limit] + now_s
        ends_s = soonest.ends_s.take(halls)
        waits = ends_s >= done_s  # what is not known compares as false
        if waits.all():
            return {}
        arrives_s = found.travel_s[: query.limit] + now_s
        reached = soonest.starts_s.take(halls) >= arrives_s
        better = {}
        for nth in np.flatnonzero(~waits & (ends_s < math.inf)).tolist():
            at = int(halls[nth])
            if reached[nth]:
                better[nth] = soonest.text(at)
                continue
            arrives = datetime.fromtimestamp(math.ceil(arrives_s[nth]), SHANGHAI)
            slot = self.bookable.slot(at, item, arrives, as_of)
            if slot is not None and not slot.done_by.timestamp() >= done_s[nth]:
                better[nth] = encode(slot)
        return better

    def _unplaced(self, halls: Indices, asked: Asked) -> list[bytes]:
        """Halls of which nobody knows how far they are, as JSON."""
        fronts = self.standing.fronts(halls, asked.rows.take(halls))
        return [front + NO_WAY for front in fronts]

    def _placeless(self, query: NearQuery, asked: Asked, most: int) -> Indices:
        """Halls without a place, after all others, where any distance will do."""
        rest = asked.halls[len(asked.placed) :]
        if query.within_m is not None:
            return rest[:0]
        if query.open_now:
            rest = rest[self.standing.open[rest]]
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
