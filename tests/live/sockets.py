"""A socket in tests, what is said on it and heard."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.conftest import Api
from tests.people import Person

HANDSHAKE = (
    b"GET /api/v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@asynccontextmanager
async def a_socket(api: Api, **options: Any) -> AsyncIterator[ClientConnection]:
    url = api.url.replace("http", "ws") + "/api/v1/live"
    async with connect(url, proxy=None, **options) as socket:
        yield socket


async def say(socket: ClientConnection, **order: Any) -> None:
    await socket.send(json.dumps(order))


async def hear(socket: ClientConnection, within_s: float = 30.0) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), within_s))
    return message


async def hear_until(socket: ClientConnection, true: Any) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    while not heard or not true(heard[-1]):
        heard.append(await hear(socket))
    return heard


async def signed_in(socket: ClientConnection, who: Person) -> None:
    await say(socket, op="sign_in", token=who.token)
    await hear_until(socket, lambda said: said["type"] == "signed_in")
