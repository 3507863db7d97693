"""The one business clock. Security time (tokens, signatures, rate limits) is always real time."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from scheduler.calendar import SHANGHAI


@dataclass(frozen=True, slots=True)
class Clock:
    """Business time = `start` plus the real seconds since `anchor`, times `speed`.

    `start` None means real time. `anchor` is a Unix time, so every process of one city agrees.
    """

    start: datetime | None = None
    anchor: float = 0.0
    speed: float = 1.0

    def now(self) -> datetime:
        """The business time, aware, in UTC."""
        if self.start is None:
            return datetime.now(UTC)
        return self.start.astimezone(UTC) + timedelta(
            seconds=(time.time() - self.anchor) * self.speed
        )

    def second(self) -> datetime:
        """The business time as people read it: local, whole seconds.

        One object all through a second, so whoever is asked ten thousand times a second whether it
        is still the same one is told so at once.
        """
        if self.start is None:
            return _second(int(time.time()))
        return _second(int(self.start.timestamp() + (time.time() - self.anchor) * self.speed))


@lru_cache(maxsize=64)
def _second(since_1970: int) -> datetime:
    return datetime.fromtimestamp(since_1970, SHANGHAI)


def microseconds() -> int:
    """Real time in whole microseconds since 1970: the source of every rising version.

    It stays below 2^53, so JavaScript reads it exactly.
    """
    return time.time_ns() // 1000
