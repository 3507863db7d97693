"""What a worker does about appointments: plans slots ahead, and looks after what is due."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Final

import redis.asyncio as aioredis
import structlog

from models.outages import at_work
from scheduler.booking import LEAST_OUTAGE
from scheduler.capacity import Cell, NoShows
from server.appointments.habits import Habits
from server.appointments.planning import plan_hall, warn_of_years
from server.appointments.slot_book import SlotBook
from server.appointments.tending import TEND_EVERY_S, tend_appointments
from server.clock import Clock
from server.faults import is_store_fault
from server.halls.directory import Directory

log = structlog.get_logger()

# After so long slots are planned again without anything having changed: the day has gone on.
PLAN_EVERY_S: Final = 120.0
# Of a worker's time, so much goes into planning at most: boards do not wait for slots.
SHARE: Final = 0.25


class AppointmentWork:
    """One worker's share; several may run, each does what no other is doing just then."""

    def __init__(
        self, valkey: aioredis.Redis, directory: Callable[[], Directory], clock: Clock
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._slots = SlotBook(valkey, directory, lambda: clock)
        self._habits = Habits()
        self._no_shows = NoShows({})
        # When (the loop's seconds) all was planned last, and by which catalogue.
        self._planned_at, self._planned_mark = -math.inf, ""

    def no_show(self, cell: Cell) -> float:
        """The rate at which people do not come, as it was learned when slots were last planned."""
        return self._no_shows.expected(cell)

    async def plan(self) -> None:
        """Plan every hall's slots from now to its horizon."""
        now, directory = self._clock.now(), self._directory()
        warn_of_years(directory, now)
        self._no_shows = await self._habits.no_shows(now)
        loop = asyncio.get_running_loop()
        for code in directory.codes:
            began = loop.time()
            await self._plan(code)
            await asyncio.sleep((loop.time() - began) * (1 / SHARE - 1))

    async def _plan(self, code: str) -> None:
        # As the catalogue is by now: planning all halls of a country takes minutes.
        now, directory = self._clock.now(), self._directory()
        hall = directory.halls.get(code)
        if hall is None:
            return
        try:
            walk_ins = await self._habits.walk_ins(hall, now)
            found = await plan_hall(
                hall,
                now=now,
                directory=directory,
                no_shows=self._no_shows,
                walk_ins=walk_ins,
            )
        except Exception as fault:
            if is_store_fault(fault):
                raise
            # One that cannot be planned keeps no other from it, nor boards from being shown.
            log.error("hall_not_planned", hall=hall.code, fault=repr(fault)[:200])
            return
        if found.slots:
            await self._slots.changed(halls=[hall.id])
        if found.must_move:
            log.warning("bookings_fit_no_more", hall=hall.code, many=len(found.must_move))

    async def run_forever(self) -> None:
        """Tend every second; plan now and then, or when the catalogue changed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again(TEND_EVERY_S, self._tend))
            group.create_task(_again(TEND_EVERY_S, self._plan_when_due))

    async def _tend(self) -> None:
        # First: what nobody could come for while no worker was there is to be known by then.
        await at_work(self._clock.now(), least=LEAST_OUTAGE)
        await tend_appointments(self._clock.now(), self._directory(), self._slots)

    async def _plan_when_due(self) -> None:
        mark, at = self._directory().mark, asyncio.get_running_loop().time()
        if at - self._planned_at >= PLAN_EVERY_S or mark != self._planned_mark:
            self._planned_at, self._planned_mark = at, mark
            await self.plan()


async def _again(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception as fault:
            if not is_store_fault(fault):
                raise
            log.warning("appointments_not_tended", fault=type(fault).__name__)
        await asyncio.sleep(seconds)
