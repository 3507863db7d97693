"""Codes sent by SMS: six digits, five minutes, five tries, in Valkey and nowhere else."""

import hashlib
import hmac
import secrets
from uuid import UUID

import redis.asyncio as aioredis

from integrations.ports import PlatformRefused, SmsSender
from server.errors import TooManyRequests
from server.identity.refusals import PhoneRefused, SmsCodeWrong

LIVES_S = 300
TRIES = 5
TEMPLATE = "otp"

# KEYS: code; ARGV: digest, most tries. 1: right, and spent; 0: wrong, or there is none.
_SPEND = """
local kept = redis.call('HGET', KEYS[1], 'digest')
if not kept then return 0 end
if redis.call('HINCRBY', KEYS[1], 'tries', 1) > tonumber(ARGV[2]) then
    redis.call('DEL', KEYS[1])
    return 0
end
if kept ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""


class OneTimeCodes:
    """Sends codes and spends them. A code is good for one person, and for what it is about.

    Valkey holds digests and compares digests: how long that takes tells nothing of a code.
    """

    def __init__(self, valkey: aioredis.Redis, sms: SmsSender) -> None:
        self._valkey = valkey
        self._sms = sms
        self._spend = valkey.register_script(_SPEND)

    async def send(
        self, person_id: UUID, phone: str, about: str, *, template: str = TEMPLATE, **said: str
    ) -> None:
        """Send a new code, which replaces the one before; `said` is what else the message tells.

        `about` is what it will prove: the index of this phone, or the id of a proxy. Raises
        PhoneRefused, TooManyRequests or PlatformUnavailable.
        """
        code = f"{secrets.randbelow(10**6):06d}"
        key = _key(person_id, about)
        async with self._valkey.pipeline() as pipe:
            pipe.delete(key)
            pipe.hset(key, mapping={"digest": _digest(key, code), "tries": 0})
            pipe.expire(key, LIVES_S)
            await pipe.execute()
        try:
            fields = {"code": code, "minutes": str(LIVES_S // 60), **said}
            await self._sms.send(phone, template, fields)
        except PlatformRefused as refusal:
            await self._valkey.delete(key)
            if refusal.reason == "too_often":
                raise TooManyRequests(60) from None
            raise PhoneRefused from None

    async def spend(self, person_id: UUID, about: str, code: str) -> None:
        """Spend a code, once. Raises SmsCodeWrong; after five wrong tries a new code is needed."""
        key = _key(person_id, about)
        if await self._spend(keys=[key], args=[_digest(key, code), TRIES]) != 1:
            raise SmsCodeWrong


def _key(person_id: UUID, about: str) -> str:
    return f"yiting:otp:{person_id}:{about}"


def _digest(key: str, code: str) -> str:
    # Six digits are guessed from any digest; it only keeps codes from being read in passing.
    return hmac.new(key.encode(), code.encode(), hashlib.sha256).hexdigest()
