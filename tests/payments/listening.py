"""Somebody whom channels call back: keeps what came, byte for byte, and answers as told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Came:
    """One callback as it came; header names are lower-case."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """Where it is, and what came so far."""

    url: str = ""
    answer: tuple[int, bytes] = (200, b"success")
    came: list[Came] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for(self, count: int, within_s: float = 20.0) -> list[Came]:
        """Return what came, once there are so many."""
        async with asyncio.timeout(within_s):
            while len(self.came) < count:
                self._more.clear()
                await self._more.wait()
        return self.came

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and hang up."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head) if k}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        status, content = self.answer
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
            % (status, len(content), content)
        )
        await writer.drain()
        writer.close()
        self.came.append(Came(headers, body))
        self._more.set()


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    listener.url = f"http://127.0.0.1:{port}/callback"
    async with server:
        yield listener
