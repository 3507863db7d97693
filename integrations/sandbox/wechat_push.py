"""WeChat's message push: brings events to the mini-program's backend, plain or sealed.

Whoever is to hear of them is told to the sandbox by `PUT /_sandbox/wechat/push`; `unreachable` are
the openids that no message arrives at. What is not answered with `success` is brought three times
more.
"""

import asyncio
import base64
import hashlib
import secrets
import time
from typing import Final, Literal
from xml.sax.saxutils import escape

import httpx
import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from sanic import HTTPResponse, Request, empty

from integrations.sandbox.endpoints import App
from integrations.sandbox.replies import read
from integrations.sandbox.settings import SandboxSettings

_PATIENCE_S: Final = 5.0
_TRIES: Final = 4
_PAUSE_S: Final = 1.0
_MOST_AT_ONCE: Final = 32
# httpx looks at each idle connection with every request.
_MOST_IDLE: Final = 4
_LISTS: Final = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
    "subscribe_msg_sent_event": "SubscribeMsgSentEvent",
}


class _Where(msgspec.Struct, forbid_unknown_fields=True):
    url: str | None
    mode: Literal["plain", "aes"] = "aes"
    format: Literal["json", "xml"] = "json"
    unreachable: list[str] = []


_where = msgspec.json.Decoder(_Where)


class WeChatPush:
    """What one mini-program's backend is told."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._to = _Where(None)
        self._http: httpx.AsyncClient | None = None
        self._gate = asyncio.Semaphore(_MOST_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()

    def open(self, app: App) -> None:
        """Put on the app where one says who is to hear."""
        app.add_route(self.direct, "/_sandbox/wechat/push", methods=["PUT"], name="wechat_push")
        app.before_server_stop(self._close)

    async def direct(self, request: Request) -> HTTPResponse:
        """From now on push to this address, or to none."""
        asked = read(_where, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        self._to = asked
        return empty()

    def reaches(self, openid: str) -> bool:
        """Whether messages arrive at this person's phone."""
        return openid not in self._to.unreachable

    def tell(self, event: str, openid: str, entries: list[dict[str, str]]) -> None:
        """Push an event in the background."""
        if self._to.url is None:
            return
        task = asyncio.create_task(self._bring(self._to, event, openid, entries))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _bring(
        self, to: _Where, event: str, openid: str, entries: list[dict[str, str]]
    ) -> None:
        told = self._written(to, event, openid, entries)
        for _ in range(_TRIES):
            async with self._gate:
                if await self._is_thanked(to, told):
                    return
            await asyncio.sleep(_PAUSE_S)

    async def _is_thanked(self, to: _Where, told: str) -> bool:
        assert to.url is not None
        query, body = self._signed(to, told)
        try:
            reply = await self._client().post(to.url, params=query, content=body.encode())
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return reply.status_code == httpx.codes.OK and reply.content in {b"success", b""}

    def _written(self, to: _Where, event: str, openid: str, entries: list[dict[str, str]]) -> str:
        head: dict[str, object] = {
            "ToUserName": "gh_0123456789ab",
            "FromUserName": openid,
            "CreateTime": time.time_ns() // 10**9,
            "MsgType": "event",
            "Event": event,
        }
        if to.format == "json":
            return msgspec.json.encode(head | {"List": entries}).decode()
        lists = "".join(f"<List>{_elements(entry)}</List>" for entry in entries)
        return f"<xml>{_elements(head)}<{_LISTS[event]}>{lists}</{_LISTS[event]}></xml>"

    def _signed(self, to: _Where, told: str) -> tuple[dict[str, str], str]:
        token = self._settings.wechat_push_token
        stamp, nonce = str(int(time.time())), secrets.token_hex(8)
        query = {
            "signature": _sha1(token, stamp, nonce),
            "timestamp": stamp,
            "nonce": nonce,
        }
        if to.mode == "plain":
            return query, told
        sealed = self._sealed(told)
        query |= {
            "encrypt_type": "aes",
            "msg_signature": _sha1(token, stamp, nonce, sealed),
        }
        body = {"ToUserName": "gh_0123456789ab", "Encrypt": sealed}
        if to.format == "json":
            return query, msgspec.json.encode(body).decode()
        return query, f"<xml>{_elements(body)}</xml>"

    def _sealed(self, told: str) -> str:
        key = base64.b64decode(self._settings.wechat_push_aes_key + "=")
        text = told.encode()
        plain = secrets.token_bytes(16) + len(text).to_bytes(4, "big") + text
        plain += self._settings.wechat_app_id.encode()
        short = 32 - len(plain) % 32
        encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
        sealed = encryptor.update(plain + bytes([short]) * short) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            limits = httpx.Limits(max_keepalive_connections=_MOST_IDLE)
            self._http = httpx.AsyncClient(timeout=_PATIENCE_S, trust_env=False, limits=limits)
        return self._http

    async def _close(self, _: App) -> None:
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()


def _elements(fields: dict[str, object] | dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in fields.items())


def _sha1(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()
