"""UnionPay's gateway: signed questions, verified answers, forms for a browser to post.

The contract is that of version 5.1.0. Answers are `k=v&k=v` as they are, not percent-encoded.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Final

import httpx

from integrations.asking import SOON_S, Asking
from integrations.ports import PlatformUnavailable
from integrations.unionpay.credentials import UnionPayCredentials
from integrations.unionpay.signing import sign, verify

FRONT: Final = "/gateway/api/frontTransReq.do"
BACK: Final = "/gateway/api/backTransReq.do"
QUERY: Final = "/gateway/api/queryTrans.do"

SUCCESS: Final = "00"
# Done, and something beside it went wrong at UnionPay: the money has moved.
DONE: Final = frozenset({SUCCESS, "A6"})
# Nobody knows yet, UnionPay neither: ask.
UNKNOWN: Final = frozenset({"03", "04", "05"})
BUSY: Final = frozenset({"02", "06", "37"})
NO_SUCH: Final = "34"
# Our message, signature, merchant or permission: nothing gets through until we mend it.
OUR_FAULT: Final = frozenset({"10", "11", "13", "31", "32"})

BEIJING: Final = timezone(timedelta(hours=8))
_CODE: Final = re.compile(r"[0-9A-Z]{2}", re.ASCII)
# An ampersand within brackets belongs to the value, as UnionPay's own programs read it.
_FIELD: Final = re.compile(rb"([^=&]+)=((?:\{[^}]*\}|\[[^\]]*\]|[^&\[{]+)*+)(?:&|\Z)")
_FILE_BUDGET_S: Final = 300.0
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}


def beijing(moment: datetime) -> str:
    """Return a moment as UnionPay writes it: `yyyyMMddHHmmss` in Beijing."""
    return moment.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")


def from_beijing(text: str) -> datetime:
    """Read what `beijing` writes; ValueError for anything else."""
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)


def read_answer(content: bytes) -> dict[str, str]:
    """Return an answer's fields; ValueError for what is none, or has a field twice."""
    # Field by field: a settlement file is one of them, and as one text would take twice its room.
    fields: dict[str, str] = {}
    at = 0
    while at < len(content):
        found = _FIELD.match(content, at)
        name = found[1].decode() if found else ""
        if found is None or name in fields:
            raise ValueError("not an answer of UnionPay's")
        fields[name] = found[2].decode()
        at = found.end()
    return fields


def harmless(code: str) -> str:
    """Return a code that looks like one; anything else might be somebody's name."""
    return code if _CODE.fullmatch(code) else "(odd)"


class UnionPayGateway:
    """Speaks with UnionPay in our merchant's name, within `budget_s` seconds a question.

    `host` has the front, back and query addresses, `files` the settlement files.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        host: str,
        files: str,
        credentials: UnionPayCredentials,
        *,
        budget_s: float = 8.0,
    ) -> None:
        self._asking = Asking(http, "unionpay", budget_s=budget_s)
        self._filing = Asking(http, "unionpay", budget_s=_FILE_BUDGET_S)
        self._host = host.rstrip("/")
        self._files = files
        self._credentials = credentials

    @property
    def merchant(self) -> str:
        """Our merchant number."""
        return self._credentials.merchant

    def form(self, fields: Mapping[str, str]) -> dict[str, object]:
        """Return what the payer's browser has to post: where, and which fields."""
        return {"url": self._host + FRONT, "method": "POST", "fields": self._signed(fields)}

    async def ask(self, path: str, fields: Mapping[str, str]) -> dict[str, str]:
        """Ask and return the verified answer whatever it says, or raise PlatformUnavailable."""
        return await self._exchange(self._asking, self._host + path, fields)

    async def ask_for_a_file(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Ask where the settlement files are."""
        return await self._exchange(self._filing, self._files, fields)

    def is_genuine(self, fields: Mapping[str, str]) -> bool:
        """Tell whether UnionPay signed these fields."""
        if fields.get("version") != "5.1.0" or fields.get("signMethod") != "01":
            return False
        key = self._credentials.trust.key_in(fields.get("signPubKeyCert", ""))
        return key is not None and verify(fields, key)

    def unavailable(self, why: str, code: str = "") -> PlatformUnavailable:
        """Log why there is no usable answer, and return the exception that says so."""
        told = harmless(code)
        if code in OUR_FAULT:
            return self._asking.misconfigured("refused", code=told)
        if code in BUSY:
            return self._asking.unavailable("busy", SOON_S, code=told)
        return self._asking.unavailable(why, code=told)

    async def _exchange(
        self, asking: Asking, url: str, fields: Mapping[str, str]
    ) -> dict[str, str]:
        async with asking.within_budget():
            reply = await asking.ask("POST", url, form=self._signed(fields), headers=_FORM)
        if reply.status_code != httpx.codes.OK:
            raise self._asking.unavailable("http", status=reply.status_code)
        try:
            answer = read_answer(reply.content.strip())
        except ValueError:
            raise self._asking.unavailable("rubbish") from None
        if not self.is_genuine(answer):
            raise self._asking.unavailable("wrong_signature")
        if answer.get("merId", self.merchant) != self.merchant:
            raise self._asking.unavailable("foreign_merchant")
        return answer

    def _signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        every = {
            "version": "5.1.0",
            "encoding": "UTF-8",
            "signMethod": "01",
            "accessType": "0",
            "merId": self.merchant,
            "certId": self._credentials.cert_id,
            **fields,
        }
        return every | {"signature": sign(every, self._credentials.private_key)}
