"""Finds those who are on their way a hall where their turn would come clearly earlier."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import redis.asyncio as aioredis

from models.departures import Coming
from scheduler.leaving import better_hall, there_in, travel_range
from scheduler.ordering import Ranked
from scheduler.places import Place
from scheduler.remembering import Remembered
from scheduler.residence import ANYWHERE
from scheduler.travel import Paces
from server.clock import Clock
from server.departures.keeping import in_minutes
from server.errors import Refusal
from server.halls.directory import Directory
from server.halls.listing import HallLists
from server.halls.views import NearQuery
from server.live.feed import Feed, live_key
from server.live.foreseen import HallWaits
from server.live.memory import STALE_AFTER_S
from server.live.state import UNREADABLE, BetterHall, Gain, Kept, Wait
from server.numbers.by_phone import Fix, check_place

# So many of the nearest halls are looked at for somebody.
NEAREST: Final = 20
# What is shown of a gain changes by so much at least, in seconds.
_GAIN_STEP_S: Final = 60
_GAIN_STANDS_S: Final = 120
# The live state is in clear: from metres to several halls her sealed place could be reckoned.
_ROUGHLY_M: Final = 500
# Few ask here, and the same again: what lies around them takes little.
_REMEMBERED_BYTES: Final = 8 * 2**20

Offers = dict[str, dict[UUID, BetterHall]]


@dataclass(frozen=True, slots=True)
class Comer:
    """Somebody who is on her way, where she is, and the code of the hall where she waits."""

    coming: Coming
    place: Place
    hall: str


@dataclass(frozen=True, slots=True)
class _Asked:
    comer: Comer
    query: NearQuery
    wait: Wait


class BetterHalls:
    """Ranks the halls around people who wait elsewhere, and remembers what they were offered.

    `said` tells what was foreseen of a hall last.
    """

    def __init__(
        self,
        said: Callable[[str], HallWaits],
        *,
        feed: Feed,
        valkey: aioredis.Redis,
        clock: Clock,
        paces: Paces,
    ) -> None:
        self._said = said
        self._feed = feed
        self._valkey = valkey
        self._clock = clock
        self._paces = paces
        self._lists: tuple[Directory, HallLists] | None = None
        # The halls that anybody was near at the last look.
        self._near: set[str] = set()
        # What was offered at the last look, by hall and ticket.
        self.offered: Offers = {}

    async def look(self, comers: Iterable[Comer], directory: Directory) -> Offers:
        """For whom another hall is better now, by the hall where she waits."""
        asked = [one for each in comers if (one := self._asked(each, directory)) is not None]
        ranked = await self._ranked(asked, self._lists_of(directory)) if asked else []
        offers: defaultdict[str, dict[UUID, BetterHall]] = defaultdict(dict)
        for one, found in zip(asked, ranked, strict=True):
            if offer := self._offer(one, found, self._lists_of(directory)):
                offers[one.comer.hall][one.comer.coming.ticket_id] = offer
        self.offered = dict(offers)
        return self.offered

    def _asked(self, comer: Comer, directory: Directory) -> _Asked | None:
        """What halls she may go to: none where that is only for residents, or of several items."""
        item = directory.known_item(comer.coming.item_id)  # our directory follows what is new to it
        wait = self._said(comer.hall).tickets.get(comer.coming.ticket_id)
        if item is None or wait is None:
            return None
        if not comer.coming.alone or item.residents_of != ANYWHERE:
            return None
        query = NearQuery(
            lat=comer.place.lat,
            lng=comer.place.lng,
            datum="wgs84",
            item=item.code,
            travel=comer.coming.travel,
            open_now=True,
            limit=NEAREST,
        )
        return _Asked(comer, query, wait)

    async def _ranked(self, asked: Sequence[_Asked], lists: HallLists) -> list[Ranked]:
        """The halls near each of them, once it is known how all these stand.

        They are mostly those of the last look. Whoever is near another is ranked again when that is
        known, too.
        """
        before, self._near = self._near, set()
        await self.learn(before)
        ranked, again = [], {}
        for nth, one in enumerate(asked):
            await asyncio.sleep(0)  # the projector's news does not wait for all of them
            found = lists.found(one.query, self._clock.second())
            near = {lists.standing.halls[at].code for at in found.halls.tolist()}
            ranked.append(found)
            self._near |= near
            if not near <= before:
                again[nth] = one.query
        await self.learn(self._near - before)
        for nth, query in again.items():
            await asyncio.sleep(0)
            ranked[nth] = lists.found(query, self._clock.second())
        return ranked

    def _offer(self, asked: _Asked, ranked: Ranked, lists: HallLists) -> BetterHall | None:
        standing, comer, wait = lists.standing, asked.comer, asked.wait
        coming = comer.coming
        before = self.offered.get(comer.hall, {}).get(coming.ticket_id)
        way = travel_range(coming.travel_s, coming.basis.value)
        found = better_hall(
            there_in((wait.p10_s, wait.p50_s, wait.p90_s), way),
            ranked,
            at=standing.number[comer.hall],
            offered=standing.number.get(before.hall) if before else None,
        )
        if found is None:
            return None
        hall = standing.halls[found.hall]
        try:
            check_place(hall, Fix(comer.place))
        except Refusal:
            return None
        gain = Gain(*(int(each // _GAIN_STEP_S) * _GAIN_STEP_S for each in found.gain_s))
        same = before is not None and before.hall == hall.code
        if before and same and abs(before.gain.p50_s - found.gain_s[1]) < _GAIN_STANDS_S:
            gain = before.gain
        place = ranked.halls.tolist().index(found.hall)
        return BetterHall(
            hall=hall.code,
            name=hall.name,
            name_en=hall.name_en,
            distance_m=max(1, round(float(ranked.distance_m[place]) / _ROUGHLY_M)) * _ROUGHLY_M,
            travel_s=in_minutes(float(ranked.travel_s[place])),
            gain=gain,
        )

    def _lists_of(self, directory: Directory) -> HallLists:
        if self._lists is None or self._lists[0] is not directory:
            lists = HallLists(
                directory,
                self._feed,
                self._clock.now(),
                paces=self._paces,
                remembered=Remembered(_REMEMBERED_BYTES),
            )
            self._lists = directory, lists
        return self._lists[1]

    async def learn(self, codes: Iterable[str]) -> None:
        """Take in how these halls stand, whoever projects them."""
        keys = [live_key(code) for code in sorted(codes)]
        for stored in await self._valkey.mget(keys) if keys else []:
            if isinstance(stored, bytes):
                try:
                    if not self._is_old(Kept(stored)):
                        self._feed.memory.keep(stored)
                except UNREADABLE:
                    continue  # its own worker says so

    def _is_old(self, hall: Kept) -> bool:
        """Whether nobody projects a hall any more: what it says of its waits is over."""
        age = self._clock.now() - hall.board.as_of
        return age.total_seconds() > STALE_AFTER_S * self._clock.speed
