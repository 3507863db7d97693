"""Alipay's gateway: signed questions, verified answers.

The contract is that of `https://openapi.alipay.com/gateway.do`, version 1.0.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, TypeVar
from urllib.parse import urlencode

import httpx
import msgspec

from integrations.alipay.credentials import AlipayCredentials
from integrations.alipay.signing import (
    NotAnAnswer,
    SignedPart,
    sign,
    signed_part,
    text_to_sign,
    verify,
)
from integrations.asking import LATER_S, SOON_S, Asking
from integrations.ports import PlatformRefused, PlatformUnavailable, RefusalReason

T = TypeVar("T")

SUCCESS: Final = "10000"
BUSY: Final = "20000"
TOO_OFTEN: Final = "40005"
# A token, a parameter, the signature or a permission is missing or wrong: nobody gets through
# until we mend it.
OUR_FAULT: Final = frozenset({"20001", "40001", "40002", "40003", "40006"})

BEIJING: Final = timezone(timedelta(hours=8))
_CODE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}


class _Head(msgspec.Struct):
    code: str | int | None = None
    sub_code: str | None = None


_head = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, slots=True)
class Answer:
    """What Alipay surely said: `code` and `sub_code` are its own, `content` is the whole JSON.

    The older methods succeed without a code; that is told here as "10000".
    """

    code: str
    sub_code: str | None
    content: bytes

    def read(self, shape: type[T]) -> T | None:
        """Return the content in a shape; None when it has another."""
        try:
            return msgspec.json.decode(self.content, type=shape)
        except _UNREADABLE:
            return None


def real_time() -> datetime:
    """Return the time that signatures are dated with; never the business clock."""
    return datetime.now(UTC)


class AlipayGateway:
    """Asks Alipay in our app's name, within `budget_s` seconds a question.

    A question is put a second time only when the first was surely never sent. What was sent and
    not answered may have happened; whoever asked must find out.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        credentials: AlipayCredentials,
        *,
        budget_s: float = 5.0,
        now: Callable[[], datetime] = real_time,
    ) -> None:
        self._asking = Asking(http, "alipay", budget_s=budget_s)
        self._url = url
        self._credentials = credentials
        self._now = now

    @property
    def app_id(self) -> str:
        """Our app's id."""
        return self._credentials.app_id

    async def ask(
        self,
        method: str,
        shape: type[T],
        *,
        params: Mapping[str, str] | None = None,
        biz_content: object = None,
        refusals: Mapping[str, RefusalReason] | None = None,
    ) -> T:
        """Ask and return the answer in a shape, or raise PlatformRefused or PlatformUnavailable.

        `refusals` says which of Alipay's sub_codes are the caller's doing, and what they mean to
        us. `params` go beside the common parameters, `biz_content` inside the one of that name.
        """
        answer = await self.exchange(method, params=params, biz_content=biz_content)
        if answer.code != SUCCESS:
            raise self._refusal(method, answer, refusals or {})
        found = answer.read(shape)
        if found is None:
            raise self.unavailable(method, "unexpected_content")
        return found

    async def exchange(
        self, method: str, *, params: Mapping[str, str] | None = None, biz_content: object = None
    ) -> Answer:
        """Ask and return the verified answer whatever it says, or raise PlatformUnavailable."""
        async with self._asking.within_budget():
            reply = await self._asking.ask(
                "POST",
                self._url,
                # The gateway reads the form with the charset of the query.
                params={"charset": "utf-8"},
                content=urlencode(self._signed(method, params or {}, biz_content)).encode(),
                headers=_FORM,
            )
        return self._verified(method, reply)

    def page_url(self, method: str, biz_content: object) -> str:
        """Return a signed URL for the phone to open; nothing is asked."""
        return f"{self._url}?{urlencode(self._signed(method, {}, biz_content))}"

    def unavailable(
        self,
        method: str,
        why: str,
        codes: Mapping[str, str] | None = None,
        *,
        retry_after_s: int = LATER_S,
    ) -> PlatformUnavailable:
        """Log why there is no usable answer, and return the exception that says so."""
        facts = {"method": method, "app_id": self.app_id, **(codes or {})}
        return self._asking.unavailable(why, retry_after_s, **facts)

    def _signed(
        self, method: str, params: Mapping[str, str], biz_content: object
    ) -> dict[str, str]:
        every = {
            "app_id": self.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": self._now().astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
            "version": "1.0",
            **self._credentials.serial_numbers,
            **params,
        }
        if biz_content is not None:
            every["biz_content"] = msgspec.json.encode(biz_content).decode()
        return every | {"sign": sign(text_to_sign(every), self._credentials.private_key)}

    def _verified(self, method: str, reply: httpx.Response) -> Answer:
        if reply.status_code != httpx.codes.OK:
            raise self.unavailable(method, f"http_{reply.status_code}")
        try:
            own_name = method.replace(".", "_") + "_response"
            part = signed_part(reply.content, own_name, "error_response")
            head = _head.decode(part.content)
        except (NotAnAnswer, *_UNREADABLE):
            raise self.unavailable(method, "rubbish") from None
        self._verify(method, part, head)
        if head.code is None and part.name == "error_response":
            raise self.unavailable(method, "rubbish")
        return Answer(str(head.code or SUCCESS), head.sub_code, part.content)

    def _verify(self, method: str, part: SignedPart, head: _Head) -> None:
        # What an unverified answer says is no fact, but tells whoever mends the settings why.
        claims = _codes("claimed_", head.code, head.sub_code)
        if part.signature is None:
            # So Alipay answers when it does not know our app id.
            raise self.unavailable(method, "unsigned", claims)
        key = self._credentials.key_for(part.cert_sn)
        if key is None:
            raise self.unavailable(method, "unknown_certificate", claims)
        if not verify(part.content, part.signature, key):
            raise self.unavailable(method, "wrong_signature", claims)

    def _refusal(
        self, method: str, answer: Answer, refusals: Mapping[str, RefusalReason]
    ) -> PlatformRefused | PlatformUnavailable:
        if reason := refusals.get(answer.sub_code or ""):
            return PlatformRefused(reason, answer.sub_code)
        if answer.code == TOO_OFTEN:
            return PlatformRefused("too_often", harmless(answer.sub_code or answer.code))
        codes = _codes("", answer.code, answer.sub_code)
        if answer.code in OUR_FAULT:
            return self._asking.misconfigured("refused", method=method, app_id=self.app_id, **codes)
        if answer.code == BUSY:
            return self.unavailable(method, "busy", codes, retry_after_s=SOON_S)
        return self.unavailable(method, "unknown_code", codes)


def _codes(prefix: str, code: str | int | None, sub_code: str | None) -> dict[str, str]:
    told = {"code": code, "sub_code": sub_code}
    return {prefix + k: harmless(str(v)) for k, v in told.items() if v is not None}


def harmless(code: str) -> str:
    """Return a code that looks like one; anything else might be somebody's name."""
    return code if _CODE.fullmatch(code) else "(odd)"
