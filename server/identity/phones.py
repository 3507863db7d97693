"""Knowing a citizen's phone: by what her platform vouches for, or by a code sent to it."""

import asyncio
import hashlib
from datetime import UTC, datetime
from uuid import UUID

import redis.asyncio as aioredis
import structlog

from integrations.ports import PhoneReader, PlatformRefused, Platforms
from models.audit import Entry, record
from models.database import transaction
from models.identifiers import NotAnIdentifier, read_mobile
from models.knowing import remember_phone
from models.sealing import Sealer
from models.tickets import Actor
from server.auth import Principal
from server.errors import FieldFault, InvalidRequest, NotAvailable, TooManyRequests
from server.identity.refusals import NOT_A_NUMBER, ProofRefused
from server.identity.sure import held_surely

SPENT_FOR_S = 30 * 24 * 3600
SPEND_WITHIN_S = 1.0

log = structlog.get_logger()


class Proofs:
    """Opens what platforms give as a proof of a phone; each is good once."""

    def __init__(self, platforms: Platforms, valkey: aioredis.Redis) -> None:
        self._platforms = platforms
        self._valkey = valkey

    async def open(self, platform: str, proof: str, sign_in_id: UUID) -> str:
        """The mainland number that a platform's proof opens to, for whom this sign-in is.

        Raises NotAvailable, ProofRefused, TooManyRequests or PlatformUnavailable.
        """
        reader: PhoneReader | None = self._platforms.phones.get(platform)
        if reader is None:
            raise NotAvailable
        # Before the platform spends it: when Valkey is away, she may come again with the same.
        key, mine = _spent_key(proof), str(sign_in_id).encode()
        holder = await self._valkey.set(key, mine, nx=True, get=True, ex=SPENT_FOR_S)
        if holder not in {None, mine}:
            raise ProofRefused
        phone = await _opened(reader, proof)
        await self._spend(key)
        return phone

    async def _spend(self, key: str) -> None:
        """Alipay's payloads open again and again and bear no date: from now on not even to her."""
        try:
            async with asyncio.timeout(SPEND_WITHIN_S):
                await self._valkey.set(key, b"spent", ex=SPENT_FOR_S)
        except (aioredis.RedisError, OSError) as fault:
            # Nobody else gets it to open. What she has just proved would be lost with a refusal.
            log.warning("proof_not_spent", fault=type(fault).__name__)


async def _opened(reader: PhoneReader, proof: str) -> str:
    try:
        return read_mobile(await reader.phone_of(proof))
    except PlatformRefused as refusal:
        if refusal.reason == "too_often":
            raise TooManyRequests(60) from None
        raise ProofRefused from None
    except NotAnIdentifier:
        raise ProofRefused(
            ("目前仅支持中国内地手机号。", "Only mainland phone numbers are supported.")
        ) from None


def _spent_key(proof: str) -> str:
    return f"yiting:spent:{hashlib.sha256(proof.encode()).hexdigest()}"


def read_typed(text: str) -> str:
    """The number as it is stored. Raises InvalidRequest."""
    try:
        return read_mobile(text)
    except NotAnIdentifier as fault:
        raise InvalidRequest(errors=[FieldFault("/phone", NOT_A_NUMBER[fault.fault])]) from None


async def keep(sealer: Sealer, who: Principal, phone: str) -> None:
    """Write the verified number down. Raises LevelTooLow or NoSuchCitizen."""
    async with transaction() as tx:
        me = await held_surely(tx, who)
        await remember_phone(tx, sealer, me, phone=phone, at=datetime.now(UTC))
        changed = {"fields": ["phone"]}
        actor = Actor("citizen", me)
        await record(tx, Entry(actor, "citizen.changed", "citizen", me, detail=changed))
