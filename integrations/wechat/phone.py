"""WeChat's word for a phone number: a one-time code that only our mini-program can spend.

The contract is that of `POST /wxa/business/getuserphonenumber`. The code is not the one for signing
in. It works once, within five minutes, and each number told costs us money.
"""

import re
import time
from collections.abc import Callable
from typing import Annotated, Final

import structlog
from msgspec import Meta, Struct

from integrations.asking import require_code
from integrations.ports import PlatformRefused, PlatformUnavailable, RefusalReason
from integrations.wechat.client import WeChatClient

log = structlog.get_logger()

_PATH: Final = "/wxa/business/getuserphonenumber"
_REFUSALS: Final[dict[int, RefusalReason]] = {
    40013: "code_invalid",  # a code of another mini-program: the token says who we are
    40029: "code_invalid",
    40163: "code_used",
    40226: "user_blocked",
    45011: "too_often",
}
# A code lives five minutes; as much again for clocks that differ.
_FRESH_S: Final = 600.0
_CHINA: Final = "86"
_COUNTRY: Final = re.compile(r"(?:\+|00)?([1-9][0-9]{0,3})")
_NUMBER: Final = re.compile(r"[0-9]{4,15}")


class _Watermark(Struct):
    appid: str
    timestamp: int


class _PhoneInfo(Struct):
    purePhoneNumber: Annotated[str, Meta(max_length=64)]  # noqa: N815 WeChat's names
    # WeChat's document says text, and shows a number.
    countryCode: str | int  # noqa: N815
    watermark: _Watermark

    def __repr__(self) -> str:
        return "_PhoneInfo()"


class _Reply(Struct):
    phone_info: _PhoneInfo


class WeChatPhone:
    """Spends the codes that the mini-program's phone button gives; `now` is Unix seconds.

    After a lost answer the code may be spent: the phone must bring a fresh one.
    """

    def __init__(self, client: WeChatClient, *, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._now = now

    async def phone_of(self, proof: str) -> str:
        """Spend the code and return the number; raises PlatformRefused or PlatformUnavailable."""
        require_code(proof)
        reply = await self._client.ask(_PATH, {"code": proof}, _Reply, refusals=_REFUSALS)
        self._check(reply.phone_info.watermark)
        return self._number(reply.phone_info)

    def _check(self, watermark: _Watermark) -> None:
        if watermark.appid != self._client.app_id:
            raise self._refused("foreign_watermark")
        if abs(self._now() - watermark.timestamp) > _FRESH_S:
            raise self._refused("stale_watermark")

    def _number(self, info: _PhoneInfo) -> str:
        country = _COUNTRY.fullmatch(str(info.countryCode))
        number = info.purePhoneNumber
        if country is None or not _NUMBER.fullmatch(number):
            raise self._unreadable()
        return number if country[1] == _CHINA else f"+{country[1]}{number}"

    def _unreadable(self) -> PlatformUnavailable:
        return self._client.unavailable(_PATH, "unreadable_number")

    def _refused(self, why: str) -> PlatformRefused:
        log.warning("wechat_phone_refused", why=why, app_id=self._client.app_id)
        return PlatformRefused("code_invalid")
