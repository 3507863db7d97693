"""WeChat's access token, one for all our processes.

Each process keeps the token in memory, so a normal call asks nobody. When it comes near its end
the next call starts a renewal beside itself and goes on with the old token, which works until it
dies. Renewals of all processes meet at a lock in Valkey: one asks WeChat, the others take what it
stored. Without Valkey each process asks for itself, which is right but for the number of calls:
`stable_token` gives everybody the same token.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import httpx
import redis.asyncio as aioredis
import structlog

from integrations.asking import SOON_S
from integrations.ports import PlatformUnavailable
from integrations.wechat.shared_token import FORCED_APART_S, VALKEY_AWAY, Shared, SharedToken
from integrations.wechat.stable_token import StableToken, Token

log = structlog.get_logger()

_LOOK_AGAIN_S: Final = 0.05
# While the old token still works, a renewal that failed is not tried again at every call.
_TRY_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Renewal:
    """A renewal under way, and the token it shall replace whatever its dates say."""

    failed: str | None
    task: asyncio.Task[Token]


class AccessToken:
    """Our mini-program's token, from Valkey or from WeChat.

    `valkey` is a client that does not decode answers.
    WeChat gets `budget_s` seconds for an answer; who waits for another process's answer waits
    little longer. `clock` is Unix seconds and must be right to a few minutes.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        valkey: aioredis.Redis,
        host: str,
        app_id: str,
        secret: str,
        *,
        budget_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app_id = app_id
        self._platform = StableToken(http, host, app_id, secret, budget_s=budget_s, clock=clock)
        # A refresher asks at most twice: normally, then forced.
        self._lock_s = 2 * budget_s + 1
        self._shared = SharedToken(valkey, app_id, secret, lock_s=self._lock_s)
        self._clock = clock
        self._held: Token | None = None
        self._renewal: _Renewal | None = None
        self._try_after = float("-inf")
        self._forced_at = float("-inf")

    async def current(self) -> str:
        """Return a token to ask with, or raise PlatformUnavailable."""
        held, now = self._held, self._clock()
        if held is None or now >= held.dies_at:
            return (await self._renewed(None)).text
        if now >= max(held.renew_at, self._try_after) and self._under_way() is None:
            self._begin(None)
        return held.text

    async def instead_of(self, failed: str) -> str:
        """Return a token to ask with once more after WeChat refused this one.

        Renews only if nobody has done so yet. May return the same token, when WeChat says that it
        is the current one and it is too early to force another. Raises PlatformUnavailable.
        """
        if self._held is not None and self._held.text != failed:
            return await self.current()
        return (await self._renewed(failed)).text

    async def close(self) -> None:
        """Give up a renewal under way."""
        if renewal := self._under_way():
            renewal.task.cancel()
            with suppress(asyncio.CancelledError, PlatformUnavailable):
                await renewal.task

    # --- one renewal at a time in this process ---

    async def _renewed(self, failed: str | None) -> Token:
        under_way = self._under_way()
        if under_way is not None and failed not in (None, under_way.failed):
            # It may bring the very token that failed, or the one to put in its place.
            with suppress(PlatformUnavailable):
                token = await asyncio.shield(under_way.task)
                if token.text != failed:
                    return token
            under_way = self._under_way()
        # Shielded: those who wait may give up, and the others still want the token.
        return await asyncio.shield((under_way or self._begin(failed)).task)

    def _under_way(self) -> _Renewal | None:
        renewal = self._renewal
        return None if renewal is None or renewal.task.done() else renewal

    def _begin(self, failed: str | None) -> _Renewal:
        # Outlives the request that starts it, so it takes nothing of that request's with it.
        task = asyncio.create_task(self._renew(failed), context=Context())
        task.add_done_callback(_hear)
        self._renewal = _Renewal(failed, task)
        return self._renewal

    async def _renew(self, failed: str | None) -> Token:
        try:
            self._held = await self._renew_together_or_alone(failed)
        except PlatformUnavailable:
            self._try_after = self._clock() + _TRY_AGAIN_S
            raise
        return self._held

    async def _renew_together_or_alone(self, failed: str | None) -> Token:
        try:
            return await self._renew_together(failed)
        except VALKEY_AWAY as fault:
            log.warning("wechat_token_not_shared", fault=type(fault).__name__)
        return await self._ask(failed)

    # --- one renewal at a time among the processes ---

    async def _renew_together(self, failed: str | None) -> Token:
        stored = await self._shared.look()
        if stored is not None and self._will_do(stored, failed):
            return stored
        name = uuid4().hex
        # Time for a refresher to die unnoticed, and for one look more.
        give_up_at = time.monotonic() + self._lock_s + 1
        while time.monotonic() < give_up_at:
            shared = await self._shared.reach(name)
            if shared.mine:
                return await self._renew_for_all(name, shared, failed)
            if shared.token is not None and self._will_do(shared.token, failed):
                return shared.token
            if shared.trouble_s is not None:
                raise PlatformUnavailable(shared.trouble_s)
            await asyncio.sleep(_LOOK_AGAIN_S)
        log.warning("wechat_token_unavailable", why="refresher_too_slow", app_id=self.app_id)
        raise PlatformUnavailable(SOON_S)

    async def _renew_for_all(self, name: str, shared: Shared, failed: str | None) -> Token:
        try:
            stored = shared.token
            if stored is not None and self._will_do(stored, failed):
                return stored
            if shared.trouble_s is not None:
                raise PlatformUnavailable(shared.trouble_s)
            if stored is not None and stored.text == failed and shared.forced:
                # Nothing newer can be had yet; WeChat may know its own token in a moment.
                return stored
            return await self._ask_for_all(name, failed)
        finally:
            await self._shared.release(name)

    async def _ask_for_all(self, name: str, failed: str | None) -> Token:
        try:
            token = await self._ask(failed)
        except PlatformUnavailable as no:
            await self._shared.put_trouble(name, no.retry_after_s)
            raise
        await self._shared.put(name, token, token.dies_at - self._clock())
        return token

    def _will_do(self, token: Token, failed: str | None) -> bool:
        return token.text != failed and self._clock() < token.renew_at

    # --- asking WeChat ---

    async def _ask(self, failed: str | None) -> Token:
        token = await self._platform.ask()
        if token.text != failed or not await self._may_force():
            return token
        # WeChat gives as current what it refuses elsewhere.
        log.warning("wechat_token_forced", app_id=self.app_id)
        try:
            return await self._platform.ask(force=True)
        except PlatformUnavailable:
            return token

    async def _may_force(self) -> bool:
        if self._clock() - self._forced_at < FORCED_APART_S:
            return False
        try:
            if not await self._shared.may_force():
                return False
        except VALKEY_AWAY:
            # Then our own memory has to do; WeChat itself ignores who forces too often.
            pass
        self._forced_at = self._clock()
        return True


def _hear(task: asyncio.Task[Token]) -> None:
    """Take note of how a renewal ended for which perhaps nobody waited."""
    if task.cancelled():
        return
    fault = task.exception()
    if fault is not None and not isinstance(fault, PlatformUnavailable):
        log.error("wechat_token_renewal_failed", fault=type(fault).__name__)
