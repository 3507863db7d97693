"""Where halls' live states are stored: written by the holder of the lease, and found again."""

from collections.abc import Sequence
from typing import Final

import redis.asyncio as aioredis
import structlog

from server.live.feed import LIVE, live_key
from server.live.leases import lease_key
from server.live.state import UNREADABLE, LiveHall, decode_hall, encode_hall

log = structlog.get_logger()

# Only the holder of a lease may write. KEYS: a lease and a state for each hall; ARGV: name,
# channel, then what to store and the code for each. Answers the places of those written.
_WRITE: Final = """
local written, codes = {}, {}
for i = 1, #KEYS / 2 do
    if redis.call('GET', KEYS[2 * i - 1]) == ARGV[1] then
        redis.call('SET', KEYS[2 * i], ARGV[2 * i + 1])
        written[#written + 1] = i
        codes[#codes + 1] = ARGV[2 * i + 2]
    end
end
if #codes > 0 then redis.call('PUBLISH', ARGV[2], table.concat(codes, ',')) end
return written
"""


class Writing:
    """How the worker of this name writes."""

    def __init__(self, valkey: aioredis.Redis, name: str) -> None:
        self._name = name
        self._write = valkey.register_script(_WRITE)

    async def __call__(self, halls: Sequence[LiveHall]) -> set[str]:
        """Store halls and say so; answers the codes of those whose lease is still ours."""
        places = await self._write(
            keys=[key for hall in halls for key in (lease_key(hall.code), live_key(hall.code))],
            args=[
                self._name,
                LIVE,
                *(part for hall in halls for part in (encode_hall(hall), hall.code)),
            ],
        )
        return {halls[place - 1].code for place in places}


async def stored_hall(valkey: aioredis.Redis, code: str) -> LiveHall | None:
    """What was written of a hall, by whomever; None when it is not readable, too."""
    raw = await valkey.get(live_key(code))
    if not isinstance(raw, bytes):
        return None
    try:
        return decode_hall(raw)
    except UNREADABLE as fault:
        # Another version's, or rubbish: it is written anew right away, so this is said once.
        log.warning("live_state_unreadable", hall=code, fault=type(fault).__name__)
        return None
