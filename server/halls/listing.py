"""The ranked list of halls, made from memory.

Most of a hall's JSON stays the same from one request to the next, so it is encoded once for each
version of its live state; a request only measures, ranks, and joins the pieces.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import numpy as np

from scheduler.calendar import SHANGHAI
from scheduler.hall_table import seed_of
from scheduler.ordering import Ranked, Search
from scheduler.places import Place, to_wgs84
from scheduler.ranking import rank, rank_all, refine
from scheduler.travel import PACES, Paces, pace_of
from scheduler.vicinity import Memory
from server.errors import FieldFault, InvalidRequest
from server.halls.at_once import AtOnce
from server.halls.choosing import Choosing
from server.halls.coming import Coming
from server.halls.directory import Directory, HallEntry
from server.halls.figures import NO_WAY, NULL, Figures, written_out
from server.halls.instead import Bookable, better_by_booking, nothing_bookable
from server.halls.standing import Standing
from server.halls.views import MOST_LISTED, NearQuery
from server.live.feed import Feed
from server.live.state import encode

_MOST_ANSWERS: Final = 500
_LISTS_AT_ONCE: Final = 32
_NEEDS_PLACE = ("需要同时给出 lat 和 lng。", "needs lat and lng")
_TOGETHER = ("lat 和 lng 应同时给出。", "lat and lng go together")
_NO_PLACE = ("不是地球上的位置。", "is no place on Earth")


class HallLists:
    """Makes ranked lists over one directory.

    What a list is made of changes when a hall's live state does, or with the second (a hall opens,
    `as_of` moves); until then the same question gets the same bytes. What searches leave behind is
    `remembered`, within bounds of its own where none are given. Every moment given here is a whole
    second in local time (`Clock.second`).
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
        bookable: Callable[[Sequence[HallEntry]], Bookable | None] = nothing_bookable,
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
        self._figures = Figures(_LISTS_AT_ONCE * MOST_LISTED)
        self._asking: AtOnce[_Wish, bytes] = AtOnce(self._answers_to, enough=_LISTS_AT_ONCE)
        self._as_of: datetime | None = None
        self._told_last: tuple[tuple[datetime, float] | None, bytes] = (None, b"")

    def ranked(
        self, query: NearQuery, as_of: datetime, travel_s: Mapping[str, int] | None = None
    ) -> bytes:
        """The JSON of a HallList, with the ways that somebody knows better: seconds by hall.

        Raises InvalidRequest or NotFound.
        """
        if answer := self.answered(query, as_of):
            return answer
        wish = self._wish(query, as_of, travel_s or {})
        [answer] = self._made([wish])
        self._keep(query, answer)
        return answer

    async def ranked_together(
        self, query: NearQuery, as_of: datetime, travel_s: Mapping[str, int] | None = None
    ) -> bytes:
        """The same, made at one go for all who ask at about the same moment.

        In a rush that is many, and a list for each of them costs a part of what one alone does.
        Raises InvalidRequest or NotFound.
        """
        if answer := self.answered(query, as_of):
            return answer
        return await self._asking.ask(self._wish(query, as_of, travel_s or {}))

    def _answers_to(self, wishes: Sequence["_Wish"]) -> list[bytes]:
        """A list for each, those made together that are asked for alike."""
        alike: dict[object, list[int]] = defaultdict(list)
        for nth, wish in enumerate(wishes):
            alike[wish.search.by, wish.as_of, wish.search.here is None].append(nth)
        answers = [b""] * len(wishes)
        for group in alike.values():
            for start in range(0, len(group), _LISTS_AT_ONCE):
                some = group[start : start + _LISTS_AT_ONCE]
                for nth, answer in zip(some, self._made([wishes[at] for at in some]), strict=True):
                    answers[nth] = answer
                    if wishes[nth].as_of == self._as_of:
                        self._keep(wishes[nth].query, answer)
        return answers

    def _keep(self, query: NearQuery, answer: bytes) -> None:
        answers = self._answers
        if len(answers) >= _MOST_ANSWERS:
            answers.clear()
        answers[query] = answer if query in answers else None

    def answered(self, query: NearQuery, as_of: datetime) -> bytes | None:
        """What the same question got of late, while nothing that it tells of has changed."""
        self.keep_up(as_of)
        return self._answers.get(query)

    def keep_up(self, as_of: datetime) -> None:
        """Take over what changed, so that whoever asks next need not wait for it."""
        if self.standing.catch_up(self._feed.memory, as_of):
            self._answers.clear()
            self._as_of = as_of

    def first_served(self, query: NearQuery, as_of: datetime, many: int) -> dict[str, Place]:
        """The places of the first halls of a list where she is served today, by their codes.

        Raises InvalidRequest or NotFound.
        """
        found = self._found(query, as_of, least=many)
        halls = [self.standing.halls[at] for at in found.halls[found.served][:many].tolist()]
        return {hall.code: hall.place for hall in halls if hall.place is not None}

    def found(self, query: NearQuery, as_of: datetime) -> Ranked:
        """The first halls of a list, by their numbers in `standing`, with what they rest on.

        Raises InvalidRequest or NotFound.
        """
        self.keep_up(as_of)
        return self._found(query, as_of)

    def _wish(self, query: NearQuery, as_of: datetime, travel_s: Mapping[str, int]) -> "_Wish":
        number = self.standing.number
        known = {number[code]: float(s) for code, s in travel_s.items() if code in number}
        return _Wish(query, as_of, self._search(query, as_of, least=len(known)), known)

    def _made(self, wishes: Sequence["_Wish"]) -> list[bytes]:
        """The lists for some who ask of the same moment, by the same rank, all or none placed."""
        table = self.standing.table
        found = rank_all(table, [wish.search for wish in wishes])
        for nth, wish in enumerate(wishes):
            if wish.known:
                found[nth] = refine(table, wish.search, found[nth], wish.known)
        halls = [each.halls[: wish.query.limit] for each, wish in zip(found, wishes, strict=True)]
        bounds = [0, *accumulate(map(len, halls))]
        every = np.concatenate(halls)
        rows = [wish.search.asked.rows.take(some) for wish, some in zip(wishes, halls, strict=True)]
        fronts = self.standing.fronts(every, np.concatenate(rows))
        if wishes[0].search.here is None:
            parts = [front + NO_WAY for front in fronts]
        else:
            parts = self._laid(wishes, found, fronts, bounds)
        oldest_s = self.standing.as_of_s.take(every).tolist()
        each_has = len(parts) // max(1, len(every))
        lists = []
        for wish, (start, end) in zip(wishes, pairwise(bounds), strict=True):
            text = parts[each_has * start : each_has * end]
            text += self._placeless(wish, end - start)
            if text:
                text[0] = text[0][1:]  # no comma before the first
            told = self._told(wish.as_of, min(oldest_s[start:end], default=math.inf))
            lists.append(b"".join((b'{"as_of":', told, b',"data":[', *text, b"]}")))
        return lists

    def _laid(
        self,
        wishes: Sequence["_Wish"],
        found: Sequence[Ranked],
        fronts: Sequence[bytes],
        bounds: Sequence[int],
    ) -> list[bytes]:
        """The halls' JSON in two parts each, where they have figures; each list's from a bound."""
        limits = [wish.query.limit for wish in wishes]
        figures = [each.figures[:, :limit] for each, limit in zip(found, limits, strict=True)]
        foretold = [each.foretold[:limit] for each, limit in zip(found, limits, strict=True)]
        others = {}
        for wish, each, start in zip(wishes, found, bounds, strict=False):
            for nth, text in self._others(wish, each).items():
                others[start + nth] = text
        return self._figures.parts(
            fronts, np.concatenate(figures, axis=1), np.concatenate(foretold), others
        )

    def _told(self, as_of: datetime, oldest_s: float) -> bytes:
        """The moment of which a list tells, as JSON: the oldest of its halls', if that is past."""
        wanted = as_of, oldest_s
        if self._told_last[0] != wanted:
            old = datetime.fromtimestamp(oldest_s, SHANGHAI) if oldest_s < math.inf else as_of
            self._told_last = wanted, encode(min(as_of, old))
        return self._told_last[1]

    def _found(self, query: NearQuery, as_of: datetime, *, least: int = 0) -> Ranked:
        """Rank the halls that a question asks for, `least` at least."""
        return rank(self.standing.table, self._search(query, as_of, least=least))

    def _search(self, query: NearQuery, as_of: datetime, *, least: int) -> Search:
        where = place_of(query)
        here = (where.lat, where.lng) if where else None
        now_s = as_of.timestamp()
        return Search(
            by=query.rank,
            now_s=now_s,
            here=here,
            pace=pace_of(query.travel, self._paces),
            asked=self._choosing.chosen(query),
            limit=max(query.limit, least),
            open=self.standing.open if query.open_now else None,
            seed=seed_of(*(here or (0.0, 0.0)), now_s),
            within_m=query.within_m,
        )

    def _others(self, wish: "_Wish", found: Ranked) -> dict[int, bytes]:
        """The figures that are not told as usual, by their place in the list.

        With a way by road, or with an appointment that is better.
        """
        query, known, better = wish.query, wish.known, self._better(wish, found)
        if not known and not better:
            return {}
        others = {}
        figures = np.rint(np.nan_to_num(found.figures)).astype(np.int64).T.tolist()
        foretold = found.foretold.tolist()
        for nth, at in enumerate(found.halls[: query.limit].tolist()):
            if at in known or nth in better:
                others[nth] = written_out(
                    figures[nth],
                    is_foretold=foretold[nth],
                    travel_basis=b"map" if at in known else b"estimate",
                    appointment=better.get(nth, NULL),
                )
        return others

    def _better(self, wish: "_Wish", found: Ranked) -> Mapping[int, bytes]:
        query = wish.query
        if self.bookable is None or query.item is None:
            return {}
        item = self._directory.item(query.item)
        return better_by_booking(self.bookable, item, found, query.limit, wish.as_of)

    def _placeless(self, wish: "_Wish", listed: int) -> list[bytes]:
        """Halls without a place, as JSON, after those listed, where any distance will do."""
        asked, query = wish.search.asked, wish.query
        is_all = len(asked.placed) == len(asked.halls)
        if is_all or listed == query.limit or query.lat is None or query.within_m is not None:
            return []
        rest = asked.halls[len(asked.placed) :]
        if query.open_now:
            rest = rest[self.standing.open[rest]]
        rest = rest[: query.limit - listed]
        return [front + NO_WAY for front in self.standing.fronts(rest, asked.rows.take(rest))]


class _Wish(NamedTuple):
    """Who asks for a list: of which moment, by what search, with the ways known best, in seconds
    by the halls' numbers."""

    query: NearQuery
    as_of: datetime
    search: Search
    known: Mapping[int, float]


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
