"""WeChat's API behind the access token: one question, asked again with a new token if need be."""

import asyncio
from collections.abc import Mapping
from typing import Final, TypeVar

import httpx
import msgspec
from msgspec import Struct

from integrations.asking import AFTER_REPAIR_S, LATER_S, SOON_S, Asking
from integrations.ports import NotDone, PlatformRefused, PlatformUnavailable, RefusalReason
from integrations.wechat.access_token import AccessToken
from integrations.wechat.stable_token import BUSY, JSON, PAUSE_S

T = TypeVar("T")

# Invalid or not the latest; invalid; expired. Whatever was asked was not done.
_TOKEN_REFUSED: Final = frozenset({40001, 40014, 42001})
# What we sent has the wrong shape, or our app may not call this, or not from here.
_OUR_FAULTS: Final = frozenset({40013, 40164, 41001, 43002, 44002, 47001, 48001, 50002})
_DAYS_LIMIT: Final = 45009


class _Head(Struct):
    errcode: int = 0


_head = msgspec.json.Decoder(_Head)


class WeChatClient:
    """Asks WeChat in our mini-program's name, within `budget_s` seconds a question in all.

    A question is put a second time only when the first was surely not done: it was never sent,
    WeChat was busy, or it refused the token.
    """

    def __init__(
        self, http: httpx.AsyncClient, host: str, token: AccessToken, *, budget_s: float = 5.0
    ) -> None:
        self._asking = Asking(http, "wechat", budget_s=budget_s)
        self._host = host.rstrip("/")
        self._token = token

    @property
    def app_id(self) -> str:
        """Our mini-program's id."""
        return self._token.app_id

    async def ask(
        self,
        path: str,
        body: Mapping[str, object],
        shape: type[T],
        *,
        refusals: Mapping[int, RefusalReason] | None = None,
    ) -> T:
        """Ask and return the answer in a shape, or raise PlatformRefused or PlatformUnavailable.

        `refusals` says which of WeChat's errcodes are the caller's doing, and what they mean to us.
        """
        content = msgspec.json.encode(body)
        async with self._asking.within_budget():
            errcode, answer = await self._ask_with_good_token(path, content)
        if errcode:
            refusal = self._refusal(path, errcode, refusals or {})
            if isinstance(refusal, PlatformUnavailable):
                # It answered, and that is no: nothing was done.
                raise NotDone(refusal.retry_after_s)
            raise refusal
        return self._asking.read(msgspec.json.Decoder(shape), answer)

    def unavailable(
        self, path: str, why: str, retry_after_s: int = LATER_S, **facts: int
    ) -> PlatformUnavailable:
        """Log why there is no usable answer, and return the exception that says so."""
        return self._asking.unavailable(why, retry_after_s, path=path, app_id=self.app_id, **facts)

    async def _ask_with_good_token(self, path: str, content: bytes) -> tuple[int, httpx.Response]:
        try:
            token = await self._token.current()
        except PlatformUnavailable as away:
            raise NotDone(away.retry_after_s) from None
        errcode, answer = await self._ask_until_not_busy(path, token, content)
        if errcode not in _TOKEN_REFUSED:
            return errcode, answer
        another = await self._token.instead_of(token)
        if another == token:
            await asyncio.sleep(PAUSE_S)
        return await self._ask_until_not_busy(path, another, content)

    async def _ask_until_not_busy(
        self, path: str, token: str, content: bytes
    ) -> tuple[int, httpx.Response]:
        errcode, answer = await self._ask_once(path, token, content)
        if errcode == BUSY:
            await asyncio.sleep(PAUSE_S)
            errcode, answer = await self._ask_once(path, token, content)
        return errcode, answer

    async def _ask_once(self, path: str, token: str, content: bytes) -> tuple[int, httpx.Response]:
        answer = await self._asking.ask(
            "POST",
            self._host + path,
            params={"access_token": token},
            content=content,
            headers=JSON,
        )
        if answer.status_code != httpx.codes.OK:
            raise self.unavailable(path, f"http_{answer.status_code}")
        return self._asking.read(_head, answer).errcode, answer

    def _refusal(
        self, path: str, errcode: int, refusals: Mapping[int, RefusalReason]
    ) -> PlatformRefused | PlatformUnavailable:
        if reason := refusals.get(errcode):
            return PlatformRefused(reason, str(errcode))
        if errcode in _OUR_FAULTS:
            return self._asking.misconfigured(
                "refused", path=path, app_id=self.app_id, errcode=errcode
            )
        if errcode in _TOKEN_REFUSED:
            return self.unavailable(path, "token_refused", errcode=errcode)
        if errcode == _DAYS_LIMIT:
            return self.unavailable(path, "too_often", AFTER_REPAIR_S, errcode=errcode)
        if errcode == BUSY:
            return self.unavailable(path, "busy", SOON_S)
        return self.unavailable(path, "unknown_errcode", errcode=errcode)
