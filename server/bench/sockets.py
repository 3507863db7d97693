"""From a commit to a thousand sockets: how long until each has been told."""

import asyncio
import base64
import secrets
import struct
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from server.bench.bench import Bench, BenchFailed, Figure, measurement, percentile
from server.bench.city import (
    Wish,
    admin,
    citizens,
    hall_codes,
    items_by_line,
    open_counters,
    settled,
)
from server.bench.client import request, send
from server.bench.following import Following

SOCKETS = 1_000
# A whole city follows one hall: what a page must still bear.
MANY_SOCKETS = 10_000
ACTIONS = 60
FEWER_ACTIONS = 20
BAR_S = 1.0
NEVER_S = 3600.0
PAUSE_S = (0.05, 0.4)
_CONNECTING_AT_ONCE = 50


class Socket(asyncio.Protocol):
    """A WebSocket that watches topics and hands on each whole message."""

    def __init__(self, topics: Sequence[str], hear: Callable[[bytes], None]) -> None:
        self._watch = [b'{"op":"watch","topic":"%s"}' % topic.encode() for topic in topics]
        self._hear = hear
        self._buffer = bytearray()
        self._transport: Any = None
        self._open = False
        self.watching: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands."""
        self._transport = transport
        key = base64.b64encode(secrets.token_bytes(16))
        self._transport.write(
            b"GET /api/v1/live HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: %s\r\n\r\n" % key
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for what it would have heard."""
        if not self.watching.done():
            self.watching.set_exception(BenchFailed("the server closed a socket"))

    def data_received(self, data: bytes) -> None:
        """Take what came, and hand on the messages that are whole."""
        self._buffer += data
        if not self._open:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head[:20]:
                raise BenchFailed(f"no WebSocket: {head[:100]!r}")
            self._open, self._buffer = True, bytearray(rest)
            for watch in self._watch:
                self._send(1, watch)
        while (length := self._frame()) is not None:
            del self._buffer[:length]

    def _frame(self) -> int | None:
        """Handle the first frame in the buffer; its length, or None when it is not whole yet."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        start, size = 2, buffer[1] & 127
        if size >= 126:
            width = 2 if size == 126 else 8
            start += width
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return None
        payload = bytes(buffer[start : start + size])
        if buffer[0] & 15 == 9:
            self._send(10, payload)
        elif buffer[0] & 15 == 1:
            if not self.watching.done():
                self.watching.set_result(None)
            self._hear(payload)
        return start + size

    def _send(self, opcode: int, payload: bytes) -> None:
        # Clients must mask; a mask of zeros leaves the bytes as they are.
        head = struct.pack("!BB4x", 128 | opcode, 128 | len(payload))
        self._transport.write(head + payload)

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()


@measurement("live")
async def live(bench: Bench) -> list[Figure]:
    """Takes and calls in one hall at uneven pauses, and when each socket was told of each."""
    return await _told(bench, "live: commit to socket, p99", SOCKETS, ACTIONS)


@measurement("live_10000")
async def live_of_ten_thousand(bench: Bench) -> list[Figure]:
    """The same with ten thousand who follow one hall."""
    what = "live: commit to one of 10,000 sockets, p99"
    return await _told(bench, what, MANY_SOCKETS, FEWER_ACTIONS)


async def _told(bench: Bench, what: str, many: int, actions: int) -> list[Figure]:
    halls = await hall_codes(bench)
    lines = await items_by_line(bench, halls)
    hall = halls[1]
    token = await admin(bench)
    counters = [
        path
        for path, skills in (await open_counters(bench, token, [hall])).items()
        if any(skill in lines for skill in skills)
    ]
    items = [code for codes in lines.values() for code in codes]
    people = await citizens(bench, 3 * actions)
    first, rest = people[: 2 * actions], people[2 * actions :]
    for nth, person in enumerate(first):
        await send(bench.api, Wish(person, hall, items[nth % len(items)]).request())
    await settled()
    bench.say(f"{many} sockets connect")
    following = Following()
    sockets = await _connect(bench, f"hall:{hall}", following.hear, many)
    try:
        following.begin()
        for nth in range(actions):
            bench.say(f"action {nth + 1} of {actions}")
            if nth % 2:
                wish = Wish(rest[nth], hall, items[nth % len(items)])
                await send(bench.api, wish.request())
                following.took(time.perf_counter())
            else:
                counter = counters[nth // 2 % len(counters)]
                if nth // 2 >= len(counters):
                    for verb in ("start", "finish"):
                        path = f"{counter}/{verb}"
                        await send(bench.api, request("POST", path, token=token, body={}))
                called = await send(bench.api, request("POST", f"{counter}/call-next", token=token))
                following.called(called["number"], time.perf_counter())
            low, high = PAUSE_S
            await asyncio.sleep(low + (high - low) * (nth * 7 % 10) / 10)
        await settled(3)
    finally:
        for socket in sockets:
            socket.close()
    delays = following.delays(len(sockets))
    missing = many * actions - len(delays)
    p50, p99, slowest = (percentile(delays, part) for part in (50, 99, 100))
    return [
        Figure(
            what=what,
            value=NEVER_S if missing else p99,
            unit="seconds",
            bar=BAR_S,
            p50_s=p50,
            p99_s=p99,
            note=f"{actions} actions to {many} sockets; slowest {slowest * 1000:.0f} ms"
            + (f"; {missing} never told" if missing else ""),
        )
    ]


async def _connect(
    bench: Bench, topic: str, hear: Callable[[int, bytes], None], many: int
) -> list[Socket]:
    loop = asyncio.get_running_loop()
    sockets: list[Socket] = []
    while len(sockets) < many:
        batch: list[Socket] = []
        for _ in range(min(_CONNECTING_AT_ONCE, many - len(sockets))):
            number = len(sockets) + len(batch)
            _, socket = await loop.create_connection(
                partial(Socket, [topic], partial(hear, number)), *bench.api
            )
            batch.append(socket)
        await asyncio.wait_for(asyncio.gather(*(socket.watching for socket in batch)), 30)
        sockets += batch
    return sockets
