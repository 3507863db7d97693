"""A server worse than the sandbox can play: it sends what it is told to, then hangs up."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def a_server_that_answers(raw: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a server that sends these bytes to whoever asks; gives its URL and what it heard."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        heard.append(head + await reader.readexactly(int(length[1]) if length else 0))
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


def ok(body: bytes) -> bytes:
    """An HTTP answer with this body."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
