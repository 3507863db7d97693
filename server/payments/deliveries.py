"""Which deliveries were seen before: a channel signs each with a nonce of its own, a thief cannot.

Without Valkey nothing is lost by going on: the same news twice is the same news.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import redis.asyncio as aioredis
import structlog

from models.gathering import Gathered

log = structlog.get_logger()

# Longer than a signature is fresh: what is replayed later is stale.
_REMEMBERED_S: Final = 900


class Deliveries:
    """What one process asks Valkey, all of one moment in one round trip."""

    def __init__(self, valkey: Callable[[], aioredis.Redis]) -> None:
        self._valkey = valkey
        self._asked: Gathered[str, bool] = Gathered(self._are_new)

    async def is_new(self, channel: str, nonce: str) -> bool:
        """Whether no process has seen this nonce of a channel; from now on one has."""
        digest = hashlib.sha256(nonce.encode()).hexdigest()
        return await self._asked.make(f"callback:{channel}:{digest}")

    async def _are_new(self, keys: Sequence[str]) -> list[bool]:
        try:
            async with self._valkey().pipeline(transaction=False) as together:
                for key in keys:
                    together.set(key, b"", ex=_REMEMBERED_S, nx=True)
                return [bool(was_set) for was_set in await together.execute()]
        except (aioredis.RedisError, OSError) as fault:
            log.warning("nonces_not_remembered", many=len(keys), fault=type(fault).__name__)
            return [True] * len(keys)
