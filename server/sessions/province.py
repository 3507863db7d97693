"""Signing in through the province's identity platform: there, and back with a code."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime

import msgspec
import redis.asyncio as aioredis

from integrations.ports import PlatformRefused, Platforms, ProvinceSignIn, ProvinceVisitor
from models.identifiers import NotAnIdentifier, read_id, read_mobile, read_name, recognise
from server.errors import NotAvailable
from server.identity.joining import Proven
from server.sessions.refusals import SignInRefused, refusal_of

LIVES_S = 600


class _Asked(msgspec.Struct, frozen=True):
    """What we asked the province with, kept until she comes back."""

    nonce: str
    verifier: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Asked).decode


@dataclass(frozen=True, slots=True)
class Begun:
    """Where her browser has to go, and the state she will come back with."""

    authorize_url: str
    state: str


async def begin(platforms: Platforms, valkey: aioredis.Redis) -> Begun:
    """Begin a sign-in: state, nonce and verifier are good for ten minutes and for one return.

    Raises NotAvailable or PlatformUnavailable.
    """
    province = _province(platforms)
    state, asked = secrets.token_urlsafe(32), _Asked(secrets.token_urlsafe(32), _verifier())
    url = await province.begin(
        state, asked.nonce, _challenge(asked.verifier), platforms.province_redirect
    )
    await valkey.set(_key(state), _encode(asked), ex=LIVES_S)
    return Begun(url, state)


async def finish(
    platforms: Platforms, valkey: aioredis.Redis, *, code: str, state: str
) -> ProvinceVisitor:
    """Spend the code she came back with; a state that was not ours, or came before, is refused.

    Raises NotAvailable, SignInRefused, UserBlocked, TooManyRequests or PlatformUnavailable.
    """
    province = _province(platforms)
    kept = await valkey.getdel(_key(state))
    if kept is None:
        raise SignInRefused
    asked = _decode(kept)
    try:
        return await province.finish(code, asked.verifier, asked.nonce, platforms.province_redirect)
    except PlatformRefused as refusal:
        raise refusal_of(refusal) from None


def proven_by(visitor: ProvinceVisitor, *, today: date) -> Proven | None:
    """The real name that the province vouches for; None when it vouches for none we can read."""
    if visitor.level < 2 or not visitor.name or not visitor.id_number:
        return None
    document = recognise(visitor.id_number, today=today)
    if document is None and visitor.id_type is not None:
        try:
            document = read_id(visitor.id_type, visitor.id_number, today=today)
        except NotAnIdentifier:
            return None
    if document is None:
        return None
    level = min(visitor.level, 3)
    return Proven(read_name(visitor.name), document, level, datetime.now(UTC), may_join=True)


def phone_of(visitor: ProvinceVisitor) -> str | None:
    """The mainland number that the province vouches for."""
    if visitor.level < 1 or not visitor.phone:
        return None
    try:
        return read_mobile(visitor.phone)
    except NotAnIdentifier:
        return None


def _province(platforms: Platforms) -> ProvinceSignIn:
    if platforms.province is None:
        raise NotAvailable
    return platforms.province


def _verifier() -> str:
    return secrets.token_urlsafe(48)


def _challenge(verifier: str) -> str:
    """RFC 7636, 4.2: S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _key(state: str) -> str:
    # Hashed, so that a state made up by somebody cannot name any other key.
    return f"yiting:province:{hashlib.sha256(state.encode()).hexdigest()}"
