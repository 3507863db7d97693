"""Signing in with WeChat: a one-time code from the phone becomes a visitor."""

import asyncio
from typing import Annotated, Final

import httpx
from msgspec import Meta, Struct
from msgspec.json import Decoder

from integrations.asking import LATER_S, SOON_S, Asking, require_code
from integrations.ports import PlatformRefused, PlatformUnavailable, RefusalReason, Visitor
from integrations.wechat.stable_token import BUSY, PAUSE_S

_REFUSALS: Final[dict[int, RefusalReason]] = {
    40029: "code_invalid",
    40163: "code_used",
    40226: "user_blocked",
    45011: "too_often",
}
# Our own app id or secret is missing or wrong: nobody can sign in until we mend it.
_OUR_FAULT: Final = frozenset({40013, 40125, 41002, 41004})

_Id = Annotated[str, Meta(min_length=1, max_length=128)]


class _Reply(Struct):
    """What we use of the answer; the session key is not even decoded."""

    errcode: int = 0
    openid: _Id | None = None
    unionid: _Id | None = None


_reply = Decoder(_Reply)


class WeChatSignIn:
    """Asks WeChat's code2Session who sent a code, within `budget_s` seconds in all.

    A code works once. So we ask again only when the first question surely left it unspent: it was
    never sent, or WeChat answered that it was busy. After a lost answer the phone must bring a
    fresh code, which costs it nothing.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        host: str,
        app_id: str,
        secret: str,
        *,
        budget_s: float = 5.0,
    ) -> None:
        self._asking = Asking(http, "wechat_sign_in", budget_s=budget_s)
        self._url = host.rstrip("/") + "/sns/jscode2session"
        self._app_id = app_id
        self._secret = secret

    async def who_is(self, code: str) -> Visitor:
        """Spend the code and name its owner, or raise PlatformRefused or PlatformUnavailable."""
        require_code(code)
        async with self._asking.within_budget():
            reply = await self._ask(code)
            if reply.errcode == BUSY:
                await asyncio.sleep(PAUSE_S)
                reply = await self._ask(code)
        return self._visitor(reply)

    async def _ask(self, code: str) -> _Reply:
        answer = await self._asking.ask(
            "GET",
            self._url,
            # The secret gets no local name of its own: some tracebacks print locals.
            params={
                "appid": self._app_id,
                "secret": self._secret,
                "js_code": code,
                "grant_type": "authorization_code",
            },
        )
        if answer.status_code != httpx.codes.OK:
            raise self._unavailable(f"http_{answer.status_code}")
        return self._asking.read(_reply, answer)  # served as text/plain

    def _visitor(self, reply: _Reply) -> Visitor:
        if reason := _REFUSALS.get(reply.errcode):
            raise PlatformRefused(reason, str(reply.errcode))
        if reply.errcode in _OUR_FAULT:
            raise self._asking.misconfigured("refused", errcode=reply.errcode, app_id=self._app_id)
        if reply.errcode == BUSY:
            raise self._unavailable("busy", SOON_S)
        if reply.errcode:
            raise self._unavailable("unknown_errcode", errcode=reply.errcode)
        if reply.openid is None:
            raise self._unavailable("no_openid")
        return Visitor("wechat", self._app_id, reply.openid, reply.unionid)

    def _unavailable(
        self, why: str, retry_after_s: int = LATER_S, **facts: int
    ) -> PlatformUnavailable:
        return self._asking.unavailable(why, retry_after_s, app_id=self._app_id, **facts)
