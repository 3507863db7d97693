"""The worker's part: tells people once that it is time to set off, and finds them better halls."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from uuid import UUID

import redis.asyncio as aioredis
import structlog

from models import departures
from models.database import transaction
from models.departures import Coming
from models.sealing import NotOpened, Sealer
from scheduler.leaving import better_hall, there_in, travel_range
from scheduler.places import Place
from scheduler.residence import ANYWHERE
from scheduler.travel import Paces
from server.clock import Clock
from server.departures.keeping import estimated, in_minutes
from server.departures.refusals import HallWithoutPlace
from server.errors import Refusal
from server.faults import is_store_fault
from server.halls.directory import Directory
from server.halls.listing import HallLists
from server.halls.views import NearQuery
from server.live.feed import Feed, live_key
from server.live.foreseen import HallWaits
from server.live.memory import STALE_AFTER_S, Change
from server.live.projection import Projector
from server.live.state import UNREADABLE, BetterHall, Gain, Kept, Wait
from server.numbers.by_phone import Fix, check_place

log = structlog.get_logger()

TELL_EVERY_S: Final = 1.0
LOOK_EVERY_S: Final = 15.0
# So many of the nearest halls are looked at for somebody.
NEAREST: Final = 20
# What is shown of a gain changes by so much at least, in seconds.
_GAIN_STEP_S: Final = 60
_GAIN_STANDS_S: Final = 120
# The live state is in clear: from metres to several halls her sealed place could be reckoned.
_ROUGHLY_M: Final = 500


class DepartureWatch:
    """Watches over those who are to come to the halls that this worker holds.

    `said` tells what was foreseen of a hall last.
    """

    def __init__(
        self,
        projector: Projector,
        *,
        said: Callable[[str], HallWaits],
        feed: Feed,
        valkey: aioredis.Redis,
        sealer: Sealer,
        clock: Clock,
        paces: Paces,
    ) -> None:
        self._projector = projector
        self._said = said
        self._feed = feed
        self._valkey = valkey
        self._sealer = sealer
        self._clock = clock
        self._paces = paces
        # Monotonic seconds until when nobody need ask again whether she was told.
        self._asked: dict[UUID, float] = {}
        self._lists: tuple[Directory, HallLists] | None = None
        # The better halls that were shown last, by hall and ticket.
        self._offered: dict[str, dict[UUID, BetterHall]] = {}

    async def run_forever(self) -> None:
        """Tell, look for better halls, and forget who is there, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again(TELL_EVERY_S, self.tell))
            group.create_task(_again(LOOK_EVERY_S, self.look))

    async def tell(self) -> list[UUID]:
        """Note once a ticket that the moment to set off has come; answers of whom it was noted."""
        now, monotonic = self._clock.now(), time.monotonic()
        self._asked = {each: until for each, until in self._asked.items() if until > monotonic}
        due = {
            ticket_id: code
            for code in self._projector.leases.held
            for ticket_id, leave in self._said(code).leaves.items()
            if leave.told_at is None and leave.at is not None and leave.at <= now
            if ticket_id not in self._asked
        }
        if not due:
            return []
        async with transaction() as tx:
            told = await departures.tell(tx, list(due), now=now)
        self._asked.update(dict.fromkeys(due, monotonic + LOOK_EVERY_S))
        await self._feed.changed(*(Change(due[each], each) for each in told))
        return told

    async def look(self) -> None:
        """Forget where those are who have come, and see whether the others have a better hall."""
        await departures.forget_arrived()
        directory, held = self._projector.directory, self._projector.leases.held
        halls = {directory.halls[code].id: code for code in list(held) if code in directory.halls}
        people = await departures.coming(list(halls)) if halls else []
        here = [each for each in people if each.way_to == each.hall_id]
        for each in people:
            if each.way_to != each.hall_id:
                await self._lead(each, directory, halls[each.hall_id])
        offered = await self._offers(here, directory, halls)
        for code in {*offered, *self._offered}:
            self._projector.offer(code, offered.get(code, {}))
        self._offered = offered

    async def _lead(self, coming: Coming, directory: Directory, code: str) -> None:
        """She has gone to another hall with her ticket: her way leads there now."""
        place = self._place(coming)
        if place is None:
            return
        try:
            way = estimated(directory.halls[code], place, coming.travel, self._paces)
        except HallWithoutPlace:
            await departures.forget([coming.ticket_id])
            return
        if await departures.lead(coming, way):
            await self._feed.changed(Change(code, coming.ticket_id))

    def _place(self, coming: Coming) -> Place | None:
        try:
            lat, lng = departures.place_of(self._sealer, coming.ticket_id, coming.place)
        except NotOpened:
            log.error("place_not_opened")
            return None
        return Place(lat, lng, "wgs84")

    # --- better halls ----------------------------------------------------------------------

    async def _offers(
        self, people: Iterable[Coming], directory: Directory, halls: dict[UUID, str]
    ) -> dict[str, dict[UUID, BetterHall]]:
        """For whom another hall is better, by the hall where she waits."""
        asked = []
        for coming in people:
            query = self._query(coming, directory)
            wait = self._said(halls[coming.hall_id]).tickets.get(coming.ticket_id)
            if query is not None and wait is not None:
                asked.append((coming, query, wait))
        offers: defaultdict[str, dict[UUID, BetterHall]] = defaultdict(dict)
        if not asked:
            return offers
        lists = self._lists_of(directory)
        now = self._clock.now()
        near: set[str] = set()
        for _, query, _ in asked:
            await asyncio.sleep(0)  # the projector's news does not wait for all of them
            found = lists.found(query, now).halls.tolist()
            near.update(lists.standing.halls[at].code for at in found)
        await self._learn(sorted(near))
        for coming, query, wait in asked:
            await asyncio.sleep(0)
            code = halls[coming.hall_id]
            if offer := self._offer(coming, query, wait, code, lists):
                offers[code][coming.ticket_id] = offer
        return offers

    def _query(self, coming: Coming, directory: Directory) -> NearQuery | None:
        """What halls she may go to: none where that is only for residents, or of several items."""
        item = directory.known_item(coming.item_id)  # our directory follows what is new to it
        if item is None or not coming.alone or item.residents_of != ANYWHERE:
            return None
        place = self._place(coming)
        if place is None:
            return None
        return NearQuery(
            lat=place.lat,
            lng=place.lng,
            datum="wgs84",
            item=item.code,
            travel=coming.travel,
            open_now=True,
            limit=NEAREST,
        )

    def _offer(
        self, coming: Coming, query: NearQuery, wait: Wait, code: str, lists: HallLists
    ) -> BetterHall | None:
        standing = lists.standing
        before = self._offered.get(code, {}).get(coming.ticket_id)
        way = travel_range(coming.travel_s, coming.basis.value)
        ranked = lists.found(query, self._clock.now())
        found = better_hall(
            there_in((wait.p10_s, wait.p50_s, wait.p90_s), way),
            ranked,
            at=standing.number[code],
            offered=standing.number.get(before.hall) if before else None,
        )
        if found is None:
            return None
        hall = standing.halls[found.hall]
        assert query.lat is not None
        assert query.lng is not None
        try:
            check_place(hall, Fix(Place(query.lat, query.lng, "wgs84")))
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
            lists = HallLists(directory, self._feed, self._clock.now(), paces=self._paces)
            self._lists = directory, lists
        return self._lists[1]

    async def _learn(self, codes: list[str]) -> None:
        """Take in how these halls stand, whoever projects them."""
        found = await self._valkey.mget([live_key(code) for code in codes]) if codes else []
        for stored in found:
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


async def _again(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Work every so many seconds. No fault here ends the worker: it has halls to show."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as fault:
            if is_store_fault(fault):
                log.warning("departures_not_watched", fault=type(fault).__name__)
            else:
                log.exception("departures_not_watched")
