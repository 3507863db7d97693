"""Somebody on a real socket who hears callbacks, reads them with a channel and answers them."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sanic import HTTPResponse, Request, Sanic, raw

from integrations.ports_payment import CallbackReply, ChannelNews, NotGenuine, PaymentChannel


@dataclass
class Ears:
    """What was heard: news in the order in which they came, and why others were turned away.

    While `busy`, genuine news are not taken, as when the database is away.
    """

    url: str
    channel: PaymentChannel | None = None
    busy: bool = False
    news: list[ChannelNews] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    messages: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    def forget(self) -> None:
        """Begin anew, for another test."""
        self.busy = False
        self.news.clear()
        self.faults.clear()
        self.messages.clear()

    async def hear(self, request: Request) -> HTTPResponse:
        async with self.heard:
            self.heard.notify_all()
            return self._answer(request)

    def _answer(self, request: Request) -> HTTPResponse:
        assert self.channel is not None
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.messages.append((headers, request.body))
        try:
            news = self.channel.read_callback(request.headers, request.body)
        except NotGenuine as fault:
            self.faults.append(fault.reason)
            return _said(self.channel.refusal(fault))
        if self.busy:
            return _said(self.channel.not_now())
        self.news.append(news)
        return _said(self.channel.thanks())

    async def until(self, *, news: int = 0, faults: int = 0) -> None:
        """Wait until so much was heard in all."""
        async with asyncio.timeout(60), self.heard:
            await self.heard.wait_for(lambda: len(self.news) >= news and len(self.faults) >= faults)


def _said(reply: CallbackReply) -> HTTPResponse:
    return raw(reply.body, status=reply.status, content_type=reply.content_type)


@asynccontextmanager
async def listening() -> AsyncIterator[Ears]:
    """Listen at an address of one's own."""
    app: Sanic[Any, Any] = Sanic(f"ears-{secrets.token_hex(4)}", configure_logging=False)
    app.config.ACCESS_LOG = False
    app.config.TOUCHUP = False  # Sanic rewrites its own classes at start, once in a process
    sock = socket.create_server(("127.0.0.1", 0))
    ears = Ears(f"http://127.0.0.1:{sock.getsockname()[1]}/heard")
    app.add_route(ears.hear, "/heard", methods=["POST"], name="heard")
    server: Any = await app.create_server(sock=sock, return_asyncio_server=True)
    await server.startup()
    await server.before_start()
    await server.after_start()
    yield ears
    await server.before_stop()
    await server.close()
    await server.after_stop()
    Sanic.unregister_app(app)
