"""Knowing a citizen's phone: by what her platform vouches for, or by a code sent to it."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import redis.asyncio as aioredis

from integrations.ports import PhoneReader, PlatformRefused, Platforms
from models.audit import Entry, record
from models.database import transaction
from models.identifiers import NotAnIdentifier, read_mobile
from models.knowing import remember_phone
from models.sealing import Sealer
from models.tickets import Actor
from server.errors import FieldFault, InvalidRequest, TooManyRequests
from server.identity.refusals import NOT_A_NUMBER, NotAvailable, ProofRefused

SPENT_FOR_S = 30 * 24 * 3600


async def read_from_platform(
    platforms: Platforms, platform: str, proof: str, valkey: aioredis.Redis
) -> str:
    """The mainland number that a platform's proof opens to; a proof is good once.

    Raises NotAvailable, ProofRefused, TooManyRequests or PlatformUnavailable.
    """
    reader: PhoneReader | None = platforms.phones.get(platform)
    if reader is None:
        raise NotAvailable
    try:
        phone = read_mobile(await reader.phone_of(proof))
    except PlatformRefused as refusal:
        if refusal.reason == "too_often":
            raise TooManyRequests(60) from None
        raise ProofRefused from None
    except NotAnIdentifier:
        raise ProofRefused(
            ("目前仅支持中国内地手机号。", "Only mainland phone numbers are supported.")
        ) from None
    # Alipay's payloads open again and again and bear no date: whoever copied one gets nothing.
    spent = f"yiting:spent:{hashlib.sha256(proof.encode()).hexdigest()}"
    if not await valkey.set(spent, "1", nx=True, ex=SPENT_FOR_S):
        raise ProofRefused
    return phone


def read_typed(text: str) -> str:
    """The number as it is stored. Raises InvalidRequest."""
    try:
        return read_mobile(text)
    except NotAnIdentifier as fault:
        raise InvalidRequest(errors=[FieldFault("/phone", NOT_A_NUMBER[fault.fault])]) from None


async def keep(sealer: Sealer, citizen_id: UUID, phone: str) -> None:
    """Write the verified number down. Raises NoSuchCitizen."""
    async with transaction() as tx:
        await remember_phone(tx, sealer, citizen_id, phone=phone, at=datetime.now(UTC))
        changed = {"fields": ["phone"]}
        actor = Actor("citizen", citizen_id)
        await record(tx, Entry(actor, "citizen.changed", "citizen", citizen_id, detail=changed))
