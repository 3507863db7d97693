"""An HTTP client that costs little: prepared requests over raw connections."""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httptools

from server.bench.bench import Address, BenchFailed, Load, percentile

TIMEOUT_S = 60.0


def request(
    method: str, path: str, *, token: str | None = None, body: Any = None, key: str | None = None
) -> bytes:
    """A whole request as bytes; `key` is its Idempotency-Key."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if key:
        lines.append(f"Idempotency-Key: {key}")
    data = b"" if body is None else json.dumps(body).encode()
    if method != "GET":
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode() + data


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to the `index`-th request; `body` is empty where bodies were not kept."""

    index: int
    status: int
    took_s: float
    body: bytes

    def json(self) -> Any:
        """The body, decoded. Raises BenchFailed for a refusal."""
        if self.status >= 400:
            raise BenchFailed(f"the server answered {self.status}: {self.body.decode()[:300]}")
        return json.loads(self.body)

    def problem(self) -> str:
        """The code of a refusal; nothing where the body tells none."""
        try:
            return str(json.loads(self.body)["code"])
        except (ValueError, KeyError, TypeError):
            return ""


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers of one drive, as they came, and how long the whole of it took."""

    answers: list[Answer]
    seconds: float

    def load(self, status: int) -> Load:
        """The figures; any other status than this one counts as refused."""
        good = [answer.took_s for answer in self.answers if answer.status == status]
        refused = len(self.answers) - len(good)
        return Load(len(good), self.seconds, percentile(good, 50), percentile(good, 99), refused)


class _Connection(asyncio.Protocol):
    """Sends the next request when the last is answered, until there is none or time is over."""

    def __init__(
        self, source: Iterator[tuple[int, bytes]], answers: list[Answer], *, keep_bodies: bool
    ) -> None:
        self._source = source
        self._answers = answers
        self._keep = keep_bodies
        self._transport: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._index = 0
        self._sent_at = 0.0
        self._body: list[bytes] = []
        self._until = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(BenchFailed("the server closed a connection"))

    def start(self, until: float) -> None:
        """Send the first request, and more until that `time.perf_counter`."""
        self._until = until
        self._next()

    def _next(self) -> None:
        self._sent_at = time.perf_counter()
        following = next(self._source, None) if self._sent_at < self._until else None
        if following is None:
            if not self.done.done():
                self.done.set_result(None)
            self._transport.close()
            return
        self._index, data = following
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        if self._keep:
            self._body.append(part)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        took = time.perf_counter() - self._sent_at
        status = self._parser.get_status_code()
        self._answers.append(Answer(self._index, status, took, b"".join(self._body)))
        self._body.clear()
        self._parser = httptools.HttpResponseParser(self)
        self._next()


async def drive(
    address: Address,
    requests: Iterable[bytes],
    *,
    connections: int,
    seconds: float = TIMEOUT_S,
    keep_bodies: bool = False,
) -> Answers:
    """Send the requests over so many connections, for so long or until all are answered."""
    loop = asyncio.get_running_loop()
    answers: list[Answer] = []
    source = iter(enumerate(requests))
    opened = []
    for _ in range(connections):
        _, connection = await loop.create_connection(
            lambda: _Connection(source, answers, keep_bodies=keep_bodies), *address
        )
        opened.append(connection)
    began = time.perf_counter()
    for connection in opened:
        connection.start(began + seconds)
    await asyncio.wait_for(
        asyncio.gather(*(connection.done for connection in opened)), seconds + TIMEOUT_S
    )
    return Answers(answers, time.perf_counter() - began)


async def send_all(
    address: Address, requests: list[bytes], *, connections: int = 16
) -> list[Answer]:
    """All answers in the order of the requests. Raises BenchFailed when some stay unanswered."""
    connections = min(connections, max(1, len(requests)))
    done = await drive(address, requests, connections=connections, seconds=600, keep_bodies=True)
    if len(done.answers) != len(requests):
        raise BenchFailed(f"{len(requests) - len(done.answers)} requests were not answered")
    return sorted(done.answers, key=lambda answer: answer.index)


async def send(address: Address, data: bytes) -> Any:
    """One request's answer, decoded. Raises BenchFailed for a refusal."""
    return (await send_all(address, [data]))[0].json()
