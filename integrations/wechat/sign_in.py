"""Signing in with WeChat: a one-time code from the phone becomes a visitor."""

import asyncio
from typing import Annotated, Final

import httpx
import structlog
from msgspec import Meta, MsgspecError, Struct
from msgspec.json import Decoder

from integrations.discretion import hush_httpx
from integrations.ports import PlatformRefused, PlatformUnavailable, RefusalReason, Visitor

log = structlog.get_logger()

_BUSY: Final = -1
_REFUSALS: Final[dict[int, RefusalReason]] = {
    40029: "code_invalid",
    40163: "code_used",
    40226: "user_blocked",
    45011: "too_often",
}
# Our own app id or secret is missing or wrong: nobody can sign in until we mend it.
_OUR_FAULT: Final = frozenset({40013, 40125, 41002, 41004})

_SOON_S: Final = 1
_LATER_S: Final = 5
_AFTER_REPAIR_S: Final = 60
_PAUSE_S: Final = 0.2

# Nothing was sent, so the code cannot have been spent.
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

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
        hush_httpx()
        self._http = http
        self._url = host.rstrip("/") + "/sns/jscode2session"
        self._app_id = app_id
        self._secret = secret
        self._budget_s = budget_s
        # A dead address must leave time for the second try.
        self._patience = httpx.Timeout(budget_s, connect=budget_s * 0.4, pool=budget_s * 0.4)

    async def who_is(self, code: str) -> Visitor:
        """Spend the code and name its owner, or raise PlatformRefused or PlatformUnavailable."""
        if not _could_be_a_code(code):
            raise PlatformRefused("code_invalid")
        try:
            async with asyncio.timeout(self._budget_s):
                reply = await self._ask_at_most_twice(code)
        except TimeoutError:
            raise self._unavailable("too_slow", _LATER_S) from None
        return self._visitor(reply)

    async def _ask_at_most_twice(self, code: str) -> _Reply:
        try:
            reply = await self._ask(code)
            if reply.errcode != _BUSY:
                return reply
        except _NEVER_SENT:
            pass
        await asyncio.sleep(_PAUSE_S)
        try:
            return await self._ask(code)
        except _NEVER_SENT:
            raise self._unavailable("unreachable", _LATER_S) from None

    async def _ask(self, code: str) -> _Reply:
        try:
            # The secret gets no local name of its own: some tracebacks print locals.
            answer = await self._http.get(
                self._url,
                params={
                    "appid": self._app_id,
                    "secret": self._secret,
                    "js_code": code,
                    "grant_type": "authorization_code",
                },
                timeout=self._patience,
                follow_redirects=False,
            )
        except _NEVER_SENT:
            raise
        except httpx.RequestError as error:
            # Only the kind of error: its request holds our secret.
            raise self._unavailable(type(error).__name__, _LATER_S) from None
        if answer.status_code != httpx.codes.OK:
            raise self._unavailable(f"http_{answer.status_code}", _LATER_S)
        try:
            return _reply.decode(answer.content)  # served as text/plain
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            raise self._unavailable("rubbish", _LATER_S) from None

    def _visitor(self, reply: _Reply) -> Visitor:
        if reason := _REFUSALS.get(reply.errcode):
            raise PlatformRefused(reason, str(reply.errcode))
        if reply.errcode in _OUR_FAULT:
            log.error("wechat_misconfigured", errcode=reply.errcode, app_id=self._app_id)
            raise PlatformUnavailable(_AFTER_REPAIR_S)
        if reply.errcode == _BUSY:
            raise self._unavailable("busy", _SOON_S)
        if reply.errcode:
            raise self._unavailable("unknown_errcode", _LATER_S, errcode=reply.errcode)
        if reply.openid is None:
            raise self._unavailable("no_openid", _LATER_S)
        return Visitor("wechat", self._app_id, reply.openid, reply.unionid)

    def _unavailable(self, why: str, retry_after_s: int, **facts: int) -> PlatformUnavailable:
        log.warning("wechat_sign_in_unavailable", why=why, app_id=self._app_id, **facts)
        return PlatformUnavailable(retry_after_s)


def _could_be_a_code(code: str) -> bool:
    return 0 < len(code) <= 512 and code.isascii() and code.isprintable()
