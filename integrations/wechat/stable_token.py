"""WeChat's `stable_token`: the access token that opens every other door of its API.

The contract is that of `POST /cgi-bin/stable_token`: asked normally, it gives the same token until
five minutes before that one's end, then a new one, and both work until the old one dies. Forced,
it voids the token it gave before; that is refused more than 20 times a day and does nothing within
30 s of the last time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final

import httpx
import msgspec
from msgspec import Meta, Struct

from integrations.asking import AFTER_REPAIR_S, LATER_S, SOON_S, Asking
from integrations.ports import PlatformUnavailable

BUSY: Final = -1
PAUSE_S: Final = 0.2
JSON: Final = {"Content-Type": "application/json"}
# Somewhat inside the last five minutes, whatever the clocks' difference: asked earlier, WeChat
# gives the same token again.
_RENEW_BEFORE_S: Final = 270.0
# Our app id, secret, grant type, network address or body is wrong, or our account is frozen:
# nobody gets a token until we mend it.
_OUR_FAULTS: Final = frozenset(
    {40001, 40002, 40013, 40125, 40164, 40243, 41002, 41004, 43002, 47001, 50007}
    | {61024, 89503, 89506, 89507}
)
_TOO_OFTEN: Final = frozenset({45009, 45011})


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, when it shall be renewed and when it dies, in Unix seconds."""

    text: str = field(repr=False)
    renew_at: float
    dies_at: float


class _Reply(Struct):
    errcode: int = 0
    access_token: Annotated[str, Meta(pattern=r"^[!-~]{1,512}\Z")] | None = None
    expires_in: Annotated[int, Meta(ge=1, le=86_400)] | None = None

    def __repr__(self) -> str:
        return "_Reply()"


_reply = msgspec.json.Decoder(_Reply)


class StableToken:
    """Asks WeChat for our app's token, within `budget_s` seconds; `clock` is Unix seconds."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        host: str,
        app_id: str,
        secret: str,
        *,
        budget_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._asking = Asking(http, "wechat_token", budget_s=budget_s)
        self._url = host.rstrip("/") + "/cgi-bin/stable_token"
        self._app_id = app_id
        self._secret = secret
        self._clock = clock

    async def ask(self, *, force: bool = False) -> Token:
        """Return the token, or raise PlatformUnavailable. Asking may be repeated, forcing not."""
        async with self._asking.within_budget():
            asked_at = self._clock()
            reply = await self._ask_once(force=force)
            if reply.errcode == BUSY and not force:
                await asyncio.sleep(PAUSE_S)
                asked_at = self._clock()
                reply = await self._ask_once(force=False)
        return self._token(reply, asked_at)

    async def _ask_once(self, *, force: bool) -> _Reply:
        answer = await self._asking.ask(
            "POST",
            self._url,
            # The secret gets no local name of its own: some tracebacks print locals.
            content=msgspec.json.encode(
                {
                    "grant_type": "client_credential",
                    "appid": self._app_id,
                    "secret": self._secret,
                    "force_refresh": force,
                }
            ),
            headers=JSON,
        )
        if answer.status_code != httpx.codes.OK:
            raise self._unavailable(f"http_{answer.status_code}")
        return self._asking.read(_reply, answer)

    def _token(self, reply: _Reply, asked_at: float) -> Token:
        if reply.errcode:
            raise self._refusal(reply.errcode)
        if reply.access_token is None or reply.expires_in is None:
            raise self._unavailable("no_token")
        life_s = float(reply.expires_in)
        # Never before half its life: were lives shorter than we know them, we would ask for ever.
        renew_in_s = max(life_s - _RENEW_BEFORE_S, life_s / 2)
        return Token(reply.access_token, asked_at + renew_in_s, asked_at + life_s)

    def _refusal(self, errcode: int) -> PlatformUnavailable:
        if errcode in _OUR_FAULTS:
            return self._asking.misconfigured("refused", errcode=errcode, app_id=self._app_id)
        if errcode in _TOO_OFTEN:
            return self._unavailable("too_often", AFTER_REPAIR_S, errcode=errcode)
        if errcode == BUSY:
            return self._unavailable("busy", SOON_S)
        return self._unavailable("unknown_errcode", errcode=errcode)

    def _unavailable(
        self, why: str, retry_after_s: int = LATER_S, **facts: int
    ) -> PlatformUnavailable:
        return self._asking.unavailable(why, retry_after_s, app_id=self._app_id, **facts)
