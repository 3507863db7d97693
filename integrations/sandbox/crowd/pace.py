"""Time: the city's business clock as the API tells it, and how fast requests may follow another."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))


class Tempo:
    """The city's business clock, read off the API's answers and carried on between them."""

    def __init__(self, speed: float, real: Callable[[], float] = time.monotonic) -> None:
        self.speed = speed
        self._real = real
        self._as_of = datetime.now(CHINA)
        self._read_at = real()

    def read(self, as_of: str) -> None:
        """Take over the business time that an answer states."""
        self._as_of = datetime.fromisoformat(as_of)
        self._read_at = self._real()

    def now(self) -> datetime:
        """The business time."""
        return self._as_of + timedelta(seconds=(self._real() - self._read_at) * self.speed)

    def hour(self) -> float:
        """The hour of the business day, 9.5 being half past nine."""
        now = self.now().astimezone(CHINA)
        return now.hour + now.minute / 60 + now.second / 3600

    def business_s(self) -> float:
        """Business seconds that passed in this process; it never jumps."""
        return self._real() * self.speed

    def real_s(self, business_s: float, *, least: float = 0.0) -> float:
        """How long that takes in real seconds."""
        return max(business_s / self.speed, least)

    async def sleep(self, business_s: float, *, least: float = 0.0) -> None:
        """Sleep for business seconds, and at least for so many real ones."""
        await asyncio.sleep(self.real_s(business_s, least=least))


class Gate:
    """Lets requests pass one after another: slowly for a while, then faster."""

    def __init__(
        self,
        *,
        first_per_s: float,
        first_for_s: float,
        per_s: float,
        real: Callable[[], float] = time.monotonic,
    ) -> None:
        self._real = real
        self._first_gap = 1 / first_per_s
        self._gap = 1 / per_s
        self._first_until = real() + first_for_s
        self._next = real()

    @property
    def behind_s(self) -> float:
        """How long a request would wait now."""
        return max(0.0, self._next - self._real())

    def take(self) -> float:
        """Take the next place; answers how long to wait for it."""
        wait = self.behind_s
        at = self._real() + wait
        self._next = at + (self._first_gap if at < self._first_until else self._gap)
        return wait

    async def passing(self) -> None:
        """Wait for one's place."""
        await asyncio.sleep(self.take())
