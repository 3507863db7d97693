"""Who is about to come: people who of late looked at a hall's own page, and may have set off.

Not everybody who looks sets off, and who does needs a while. Counted in each process, each phone
once a hall, and added up across all of them through Valkey; who it was is told to nobody. Without
Valkey each process goes by what it has seen itself.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import redis.asyncio as aioredis
import structlog

from server.faults import is_store_fault

log = structlog.get_logger()

ADD_UP_EVERY_S: Final = 5.0
# Whoever looked longer ago is there by now, and in the line if she is coming.
ON_THE_WAY_MIN: Final = 20
# ASSUMPTION: of five who look at a hall's page one sets off. So a rush moves the ranking before it
# is in the line, and the merely curious hardly do.
SETS_OFF: Final = 0.2
_MOST_SEEN: Final = 200_000


class Coming:
    """People who chose halls of late, as one process knows them."""

    def __init__(self, valkey: aioredis.Redis, *, clock: Callable[[], float] = time.time) -> None:
        self._valkey = valkey
        self._clock = clock
        # When each phone last counted for a hall; forgotten with the minutes.
        self._seen: dict[tuple[str, str], int] = {}
        # By minute and hall: counted here and not added up yet, and as all of us have counted.
        self._here: Counter[tuple[int, str]] = Counter()
        self._all: Counter[str] = Counter()
        # Rises whenever how many come anywhere may have changed.
        self.generation = 0

    def chose(self, hall: str, who: str) -> None:
        """Somebody looked at a hall's page; `who` tells one phone from another."""
        minute = self._minute()
        if minute - self._seen.get((who, hall), -ON_THE_WAY_MIN) < ON_THE_WAY_MIN:
            return
        if len(self._seen) < _MOST_SEEN:
            self._seen[who, hall] = minute
            self._here[minute, hall] += 1
            self._all[hall] += 1
            self.generation += 1

    def people(self, hall: str) -> float:
        """About how many are on their way to a hall without a number."""
        return SETS_OFF * self._all[hall]

    async def add_up_forever(self) -> None:
        """Exchange counts with the other processes until cancelled."""
        while True:
            await asyncio.sleep(ADD_UP_EVERY_S)
            try:
                await self.add_up()
            except Exception as fault:
                if not is_store_fault(fault):
                    raise
                log.warning("choices_not_added_up", fault=type(fault).__name__)

    async def add_up(self) -> None:
        """Tell what was counted here, and learn what all of us have."""
        now = self._minute()
        minutes = range(now - ON_THE_WAY_MIN + 1, now + 1)
        self._forget(minutes.start)
        told = dict(self._here)
        async with self._valkey.pipeline(transaction=True) as pipe:
            for (minute, hall), people in told.items():
                pipe.hincrby(_key(minute), hall, people)
                pipe.expire(_key(minute), 60 * (ON_THE_WAY_MIN + 2))
            for minute in minutes:
                pipe.hgetall(_key(minute))
            answers = (await pipe.execute())[2 * len(told) :]
        # What was counted while we asked is told next time.
        self._here.subtract(told)
        self._here = +self._here
        found: Counter[str] = Counter()
        for counts in answers:
            for hall, people in counts.items():
                found[hall.decode()] += int(people)
        for (_, hall), people in self._here.items():
            found[hall] += people
        if found != self._all:
            self._all = found
            self.generation += 1

    def _forget(self, first: int) -> None:
        self._seen = {one: minute for one, minute in self._seen.items() if minute >= first}
        for minute, hall in [each for each in self._here if each[0] < first]:
            del self._here[minute, hall]

    def _minute(self) -> int:
        return int(self._clock() // 60)


def _key(minute: int) -> str:
    return f"chosen:{minute}"
