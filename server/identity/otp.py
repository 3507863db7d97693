"""Codes sent by SMS: six digits, five minutes, five tries, in Valkey and nowhere else."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import redis.asyncio as aioredis

from integrations.ports import PlatformRefused, PlatformUnavailable, SmsSender
from server.errors import NotAvailable, TooManyRequests
from server.http.limits import (
    OTP_ADDRESS,
    OTP_AGAIN,
    OTP_PERSON,
    OTP_PERSON_DAY,
    OTP_PHONE,
    Limits,
    Tries,
)
from server.identity.refusals import PhoneRefused, SmsCodeWrong
from server.services import Services

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


@dataclass(frozen=True, slots=True)
class Sms:
    """To whom a code goes, by which template, and what else the message tells."""

    phone: str = field(repr=False)
    phone_index: str
    template: str = TEMPLATE
    said: Mapping[str, str] = field(default_factory=dict, repr=False)


class OneTimeCodes:
    """Sends codes and spends them. A code is good for one person, and for what it is about.

    Valkey holds digests and compares digests: how long that takes tells nothing of a code.
    """

    def __init__(self, valkey: aioredis.Redis, sms: SmsSender, limits: Limits) -> None:
        self._valkey = valkey
        self._sms = sms
        self._limits = limits
        self._spend = valkey.register_script(_SPEND)

    async def send(self, person_id: UUID, about: str, sms: Sms, *, tries: Tries) -> None:
        """Send a new code, which replaces the one before; it is counted with these tries.

        `about` is what it will prove: the index of this phone, or the id of a proxy. Raises
        PhoneRefused, TooManyRequests or PlatformUnavailable.
        """
        await self._limits.take(tries)
        try:
            await self._send(person_id, about, sms)
        except PlatformUnavailable:
            await self._limits.give_back(tries)
            raise

    async def _send(self, person_id: UUID, about: str, sms: Sms) -> None:
        code = f"{secrets.randbelow(10**6):06d}"
        key = _key(person_id, about)
        async with self._valkey.pipeline() as pipe:
            pipe.delete(key)
            pipe.hset(key, mapping={"digest": _digest(key, code), "tries": 0})
            pipe.expire(key, LIVES_S)
            await pipe.execute()
        try:
            fields = {"code": code, "minutes": str(LIVES_S // 60), **sms.said}
            await self._sms.send(sms.phone, sms.template, fields)
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


def one_time_codes(room: Services) -> OneTimeCodes:
    """The codes of this process. Raises NotAvailable where no SMS gateway is."""
    if room.platforms.sms is None:
        raise NotAvailable
    return OneTimeCodes(room.valkey, room.platforms.sms, room.limits)


def asked_openly(person_id: UUID, phone_index: str, address: str) -> Tries:
    """How a code is counted whose asker is told whether it was sent."""
    return [
        (OTP_AGAIN, phone_index),
        (OTP_PHONE, phone_index),
        (OTP_PERSON, person_id),
        (OTP_PERSON_DAY, person_id),
        (OTP_ADDRESS, address),
    ]


def _key(person_id: UUID, about: str) -> str:
    return f"yiting:otp:{person_id}:{about}"


def _digest(key: str, code: str) -> str:
    # Six digits are guessed from any digest; it only keeps codes from being read in passing.
    return hmac.new(key.encode(), code.encode(), hashlib.sha256).hexdigest()
