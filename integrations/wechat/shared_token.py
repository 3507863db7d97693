"""Where our processes share WeChat's access token: Valkey, with a lock for who renews it.

The token is sealed with a key made from our app's secret, which every process has. Who holds the
token can act as our mini-program for two hours, and Valkey is copied to disks, replicas and
backups. The seal also keeps a token that is not ours, or of another secret, from being believed.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
import redis.asyncio as aioredis
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from integrations.wechat.stable_token import Token

log = structlog.get_logger()

# WeChat's 30 s between forced refreshes, and one for the way.
FORCED_APART_S: Final = 31.0
# A Valkey that is silent for so long counts as away.
_PATIENCE_S: Final = 1.0
# After a renewal that failed, the other processes do not try at once too.
_TROUBLE_S: Final = 1.0
_NONCE: Final = 12

VALKEY_AWAY: Final = (aioredis.RedisError, OSError)

# Become the refresher if nobody is. KEYS: refresher, token, trouble, forced; ARGV: name,
# milliseconds. Answers who is it now, and what the others left.
_REACH: Final = """
local holder = redis.call('GET', KEYS[1])
if not holder then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    holder = ARGV[1]
end
local token, trouble = redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3])
return {holder, token, trouble, redis.call('EXISTS', KEYS[4])}
"""
# Only the refresher may write. KEYS: refresher, what; ARGV: name, value, milliseconds.
_WRITE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
"""
# KEYS: refresher; ARGV: name.
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class Shared:
    """What one look showed.

    `mine` tells whether the looker may renew now; `trouble_s` is the Retry-After of a renewal that
    failed a moment ago; `forced` tells whether a refresh was forced so lately that none may be now.
    """

    mine: bool
    token: Token | None
    trouble_s: int | None
    forced: bool


class SharedToken:
    """One app's token in Valkey, through a client that does not decode answers.

    `lock_s` is how long a refresher may take before it counts as dead.

    `look`, `reach` and `may_force` raise one of VALKEY_AWAY; what comes after the platform was
    asked does not, since its answer counts without Valkey too.
    """

    def __init__(self, valkey: aioredis.Redis, app_id: str, secret: str, *, lock_s: float) -> None:
        self._valkey = valkey
        self._lock_ms = int(lock_s * 1000)
        # The braces keep an app's keys together in a cluster.
        self._refresher, self._token, self._trouble, self._forced = (
            f"yiting:wechat:{{{app_id}}}:{what}"
            for what in ("refresher", "token", "trouble", "forced")
        )
        self._seal = _Seal(secret, self._token)
        self._reach = valkey.register_script(_REACH)
        self._write = valkey.register_script(_WRITE)
        self._release = valkey.register_script(_RELEASE)

    async def look(self) -> Token | None:
        """Return what is stored."""
        async with asyncio.timeout(_PATIENCE_S):
            sealed = await self._valkey.get(self._token)
        return self._seal.opened(sealed)

    async def reach(self, name: str) -> Shared:
        """Become the refresher under this name if nobody is, and look."""
        keys = [self._refresher, self._token, self._trouble, self._forced]
        async with asyncio.timeout(_PATIENCE_S):
            holder, sealed, trouble, forced = await self._reach(
                keys=keys, args=[name, self._lock_ms]
            )
        return Shared(
            mine=holder == name.encode(),
            token=self._seal.opened(sealed),
            trouble_s=None if trouble is None else int(trouble),
            forced=bool(forced),
        )

    async def may_force(self) -> bool:
        """Take the right to force one refresh; False when somebody took it too lately."""
        async with asyncio.timeout(_PATIENCE_S):
            return bool(
                await self._valkey.set(self._forced, 1, nx=True, px=int(FORCED_APART_S * 1000))
            )

    async def put(self, name: str, token: Token, left_s: float) -> None:
        """Store a token that has `left_s` seconds to live, if this name is still the refresher."""
        await self._put(name, self._token, self._seal.sealed(token), left_s)

    async def put_trouble(self, name: str, retry_after_s: int) -> None:
        """Tell the others for a moment that renewing failed."""
        await self._put(name, self._trouble, str(retry_after_s).encode(), _TROUBLE_S)

    async def release(self, name: str) -> None:
        """Stop being the refresher."""
        async with _as_far_as_possible():
            await self._release(keys=[self._refresher], args=[name])

    async def _put(self, name: str, key: str, value: bytes, left_s: float) -> None:
        async with _as_far_as_possible():
            left_ms = max(1, int(left_s * 1000))
            await self._write(keys=[self._refresher, key], args=[name, value, left_ms])


@asynccontextmanager
async def _as_far_as_possible() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            yield
    except VALKEY_AWAY as fault:
        log.warning("wechat_token_not_shared", fault=type(fault).__name__)


class _Seal:
    """AES-256-GCM with a random nonce in front, bound to the place where it is kept."""

    def __init__(self, secret: str, place: str) -> None:
        kdf = HKDF(SHA256(), 32, salt=None, info=b"yiting: wechat access token")
        self._cipher = AESGCM(kdf.derive(secret.encode()))
        self._place = place.encode()

    def sealed(self, token: Token) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, msgspec.json.encode(token), self._place)

    def opened(self, sealed: bytes | str | None) -> Token | None:
        """Return the token; None also when it was not sealed by us."""
        if not isinstance(sealed, bytes) or len(sealed) <= _NONCE:
            return None
        try:
            clear = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._place)
            return msgspec.json.decode(clear, type=Token)
        except (InvalidTag, msgspec.MsgspecError):
            log.warning("wechat_token_unreadable")
            return None
