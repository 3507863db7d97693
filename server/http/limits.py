"""Rate limits: counted in each process, added up across all of them through Valkey once a second.

Asking Valkey at every request would cost more than most requests do. The price is that a limit may
be overrun for up to a second when one person's requests are spread over many processes. What costs
money or tells a secret is never overrun: it is counted in Valkey itself before it is done (`take`).
"""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import redis.asyncio as aioredis
import structlog

from server.errors import TooManyRequests

log = structlog.get_logger()

ADD_UP_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `most` requests in each window of `window_s` seconds."""

    name: str
    most: int
    window_s: int


PERSON = Rate("person", 300, 10)
# A whole hall's Wi-Fi, or a carrier's gateway, is one address.
ADDRESS = Rate("address", 1000, 10)
# A machine that many use one after the other: nobody is served by it faster than every second.
KIOSK = Rate("kiosk", 120, 60)
PASSWORD = Rate("password", 10, 60)
# Questions of one person about who she is, answered from what we know or not.
IDENTITY = Rate("identity", 100, 3600)
EXPORT = Rate("export", 10, 3600)
# Each looks at everybody who consents.
AUDIENCE = Rate("audience", 20, 600)

# The rest is counted with `take`, in windows that begin with their first try; all of them are in
# docs/identity.md.
# Messages cost money, and a stranger's phone its owner's patience. Behind one address may be a
# whole carrier's customers.
OTP_AGAIN = Rate("otp_again", 1, 60)
OTP_PHONE = Rate("otp_phone", 5, 3600)
OTP_PERSON = Rate("otp_person", 5, 3600)
OTP_PERSON_DAY = Rate("otp_person_day", 10, 24 * 3600)
OTP_ADDRESS = Rate("otp_address", 600, 3600)
# What asks others for consent is counted apart: what somebody asks for her own phone must not tell
# whether somebody else's is known here, nor be used up by strangers.
CONSENT_AGAIN = Rate("consent_again", 1, 60)
CONSENT_PHONE = Rate("consent_phone", 5, 3600)
CONSENT_PERSON = Rate("consent_person", 10, 24 * 3600)
# Whoever tries names out against numbers is not asking about herself; only wrong ones count.
NAMING_PERSON = Rate("naming_person", 5, 24 * 3600)
NAMING_NUMBER = Rate("naming_number", 10, 24 * 3600)
NAMING_ADDRESS = Rate("naming_address", 60, 3600)
# Whoever tries codes of tickets out; only wrong ones count. Behind one address may be many.
FOLLOW_ADDRESS = Rate("follow_address", 300, 3600)
# Whoever tries codes of receipts out; only wrong ones count.
VERIFY_ADDRESS = Rate("verify_address", 300, 3600)
# Each address that is looked for is paid for; behind one address may be a whole carrier.
PLACES_ADDRESS = Rate("places_address", 300, 3600)
# Each face check is paid for, however it ends.
FACES_PERSON = Rate("faces_person", 10, 24 * 3600)


Tries = Sequence[tuple[Rate, str | UUID]]

# KEYS: counters; ARGV: most and window in seconds of each. 0: one more is counted with each; else
# nothing is, and it says in how many milliseconds to come back.
_TAKE = """
local wait = 0
for nth, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * nth - 1]) then
        wait = math.max(wait, redis.call('PTTL', key), 1)
    end
end
if wait > 0 then return wait end
for nth, key in ipairs(KEYS) do
    if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, ARGV[2 * nth]) end
end
return 0
"""
# A counter whose window ended meanwhile stays gone, and none goes below nought.
_GIVE_BACK = """
for _, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
"""


@dataclass(slots=True)
class _Count:
    window: int
    here: int = 0
    told: int = 0
    elsewhere: int = 0


class Limits:
    """The counts of one process."""

    def __init__(self, valkey: aioredis.Redis, *, enabled: bool) -> None:
        self._valkey = valkey
        self._enabled = enabled
        self._counts: dict[tuple[Rate, str | UUID], _Count] = {}
        self._take = valkey.register_script(_TAKE)
        self._give_back = valkey.register_script(_GIVE_BACK)

    def check(self, rate: Rate, key: str | UUID) -> None:
        """Count one request. Raises TooManyRequests when that is one too many."""
        if not self._enabled:
            return
        now = time.time()
        window = int(now // rate.window_s)
        count = self._counts.get((rate, key))
        if count is None or count.window != window:
            count = self._counts[rate, key] = _Count(window)
        count.here += 1
        if count.here + count.elsewhere > rate.most:
            raise TooManyRequests(max(1, math.ceil((window + 1) * rate.window_s - now)))

    async def take(self, tries: Tries) -> None:
        """Count one try with each of these, in Valkey, so that it holds for all processes at once.

        Raises TooManyRequests when one of them has none left; then none is counted.
        """
        if not self._enabled:
            return
        most = [number for rate, _ in tries for number in (rate.most, rate.window_s)]
        wait_ms = await self._take(keys=_keys(tries), args=most)
        if wait_ms:
            raise TooManyRequests(math.ceil(wait_ms / 1000))

    async def give_back(self, tries: Tries) -> None:
        """What was taken turned out to be none of those that count. Never raises."""
        if not self._enabled:
            return
        try:
            await self._give_back(keys=_keys(tries))
        except (aioredis.RedisError, OSError) as fault:
            # What was found out meanwhile was paid for: it is not thrown away for a count.
            log.warning("tries_not_given_back", fault=type(fault).__name__)

    async def add_up_forever(self) -> None:
        """Exchange counts with the other processes until cancelled."""
        while True:
            await asyncio.sleep(ADD_UP_EVERY_S)
            try:
                await self._add_up()
            except (aioredis.RedisError, OSError) as fault:
                log.warning("limits_not_added_up", fault=type(fault).__name__)

    async def _add_up(self) -> None:
        now = time.time()
        stale = [
            place
            for place, count in self._counts.items()
            if count.window != now // place[0].window_s
        ]
        for place in stale:
            del self._counts[place]
        due = [(place, count) for place, count in self._counts.items() if count.here > count.told]
        if not due:
            return
        telling = [count.here for _, count in due]
        async with self._valkey.pipeline(transaction=False) as pipe:
            for (rate, key), count in due:
                name = f"limit:{rate.name}:{key}:{count.window}"
                pipe.incrby(name, count.here - count.told)
                pipe.expire(name, 2 * rate.window_s)
            totals = (await pipe.execute())[::2]
        for (_, count), here, total in zip(due, telling, totals, strict=True):
            count.told, count.elsewhere = here, total - here


def _keys(tries: Tries) -> list[str]:
    return [f"limit:{rate.name}:{key}" for rate, key in tries]
