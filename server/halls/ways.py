"""The ways to the first few halls as a map service knows them, where a city has one.

Asked for within a budget: what comes later is kept for the next who asks. Kept by places rounded to
a hundred metres, for five minutes, in this process and in Valkey for the others.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import redis.asyncio as aioredis
import structlog

from integrations.ports import MapPoint, Maps, PlatformUnavailable, TravelMode
from scheduler.places import Place, to_gcj02
from server.faults import is_store_fault

log = structlog.get_logger()

FIRST_FEW: Final = 5
BUDGET_S: Final = 0.3
KEPT_S: Final = 300
_VALKEY_S: Final = 0.1
_MOST_KEPT: Final = 4_000  # places and modes
_MOST_UNDER_WAY: Final = 50
# In each process: map services sell so many questions a second, and a rush must not wait for them.
# A look asks for FIRST_FEW ways, which takes as much of a processor as a hundred lists do.
LOOKS_A_SECOND: Final = 3
# What is kept of a way that the service does not know, so as not to ask again and again.
_NO_WAY: Final = -1


class Ways:
    """Times on the way from where people stand to halls; None of it says who stood there."""

    def __init__(self, maps: Maps, valkey: aioredis.Redis, *, budget_s: float = BUDGET_S) -> None:
        self._maps = maps
        self._valkey = valkey
        self._budget_s = budget_s
        # Seconds to halls by their codes, from each place and by each mode that was asked about.
        self._kept: dict[str, dict[str, int]] = {}
        self._bucket = 0
        self._quiet_until = 0.0
        self._second, self._looks = 0, 0  # looks begun in this second
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def kept_from(self, origin: Place, mode: TravelMode) -> dict[str, int]:
        """Seconds to halls by their codes, as far as they are known from here already."""
        kept = self._kept.get(self._from(to_gcj02(origin), mode), {})
        return {code: seconds for code, seconds in kept.items() if seconds != _NO_WAY}

    def may_look(self) -> bool:
        """Whether the service may be asked now."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._looks = second, 0
        return self._looks < LOOKS_A_SECOND and len(self._under_way) < _MOST_UNDER_WAY

    @staticmethod
    def _from(start: Place, mode: TravelMode) -> str:
        return f"{mode}:{start.lat:.3f},{start.lng:.3f}:{int(time.time() // KEPT_S)}"

    async def known(
        self, origin: Place, halls: Mapping[str, Place], mode: TravelMode
    ) -> dict[str, int]:
        """Seconds to those of these halls that the service knows a way to, by their codes.

        Takes no longer than the budget, and never fails: the rest stays with the estimate.
        """
        bucket = int(time.time() // KEPT_S)
        if bucket != self._bucket or len(self._kept) > _MOST_KEPT:
            self._bucket = bucket
            self._kept.clear()
        start = to_gcj02(origin)
        from_here = self._from(start, mode)
        kept = self._kept.get(from_here, {})
        missing = {code: place for code, place in halls.items() if code not in kept}
        if missing:
            rounded = MapPoint(round(start.lat, 3), round(start.lng, 3))
            await self._within_budget(from_here, rounded, missing, mode)
            kept = self._kept.get(from_here, {})
        return {code: seconds for code in halls if (seconds := kept.get(code, _NO_WAY)) != _NO_WAY}

    async def _within_budget(
        self, from_here: str, start: MapPoint, missing: Mapping[str, Place], mode: TravelMode
    ) -> None:
        """Look for what is missing; whoever asks from the same place at once waits for one look."""
        task = self._under_way.get(from_here)
        if task is None:
            if not self.may_look():
                return
            self._looks += 1
            ends = {code: _point(place) for code, place in missing.items()}
            task = asyncio.create_task(self._look(from_here, start, ends, mode))
            self._under_way[from_here] = task
            task.add_done_callback(lambda _: self._under_way.pop(from_here, None))
        await asyncio.wait({task}, timeout=self._budget_s)

    async def _look(
        self, from_here: str, start: MapPoint, ends: Mapping[str, MapPoint], mode: TravelMode
    ) -> None:
        """In Valkey, then with the service; a service that refuses is left alone for a while."""
        kept = self._kept.setdefault(from_here, {})
        kept.update(await self._shared(from_here, list(ends)))
        missing = [code for code in ends if code not in kept]
        if not missing or time.monotonic() < self._quiet_until:
            return
        try:
            times = await self._maps.travel_times_s(start, [ends[code] for code in missing], mode)
        except PlatformUnavailable as fault:
            self._quiet_until = time.monotonic() + fault.retry_after_s
            return
        learned = {
            code: _NO_WAY if seconds is None else seconds
            for code, seconds in zip(missing, times, strict=True)
        }
        kept.update(learned)
        await self._share(from_here, learned)

    async def _shared(self, from_here: str, codes: Sequence[str]) -> dict[str, int]:
        try:
            async with asyncio.timeout(_VALKEY_S):
                values = await self._valkey.mget([_key(from_here, code) for code in codes])
        except Exception as fault:
            self._without_valkey(fault)
            return {}
        return {code: int(value) for code, value in zip(codes, values, strict=True) if value}

    async def _share(self, from_here: str, learned: Mapping[str, int]) -> None:
        try:
            async with asyncio.timeout(_VALKEY_S):
                async with self._valkey.pipeline(transaction=False) as pipe:
                    for code, seconds in learned.items():
                        pipe.set(_key(from_here, code), seconds, ex=KEPT_S)
                    await pipe.execute()
        except Exception as fault:
            self._without_valkey(fault)

    def _without_valkey(self, fault: Exception) -> None:
        if not (is_store_fault(fault) or isinstance(fault, TimeoutError | ValueError)):
            raise fault
        log.warning("ways_not_shared", fault=type(fault).__name__)

    async def close(self) -> None:
        """End what is still under way."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)


def _point(place: Place) -> MapPoint:
    there = to_gcj02(place)
    return MapPoint(there.lat, there.lng)


def _key(from_here: str, code: str) -> str:
    return f"way:{from_here}:{code}"
