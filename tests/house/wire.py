"""Bytes on a socket, for requests that no proper client can be made to send."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answer:
    """What came back before the server closed, or nothing."""

    raw: bytes

    @property
    def status(self) -> int | None:
        return int(self.raw.split(b" ", 2)[1]) if self.raw.startswith(b"HTTP/1.1 ") else None

    @property
    def problem(self) -> dict[str, Any]:
        head, _, body = self.raw.partition(b"\r\n\r\n")
        assert b"application/problem+json" in head.lower()
        found: dict[str, Any] = json.loads(body)
        return found


async def send(url: str, data: bytes, *, wait_s: float = 3.0, end: bool = False) -> Answer:
    """Send bytes as they are and read until the server closes or is silent for long."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    received = bytearray()
    try:
        writer.write(data)
        if end:
            writer.write_eof()
        async with asyncio.timeout(wait_s):
            while piece := await reader.read(65_536):
                received += piece
                if _is_whole(received):
                    break
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return Answer(bytes(received))


def _is_whole(received: bytearray) -> bool:
    head, mark, body = received.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(mark) and len(body) >= int(line.partition(b":")[2])
    return False
