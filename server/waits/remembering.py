"""What predicting waits knows and has told is stored, and found again by the next process."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from models import promises
from models.waits import CITY, add_lessons, save_states, saved_states, trees_after
from scheduler.calendar import business_day
from scheduler.wait.city import City
from scheduler.wait.predictor import Waits
from server.faults import is_store_fault
from server.halls.directory import Directory
from server.waits.foresight import Foresight
from server.waits.packing import (
    UNREADABLE,
    pack_city,
    pack_hall,
    pack_lessons,
    unpack_city,
    unpack_hall,
    unpack_trees,
)

log = structlog.get_logger()

# What a process tells and does not store within so long is lost with it.
STORE_EVERY_S: Final = 2.0
SETTLE_EVERY_S: Final = 15.0
# Each hall once in so long: packing one takes milliseconds.
REMEMBER_EVERY_S: Final = 300.0
# So many that were not stored before in one go.
NEW_AT_ONCE: Final = 40
# Others wait for the halls: what is not stored by then is learned anew.
FAREWELL_WITHIN_S: Final = 2.0
LOOK_FOR_TREES_EVERY_S: Final = 60.0


class Remembering:
    """Keeps what one worker's foresight knows."""

    def __init__(
        self,
        foresight: Foresight,
        held: Callable[[], Collection[str]],
        directory: Callable[[], Directory],
        now: Callable[[], datetime],
    ) -> None:
        self._foresight = foresight
        self._held = held
        self._directory = directory
        self._now = now
        self._trees_until = 0
        self._has_city = False
        # The halls of which something is stored since this process began to know them.
        self._stored: set[str] = set()
        foresight.recall = self.recall

    async def recall(self, codes: Collection[str]) -> None:
        """Find again what was known of halls; one that is new here is learned anew."""
        if not self._has_city:
            await self._recall_city()
        waits = self._foresight.waits
        if unknown := [code for code in codes if code not in waits.halls]:
            await recall_halls(waits, unknown)

    async def run_forever(self) -> None:
        """Store, settle, remember and look for new trees, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again(STORE_EVERY_S, self.store))
            group.create_task(self._again(STORE_EVERY_S, self.remember_new))
            group.create_task(self._again(SETTLE_EVERY_S, self._settle))
            group.create_task(self._again(LOOK_FOR_TREES_EVERY_S, self._take_trees))
            group.create_task(self._remember_forever())

    async def store(self) -> None:
        """Store what was told."""
        told = self._foresight.drain_promises()
        try:
            await promises.keep(told)
        except Exception:
            self._foresight.take_back(told)
            raise

    async def say_farewell(self) -> None:
        """Store all that is known now, as before giving the halls away; not where that is slow."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_WITHIN_S):
                await _unless_store_is_away(self.store)
                for code in list(self._foresight.waits.halls):
                    await _unless_store_is_away(partial(self._remember, code))
                await _unless_store_is_away(self._remember_city)

    async def remember_new(self) -> None:
        """Store a few of the halls of whose waits something is said, and nothing is stored yet.

        What is stored others ask of too, and should not have to wait for its turn.
        """
        held = self._held()
        self._stored.intersection_update(held)
        new = [each for each in held if each not in self._stored and self._says(each)]
        for code in new[:NEW_AT_ONCE]:
            await self._remember(code)
        if new:
            await self._remember_city()

    def _says(self, code: str) -> bool:
        return bool(self._foresight.said(code).arrivals)

    async def _remember(self, code: str) -> None:
        if hall := self._foresight.waits.halls.get(code):
            await save_states({code: pack_hall(hall)}, at=self._now())
            self._stored.add(code)

    async def _remember_city(self) -> None:
        now, waits = self._now(), self._foresight.waits
        if lessons := waits.drain_rows():
            try:
                await add_lessons({CITY: pack_lessons(lessons)}, day=business_day(now))
            except Exception:
                waits.rows[:0] = lessons  # to be stored later
                raise
        await save_states({CITY: pack_city(self._foresight.waits.city)}, at=now)

    async def _again(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await _unless_store_is_away(work)

    async def _remember_forever(self) -> None:
        """Each hall in its turn, all of them in one round."""
        while True:
            held = sorted(self._held())
            for code in held:
                await asyncio.sleep(REMEMBER_EVERY_S / len(held))
                await _unless_store_is_away(partial(self._remember, code))
            if not held:
                await asyncio.sleep(REMEMBER_EVERY_S)
            await _unless_store_is_away(self._remember_city)

    async def _settle(self) -> None:
        directory = self._directory()
        ids = [directory.halls[code].id for code in self._held() if code in directory.halls]
        await promises.settle(ids, now=self._now())

    async def _recall_city(self) -> None:
        # What is known of the trees comes after them.
        await self._take_trees()
        await recall_city(self._foresight.waits.city)
        self._has_city = True

    async def _take_trees(self) -> None:
        self._trees_until = await take_trees(self._foresight.waits.city, self._trees_until)


async def recall_city(city: City) -> None:
    """Give a city back what was known of all halls, where that can be read."""
    for packed in (await saved_states([CITY])).values():
        try:
            unpack_city(packed, city)
        except UNREADABLE as fault:
            log.warning("waits_unreadable", hall=CITY, fault=type(fault).__name__)


async def recall_halls(waits: Waits, codes: Collection[str]) -> None:
    """Give a predictor back what was known of these halls, where that can be read."""
    for code, packed in (await saved_states(codes)).items():
        try:
            waits.halls[code] = unpack_hall(packed)
        except UNREADABLE as fault:
            log.warning("waits_unreadable", hall=code, fault=type(fault).__name__)


async def take_trees(city: City, since: int = 0) -> int:
    """Put trees into use that are newer than those numbered `since`; the newest one's number."""
    for row in await trees_after(since):
        since = max(since, row["id"])
        blend = city.trees.get(row["kind"])
        try:
            if blend is not None:
                blend.learn(unpack_trees(row["trees"]), row["learned_from"])
        except UNREADABLE as fault:
            log.warning("trees_unreadable", kind=row["kind"], fault=type(fault).__name__)
    return since


async def _unless_store_is_away(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception as fault:
        if not is_store_fault(fault):
            raise
        log.warning("waits_not_stored", fault=type(fault).__name__)
