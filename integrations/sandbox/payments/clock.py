"""The city's clock, by which payments are dated; signatures are dated by real time."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

BEIJING: Final = timezone(timedelta(hours=8))


@dataclass(slots=True)
class CityClock:
    """Real time until it is set; then it runs from `start`, `speed` seconds a second."""

    start: float | None = None
    anchor: float = field(default_factory=time.time)
    speed: float = 1.0

    def now(self) -> float:
        """Return the city's time, in Unix seconds."""
        if self.start is None:
            return time.time()
        return self.start + (time.time() - self.anchor) * self.speed

    def set(self, start: datetime, anchor: float | None, speed: float) -> None:
        """Make it `start` at the moment `anchor` of real time, by default now."""
        self.start = start.timestamp()
        self.anchor = time.time() if anchor is None else anchor
        self.speed = speed


def beijing(moment: float) -> datetime:
    """Return a moment, in Unix seconds, as Beijing's clocks show it."""
    return datetime.fromtimestamp(moment, UTC).astimezone(BEIJING)
