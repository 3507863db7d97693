"""The worker's part: tells people once that it is time to set off, and finds them better halls."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import redis.asyncio as aioredis
import structlog

from models import departures, notices
from models.database import transaction
from models.departures import Coming
from models.sealing import NotOpened, Sealer
from scheduler.places import Place
from scheduler.travel import Paces
from server.clock import Clock
from server.departures.better_halls import BetterHalls, Comer
from server.departures.keeping import estimated
from server.departures.refusals import HallWithoutPlace
from server.faults import is_store_fault
from server.halls.directory import Directory
from server.live.feed import Feed
from server.live.foreseen import HallWaits
from server.live.memory import Change
from server.live.projection import Projector

log = structlog.get_logger()

TELL_EVERY_S: Final = 1.0
LOOK_EVERY_S: Final = 15.0


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
        self._sealer = sealer
        self._clock = clock
        self._paces = paces
        self.better_halls = BetterHalls(said, feed=feed, valkey=valkey, clock=clock, paces=paces)
        # Monotonic seconds until when nobody need ask again whether she was told.
        self._asked: dict[UUID, float] = {}

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
            if told:
                await notices.write_leave_now(tx, told, now=now)
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
        comers = [
            Comer(each, place, halls[each.hall_id])
            for each in here
            if (place := self._place(each)) is not None
        ]
        before = self.better_halls.offered
        offered = await self.better_halls.look(comers, directory)
        for code in {*offered, *before}:
            self._projector.offer(code, offered.get(code, {}))

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
