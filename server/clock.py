"""The one business clock. Security time (tokens, signatures, rate limits) is always real time."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


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


def microseconds() -> int:
    """Real time in whole microseconds since 1970: the source of every rising version.

    It stays below 2^53, so JavaScript reads it exactly.
    """
    return time.time_ns() // 1000
