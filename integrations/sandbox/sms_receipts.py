"""Delivery receipts of text messages, brought as each vendor writes them.

Whoever is to hear of them is told by `PUT /_sandbox/sms/receipts`; `unreachable` are the phones
that messages do not arrive at. What is not thanked for is brought three times more. Written from
the vendors' documents, not from our readers.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec
from sanic import HTTPResponse, Request, empty

from integrations.sandbox.endpoints import App
from integrations.sandbox.replies import read
from integrations.sandbox.settings import SandboxSettings

_PATIENCE_S: Final = 5.0
_TRIES: Final = 4
_PAUSE_S: Final = 1.0
_MOST_AT_ONCE: Final = 32
# Vendors wait a moment for the carrier.
_CARRIER_S: Final = 0.05


class _Where(msgspec.Struct, forbid_unknown_fields=True):
    gateway: str | None = None
    aliyun: str | None = None
    tencent: str | None = None
    unreachable: list[str] = []


_where = msgspec.json.Decoder(_Where)


class SmsReceipts:
    """What becomes of the messages of all three accounts."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._to = _Where()
        self._http: httpx.AsyncClient | None = None
        self._gate = asyncio.Semaphore(_MOST_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()

    def open(self, app: App) -> None:
        """Put on the app where one says who is to hear."""
        app.add_route(self.direct, "/_sandbox/sms/receipts", methods=["PUT"], name="sms_receipts")
        app.before_server_stop(self._close)

    async def direct(self, request: Request) -> HTTPResponse:
        """From now on tell at these addresses."""
        asked = read(_where, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        self._to = asked
        return empty()

    def tell(self, vendor: str, number: str, phone: str, out_id: str = "") -> None:
        """Bring the receipt of a message in the background; `out_id` is the sender's own number."""
        url = getattr(self._to, vendor)
        if url is None:
            return
        arrived = phone not in self._to.unreachable
        said = _WRITTEN[vendor](number, phone, arrived, out_id)
        task = asyncio.create_task(self._bring(url, vendor, msgspec.json.encode(said)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _bring(self, url: str, vendor: str, body: bytes) -> None:
        await asyncio.sleep(_CARRIER_S)
        for _ in range(_TRIES):
            async with self._gate:
                if await self._is_thanked(url, vendor, body):
                    return
            await asyncio.sleep(_PAUSE_S)

    async def _is_thanked(self, url: str, vendor: str, body: bytes) -> bool:
        headers = self._signed(url, body) if vendor == "gateway" else {}
        if self._http is None:
            self._http = httpx.AsyncClient(timeout=_PATIENCE_S, trust_env=False)
        try:
            reply = await self._http.post(
                url, content=body, headers={"Content-Type": "application/json"} | headers
            )
            said = reply.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return False
        thanked = {"aliyun": ("code", 0), "tencent": ("result", 0)}.get(vendor)
        return reply.status_code == httpx.codes.OK and (
            thanked is None or said.get(thanked[0]) == thanked[1]
        )

    def _signed(self, url: str, body: bytes) -> dict[str, str]:
        stamp, nonce = str(int(time.time())), secrets.token_hex(8)
        digest = hashlib.sha256(body).hexdigest()
        text = "\n".join(("POST", urlsplit(url).path, stamp, nonce, digest))
        key = self._settings.sms_secret.encode()
        return {
            "X-App-Key": self._settings.sms_app_key,
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
        }

    async def _close(self, _: App) -> None:
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()


def _as_gateway(number: str, phone: str, arrived: bool, out_id: str) -> object:
    del phone, out_id
    status = {"status": "delivered"} if arrived else {"status": "failed", "code": "PHONE_OFF"}
    return {"receipts": [{"message_id": number, **status}]}


def _as_aliyun(number: str, phone: str, arrived: bool, out_id: str) -> object:
    at = time.strftime("%Y-%m-%d %H:%M:%S")
    code = "DELIVERED" if arrived else "MK:0001"
    return [
        {
            "phone_number": phone,
            "send_time": at,
            "report_time": at,
            "success": arrived,
            "err_code": code,
            "err_msg": "用户接收成功" if arrived else "用户停机",
            "sms_size": "1",
            "biz_id": number,
            "out_id": out_id,
        }
    ]


def _as_tencent(number: str, phone: str, arrived: bool, out_id: str) -> object:
    del out_id
    return [
        {
            "user_receive_time": time.strftime("%Y-%m-%d %H:%M:%S"),
            "nationcode": "86",
            "mobile": phone,
            "report_status": "SUCCESS" if arrived else "FAIL",
            "errmsg": "DELIVRD" if arrived else "UNDELIV",
            "description": "用户短信送达成功" if arrived else "用户停机",
            "sid": number,
        }
    ]


_WRITTEN: Final = {"gateway": _as_gateway, "aliyun": _as_aliyun, "tencent": _as_tencent}
