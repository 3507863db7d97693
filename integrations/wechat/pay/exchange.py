"""Questions to WeChat Pay: signed, answered under its own signature, asked again where that helps.

Everything we ask may be asked twice: our numbers make it the same order, the same refund.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

import httpx
import msgspec
import structlog
from msgspec import Struct
from msgspec.json import Decoder

from integrations.asking import AFTER_REPAIR_S, LATER_S, SOON_S, Asking
from integrations.ports import PlatformUnavailable
from integrations.wechat.pay.credentials import WeChatPayCredentials
from integrations.wechat.pay.sealing import CannotOpen
from integrations.wechat.pay.signing import Seal, authorization, read_seal
from integrations.wechat.pay.trust import Trust, read_certificates, serials, vouch_for_themselves

log = structlog.get_logger()

T = TypeVar("T")

_CERTIFICATES: Final = "/v3/certificates"
_REFRESH_PAUSE_S: Final = 60.0
_PAUSES_S: Final = (0.2, 0.6)
# What one try may take of the whole budget: a dead host must leave time for another.
_SHARE: Final = 0.45
_CODE: Final = re.compile(r"[A-Z0-9_]{1,40}", re.ASCII)

# Underscores left out: WeChat writes ORDERNOTEXIST and ORDER_NOT_EXIST for the same.
_AGAIN: Final = frozenset({"SYSTEMERROR", "BANKERROR", "BIZERRNEEDRETRY"})
_TOO_OFTEN: Final = frozenset({"FREQUENCYLIMITED", "RATELIMITEXCEEDED", "RATELIMITEXCEED"})
# Our signature, permission or account: nothing gets through until we mend it.
_OUR_FAULT: Final = frozenset(
    {"SIGNERROR", "NOAUTH", "APPIDMCHIDNOTMATCH", "MCHNOTEXISTS", "INVALIDMCHID"}
)


class _Error(Struct):
    code: str = ""


_error = Decoder(_Error)


class NothingChanged(PlatformUnavailable):
    """WeChat Pay surely did nothing of what was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What WeChat Pay surely said. `code` is its word for why not, without underscores; else ""."""

    status: int
    content: bytes
    code: str

    @property
    def is_success(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300


class Exchange:
    """Asks WeChat Pay in our merchant's name, within `budget_s` seconds a question.

    `hosts` are asked in turn; the second is WeChat's own spare one. `clock` is Unix seconds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        hosts: Sequence[str],
        credentials: WeChatPayCredentials,
        trust: Trust,
        *,
        budget_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.asking = Asking(http, "wechat_pay", budget_s=budget_s)
        self._http = http
        self._hosts = [host.rstrip("/") for host in hosts]
        self._credentials = credentials
        self._trust = trust
        self._budget_s = budget_s
        self._clock = clock
        self._refreshed_at = -_REFRESH_PAUSE_S
        self._refreshing = asyncio.Lock()

    async def ask(self, method: str, target: str, body: object = None) -> Answer:
        """Ask and return the verified answer, or raise PlatformUnavailable.

        NothingChanged, where it is sure that nothing happened. `target` is path and query; `body`
        becomes JSON.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        async with self.asking.within_budget():
            for turn, pause_s in enumerate((*_PAUSES_S, None)):
                try:
                    async with asyncio.timeout(self._budget_s * _SHARE):
                        answer = await self._ask_once(turn, method, target, content)
                    if answer.code not in _AGAIN:
                        return answer
                    fault = self.asking.unavailable("busy", SOON_S, code=answer.code)
                except NothingChanged:
                    raise
                except PlatformUnavailable as unavailable:
                    fault = unavailable
                except TimeoutError:
                    fault = self.asking.unavailable("too_slow")
                if pause_s is None:
                    raise fault
                await asyncio.sleep(pause_s)
        raise AssertionError("the last turn returns or raises")

    def read(self, decoder: Decoder[T], answer: Answer) -> T:
        """Decode what a success says, or raise PlatformUnavailable."""
        try:
            return decoder.decode(answer.content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise self.asking.unavailable("unexpected_content", status=answer.status) from None

    def give_up(self, answer: Answer) -> NoReturn:
        """Raise for an answer that is nobody's affair but ours and WeChat's."""
        code, status = answer.code or "none", answer.status
        if answer.code in _TOO_OFTEN or answer.status == httpx.codes.TOO_MANY_REQUESTS:
            self.asking.unavailable("too_often", code=code, status=status)
            raise NothingChanged(LATER_S)
        if answer.code in _OUR_FAULT or answer.status == httpx.codes.UNAUTHORIZED:
            self.asking.misconfigured("refused", code=code, status=status)
            raise NothingChanged(AFTER_REPAIR_S)
        raise self.asking.unavailable("unknown_code", code=code, status=status)

    def signed_headers(self, method: str, target: str, content: bytes = b"") -> dict[str, str]:
        """Return the headers of one question."""
        ours = self._credentials
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "yiting",
            "Authorization": authorization(
                method,
                target,
                content,
                mch_id=ours.mch_id,
                serial_no=ours.serial_no,
                key=ours.private_key,
                now=self._clock(),
            ),
        }
        # Asks for answers under the public key, instead of under a certificate.
        return headers | ({"Wechatpay-Serial": ours.newest_key_id} if ours.newest_key_id else {})

    def url(self, target: str, turn: int = 0) -> str:
        """Return where to ask, the next host each turn."""
        return self._hosts[turn % len(self._hosts)] + target

    async def refresh(self) -> None:
        """Fetch WeChat Pay's certificates, at most once a minute; raises PlatformUnavailable."""
        async with self._refreshing:
            if time.monotonic() - self._refreshed_at < _REFRESH_PAUSE_S:
                return
            self._refreshed_at = time.monotonic()
            async with self.asking.within_budget():
                await self._refresh()

    async def _refresh(self) -> None:
        headers = self.signed_headers("GET", _CERTIFICATES)
        reply = await self.asking.ask("GET", self.url(_CERTIFICATES), headers=headers)
        if reply.status_code == httpx.codes.NOT_FOUND and self._credentials.public_keys:
            return  # a merchant who began with the public key has no certificates to fetch
        if reply.status_code != httpx.codes.OK:
            raise self.asking.unavailable("no_certificates", status=reply.status_code)
        seal, now = read_seal(reply.headers), self._clock()
        try:
            found = read_certificates(reply.content, self._credentials.api_v3_key)
        except CannotOpen:
            raise self.asking.misconfigured("certificates_do_not_open") from None
        # Opened with the key that only WeChat and we share; signed as well, or it counts nothing.
        if seal is None or not (
            vouch_for_themselves(found, seal, reply.content, now)
            or self._trust.vouches(seal, reply.content, now)
        ):
            raise self.asking.unavailable("wrong_signature", about="certificates")
        self._trust.learn(found)
        log.info("wechat_pay_certificates", serials=serials(found))

    async def _ask_once(self, turn: int, method: str, target: str, content: bytes) -> Answer:
        reply = await self.asking.ask(
            method,
            self.url(target, turn),
            content=content or None,
            headers=self.signed_headers(method, target, content),
        )
        code = _code_of(reply) if reply.status_code >= 300 else ""
        seal = read_seal(reply.headers)
        if seal is None:
            # Who could not be authenticated gets no signed answer; nobody else goes without.
            if reply.status_code == httpx.codes.UNAUTHORIZED:
                self.give_up(Answer(reply.status_code, b"", code))
            if reply.status_code == httpx.codes.TOO_MANY_REQUESTS:
                self.give_up(Answer(reply.status_code, b"", code))
            raise self.asking.unavailable("unsigned", status=reply.status_code)
        await self._verify(seal, reply)
        return Answer(reply.status_code, reply.content, code)

    async def _verify(self, seal: Seal, reply: httpx.Response) -> None:
        now = self._clock()
        if self._trust.key(seal.serial, now) is None:
            await self.refresh()
        if self._trust.key(seal.serial, now) is None:
            raise self.asking.unavailable("unknown_key", serial=seal.serial)
        if not self._trust.vouches(seal, reply.content, now):
            raise self.asking.unavailable("wrong_signature", status=reply.status_code)


def _code_of(reply: httpx.Response) -> str:
    try:
        code = _error.decode(reply.content).code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return code.replace("_", "") if _CODE.fullmatch(code) else ""
