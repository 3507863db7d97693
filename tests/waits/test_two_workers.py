"""Two workers share the halls; when one dies, the other goes on with its halls and their waits."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import pytest
import redis.asyncio as aioredis

from models.database import StatementCount, rows
from server.halls.directory import HallEntry
from server.live.feed import live_key
from server.live.foreseen import HallWaits
from server.live.projection import Projector
from server.live.rows import HallRows
from server.live.state import LiveHall, decode_hall
from server.waits.foresight import Foresight
from server.waits.remembering import Remembering
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, open_counters
from tests.waits.learned import forget_what_was_learned
from tests.waits.test_foresight import Day, lived, unhurried

OTHERS = ("dg-25", "dg-26", "dg-27")
# It takes some seconds, where nothing else wants the machine.
A_LONG_TIME_S: Final = 60
Found = TypeVar("Found")


class CountingForesight(Foresight):
    """Foresight that counts its looks at each hall."""

    def __init__(self) -> None:
        super().__init__(share=math.inf)
        self.looks: Counter[str] = Counter()

    def look(self, hall: HallEntry, found: HallRows, now: datetime) -> HallWaits:
        self.looks[hall.code] += 1
        return super().look(hall, found, now)


class Worker:
    """A worker of a few halls, with a Valkey of its own kind: nobody else's leases are in it."""

    def __init__(self, api: Api, valkey: aioredis.Redis, codes: list[str]) -> None:
        room = api.services
        halls = {code: room.directory.halls[code] for code in codes}
        self.foresight = CountingForesight()
        self.projector = Projector(
            valkey, replace(room.directory, halls=halls), room.clock, self.foresight
        )
        self.remembering = Remembering(
            self.foresight,
            held=lambda: self.held,
            directory=lambda: room.directory,
            now=room.clock.now,
        )
        self._task = asyncio.create_task(self._run())

    @property
    def held(self) -> set[str]:
        return self.projector.leases.held

    async def _run(self) -> None:
        StatementCount.apart.set(True)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.projector.run_forever())
            group.create_task(self.remembering.run_forever())

    async def die(self) -> None:
        """At once, as by SIGKILL: nothing is stored, no hall is given away."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


@pytest.fixture
async def valkey(api: Api) -> AsyncIterator[aioredis.Redis]:
    pool = api.services.valkey.connection_pool
    own = aioredis.ConnectionPool(pool.connection_class, **(pool.connection_kwargs | {"db": 5}))
    async with aioredis.Redis.from_pool(own) as client:
        await client.flushdb()
        yield client
        await client.flushdb()


async def remembered(api: Api, hall: str) -> None:
    """What is known of a hall where forty people have been served, is stored."""
    was, day = unhurried(), Day(api.services.directory.hall(hall))
    for _ in lived(was, day, 40):
        pass
    memory = Remembering(
        was,
        held=lambda: [hall],
        directory=lambda: api.services.directory,
        now=lambda: day.now,
    )
    was.drain_promises()
    await memory.say_farewell()


async def found_once(look: Callable[[], Awaitable[Found]], true: Callable[[Found], bool]) -> Found:
    """What is found, once that is true of it."""
    deadline = time.monotonic() + A_LONG_TIME_S
    while not true(found := await look()):
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)
    return found


async def test_when_one_dies_the_other_goes_on_with_its_halls_and_their_waits(
    api: Api, valkey: aioredis.Redis
) -> None:
    hall = await api.quiet_hall()
    codes = [hall, *OTHERS]
    await remembered(api, hall)
    workers: list[Worker] = []
    try:
        workers = [Worker(api, valkey, codes) for _ in range(2)]
        await until(
            lambda: all(len(worker.held) == 2 for worker in workers), within_s=A_LONG_TIME_S
        )
        for worker in workers:  # the first to come had them all
            worker.foresight.looks.clear()
        [first] = [worker for worker in workers if hall in worker.held]
        [other] = [worker for worker in workers if worker is not first]
        await open_counters(await api.clerk(hall), hall, "E", "A")
        tickets = [(await a_ticket(api, hall))[1] for _ in range(3)]
        ids = {UUID(ticket["id"]) for ticket in tickets}

        async def waits() -> tuple[LiveHall, dict[UUID, object]]:
            stored = await valkey.get(live_key(hall))
            assert isinstance(stored, bytes)
            live = decode_hall(stored)
            return live, {each.view.id: each.view.wait for each in live.tickets if each.view.wait}

        before, known = await found_once(waits, lambda found: found[1].keys() == ids)
        # Each hall is somebody's, and nobody else's: no work is done twice.
        assert first.held | other.held == set(codes)
        assert not first.held & other.held
        assert not first.foresight.looks.keys() & other.foresight.looks.keys()

        await first.die()
        after, now_known = await found_once(
            waits, lambda found: found[0].board.as_of > before.board.as_of and hall in other.held
        )
        assert now_known.keys() == known.keys()
        assert after.version >= before.version
        await until(lambda: other.held == set(codes))
        # Nothing was told twice, though both told it.
        await other.remembering.store()
        told = await rows(
            "SELECT ticket_id, told FROM promise WHERE ticket_id = ANY($1)", list(ids)
        )
        assert len(told) == len({tuple(row) for row in told})
        assert {row["ticket_id"] for row in told} == ids
    finally:
        for worker in workers:
            await worker.die()
        await forget_what_was_learned(*codes)
