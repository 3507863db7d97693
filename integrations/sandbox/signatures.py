"""Checks signed requests as the real name and SMS gateways do.

`X-Signature` is the hex HMAC-SHA256 over method, path, `X-Timestamp`, `X-Nonce` and the hex SHA-256
of the body, joined by newlines. Written from that sentence, not from our client.
"""

import hashlib
import hmac
import time
from collections import deque
from typing import Final

from sanic import HTTPResponse, Request

from integrations.sandbox.replies import answer

_WINDOW_S: Final = 300
_MOST_NONCES: Final = 500_000

# Every code of both gateways, with its status.
STATUSES: Final = {
    "APP_UNKNOWN": 401,
    "SIGNATURE_WRONG": 401,
    "TIMESTAMP_EXPIRED": 401,
    "NONCE_USED": 401,
    "NOT_JSON": 400,
    "REQUEST_INVALID": 400,
    "ID_INVALID": 400,
    "PHONE_INVALID": 400,
    "TEMPLATE_UNKNOWN": 400,
    "PARAMS_INVALID": 400,
    "PHONE_BLOCKED": 403,
    "QUOTA_EXHAUSTED": 403,
    "TOO_OFTEN": 429,
    "BUSY": 503,
}


def refuse(code: int | str) -> HTTPResponse:
    """Answer as these gateways do when they will not."""
    word = str(code)
    body = {"code": word, "message": word.lower().replace("_", " ")}
    return answer(body, status=STATUSES.get(word, 500))


class Signatures:
    """One account's signatures; each nonce works once while its timestamp is fresh."""

    def __init__(self, app_key: str, secret: str) -> None:
        self._app_key = app_key
        self._secret = secret.encode()
        self._seen: set[str] = set()
        self._order: deque[tuple[float, str]] = deque()

    def fault_of(self, request: Request) -> str | None:
        """Return the code of what is wrong with the request's signature, or None."""
        headers = request.headers
        timestamp, nonce = headers.get("x-timestamp", ""), headers.get("x-nonce", "")
        if headers.get("x-app-key") != self._app_key:
            return "APP_UNKNOWN"
        body_digest = hashlib.sha256(request.body).hexdigest()
        lines = [request.method, request.path, timestamp, nonce, body_digest]
        digest = hmac.digest(self._secret, "\n".join(lines).encode(), hashlib.sha256)
        told = headers.get("x-signature", "").encode(errors="replace")
        if not nonce or not hmac.compare_digest(told, digest.hex().encode()):
            return "SIGNATURE_WRONG"
        now = time.time()
        if not timestamp.isdecimal() or abs(now - int(timestamp)) > _WINDOW_S:
            return "TIMESTAMP_EXPIRED"
        return None if self._is_new(nonce, now) else "NONCE_USED"

    def _is_new(self, nonce: str, now: float) -> bool:
        while self._order and (
            self._order[0][0] < now - 2 * _WINDOW_S or len(self._order) >= _MOST_NONCES
        ):
            self._seen.discard(self._order.popleft()[1])
        if nonce in self._seen:
            return False
        self._seen.add(nonce)
        self._order.append((now, nonce))
        return True
