"""Leases: which worker keeps which halls.

A hall belongs to the worker whose name its lease bears. When a worker dies its leases run out, and
others take its halls; one that stops gives them away at once.
"""

import math
import time
from collections.abc import Iterable
from contextlib import suppress
from uuid import uuid4

import redis.asyncio as aioredis

LEASE_MS = 3_000
WORKERS = "yiting:workers"

# Renew what is ours; take what is free. KEYS are leases, ARGV: name, milliseconds.
# Answers the places of those renewed, and of those taken anew.
_TAKE = """
local renewed, taken = {}, {}
for i, key in ipairs(KEYS) do
    local owner = redis.call('GET', key)
    if owner == ARGV[1] then
        redis.call('PEXPIRE', key, ARGV[2])
        renewed[#renewed + 1] = i
    elseif not owner and redis.call('SET', key, ARGV[1], 'NX', 'PX', ARGV[2]) then
        taken[#taken + 1] = i
    end
end
return {renewed, taken}
"""
# Only the holder may give a lease away: it may have run out and be another's by now.
# KEYS: leases; ARGV: name.
_GIVE = """
for _, key in ipairs(KEYS) do
    if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


def lease_key(hall: str) -> str:
    """Where the name of the worker that projects a hall stands."""
    return f"yiting:lease:{hall}"


class Leases:
    """The halls that this worker holds."""

    def __init__(self, valkey: aioredis.Redis) -> None:
        self._valkey = valkey
        self.name = uuid4().hex
        self.held: set[str] = set()
        self._take = valkey.register_script(_TAKE)
        self._give = valkey.register_script(_GIVE)

    async def tend(self, codes: list[str]) -> tuple[set[str], set[str]]:
        """Renew what we hold and take our share of these halls; answers (lost, taken).

        To be done more often than leases run out. A hall may be both: its lease ran out and was
        taken again, and may have been another's in between.
        """
        order = sorted(await self._wanted(codes))
        keys = [lease_key(code) for code in order]
        places = await self._take(keys=keys, args=[self.name, LEASE_MS]) if keys else ((), ())
        renewed, taken = ({order[place - 1] for place in part} for part in places)
        lost, self.held = self.held - renewed, renewed | taken
        return lost, taken

    async def _wanted(self, codes: list[str]) -> Iterable[str]:
        """The halls to hold or to reach for: our even share, and whatever nobody holds."""
        now = time.time()
        async with self._valkey.pipeline(transaction=False) as pipe:
            pipe.zadd(WORKERS, {self.name: now})
            pipe.zremrangebyscore(WORKERS, 0, now - LEASE_MS / 1000)
            pipe.zcard(WORKERS)
            workers = max(1, (await pipe.execute())[2])
        share = math.ceil(len(codes) / workers)
        if len(self.held) > share:
            surplus = sorted(self.held)[share:]
            await self._give_away(surplus)
            return self.held - set(surplus)
        owners = await self._valkey.mget([lease_key(code) for code in codes])
        free = [code for code, owner in zip(codes, owners, strict=True) if owner is None]
        return self.held | set(free[: max(share - len(self.held), 0)])

    async def release(self) -> None:
        """Give all halls away at once, so that another worker need not wait for the leases."""
        with suppress(aioredis.RedisError, OSError):
            await self._valkey.zrem(WORKERS, self.name)
            await self._give_away(self.held)

    async def _give_away(self, codes: Iterable[str]) -> None:
        if keys := [lease_key(code) for code in codes]:
            await self._give(keys=keys, args=[self.name])
