"""Brings callbacks to whoever shall hear of them: late, often, at once, out of order."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import httpx

# How long a channel that wants thanks waits from try to try: the real ladders, hurried.
_LADDER_S: Final = (0.5, 0.5, 1, 2, 4, 8, 8, 15, 15, 15, 30, 30, 60, 60, 60)
_PATIENCE_S: Final = 10.0
# So many senders a channel has.
_MOST_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class Callback:
    """One signed message, ready to be sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How often and when: each of `times` at its own moment within `spread_s` after `delay_s`.

    With `until_thanked`, what is not thanked for is brought again, as a channel does.
    """

    times: int = 1
    delay_s: float = 0.0
    spread_s: float = 0.0
    until_thanked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of one try; `status` is None where nobody answered."""

    channel: str
    about: str
    event: str
    tamper: str | None
    at: float
    status: int | None
    thanked: bool
    body: str
    took_ms: float
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One callback to bring. `write` signs it anew for each try; `is_thanks` reads the answer.

    Where `write` has nothing to tell, nothing is brought.
    """

    channel: str
    about: str
    event: str
    tamper: str | None
    write: Callable[[], Awaitable[Callback | None]]
    is_thanks: Callable[[int, bytes], bool]


class Courier:
    """Runs errands in the background and keeps the last `most` deliveries."""

    def __init__(self, most: int) -> None:
        self._deliveries: deque[Delivery] = deque(maxlen=most)
        self._http: httpx.AsyncClient | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(_MOST_AT_ONCE)
        # Moments of delivery are dice; nothing of them is secret.
        self._dice = random.Random()  # noqa: S311

    @property
    def under_way(self) -> int:
        """How many deliveries are still to come."""
        return len(self._running)

    def send(self, errand: Errand, rounds: Rounds) -> None:
        """Bring it as often as told, each time in the background."""
        for _ in range(rounds.times):
            wait_s = rounds.delay_s + self._dice.uniform(0, rounds.spread_s)
            task = asyncio.create_task(self._bring(errand, wait_s, rounds.until_thanked))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def deliveries(self, about: str | None, limit: int) -> list[Delivery]:
        """Return the latest deliveries, oldest first, about one number or about all."""
        wanted = (d for d in reversed(self._deliveries) if about is None or d.about == about)
        return list(islice(wanted, limit))[::-1]

    async def close(self) -> None:
        """Drop what is still to come."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _bring(self, errand: Errand, wait_s: float, until_thanked: bool) -> None:
        await asyncio.sleep(wait_s)
        for pause_s in (*_LADDER_S, None):
            async with self._gate:
                delivery = await self._try(errand)
            if delivery is None:
                return
            self._deliveries.append(delivery)
            if delivery.thanked or not until_thanked or pause_s is None:
                return
            await asyncio.sleep(pause_s)

    async def _try(self, errand: Errand) -> Delivery | None:
        callback = await errand.write()
        if callback is None:
            return None
        began = time.perf_counter()
        status, body, fault = None, b"", None
        try:
            reply = await self._client().post(
                callback.url, content=callback.body, headers=dict(callback.headers)
            )
            status, body = reply.status_code, reply.content
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fault = type(error).__name__
        return Delivery(
            channel=errand.channel,
            about=errand.about,
            event=errand.event,
            tamper=errand.tamper,
            at=time.time(),
            status=status,
            thanked=status is not None and errand.is_thanks(status, body),
            body=body[:500].decode(errors="replace"),
            took_ms=round((time.perf_counter() - began) * 1000, 2),
            fault=fault,
        )

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            limits = httpx.Limits(max_connections=_MOST_AT_ONCE)
            self._http = httpx.AsyncClient(
                timeout=_PATIENCE_S, limits=limits, trust_env=False, follow_redirects=False
            )
        return self._http
