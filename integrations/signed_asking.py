"""Asking a service that wants each request signed with a shared secret.

The contract is the common ground of HTTP gateways that use HMAC, which the real name and the SMS
gateway here share: four headers, `X-App-Key`, `X-Timestamp` (Unix seconds), `X-Nonce` (used once)
and `X-Signature`, the hex HMAC-SHA256 with the secret over

    METHOD \\n PATH \\n TIMESTAMP \\n NONCE \\n hex(SHA-256(body))

Answers are JSON; with any status but 200 they carry a `code`. No national or provincial document
was at hand: a city whose gateway signs otherwise changes this file only.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

import httpx
import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from integrations.asking import SOON_S, Asking

# The service looked and found our account, our signature or our purse wanting.
_OUR_FAULTS: Final = frozenset(
    {
        "APP_UNKNOWN",
        "SIGNATURE_WRONG",
        "TIMESTAMP_EXPIRED",
        "NOT_JSON",
        "REQUEST_INVALID",
        "QUOTA_EXHAUSTED",
    }
)
_BUSY: Final = "BUSY"
# What is logged of a code that we do not know: never a sentence that might name somebody.
_CODE: Final = re.compile(r"[A-Z0-9_]{1,40}")


class _Refusal(Struct):
    code: str = ""


_refusal = Decoder(_Refusal)


class SignedAsking:
    """Posts signed JSON to one service, within `budget_s` seconds in all.

    `platform` begins the names of its log events; `clock` is Unix seconds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        platform: str,
        host: str,
        app_key: str,
        secret: str,
        *,
        budget_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.asking = Asking(http, platform, budget_s=budget_s)
        self._host = host.rstrip("/")
        self._app_key = app_key
        self._secret = secret
        self._clock = clock

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Post and return the answer, or raise PlatformUnavailable when none came.

        A body is signed once: a repeat of what never left carries the same nonce.
        """
        content = msgspec.json.encode(body)
        headers = signed_headers(
            "POST",
            path,
            content,
            app_key=self._app_key,
            secret=self._secret,
            now=self._clock(),
        )
        async with self.asking.within_budget():
            return await self.asking.ask(
                "POST", self._host + path, content=content, headers=headers
            )

    def code(self, answer: httpx.Response) -> str:
        """Return the service's own word for why it refused."""
        return self.asking.read(_refusal, answer).code

    def give_up(self, code: str, status: int) -> NoReturn:
        """Raise PlatformUnavailable for a code that is not the citizen's affair."""
        if code in _OUR_FAULTS:
            raise self.asking.misconfigured(code)
        if code == _BUSY:
            raise self.asking.unavailable("busy", SOON_S)
        known = code if _CODE.fullmatch(code) else "unreadable"
        raise self.asking.unavailable("refused", code=known, status=status)


def signed_headers(
    method: str, path: str, body: bytes, *, app_key: str, secret: str, now: float
) -> dict[str, str]:
    """Return the headers for one request; `now` is Unix seconds."""
    timestamp, nonce = str(int(now)), secrets.token_urlsafe(16)
    text = "\n".join((method, path, timestamp, nonce, hashlib.sha256(body).hexdigest()))
    return {
        "Content-Type": "application/json; charset=utf-8",
        "X-App-Key": app_key,
        "X-Timestamp": timestamp,
        "X-Nonce": nonce,
        "X-Signature": hmac.digest(secret.encode(), text.encode(), hashlib.sha256).hex(),
    }
