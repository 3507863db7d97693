"""When the demo city's clock starts: where it stopped, moved on to when the halls are open."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from scheduler.calendar import Timetable, is_open, next_open
from server.clock import Clock


def demo_clock(kept: Path, timetable: Timetable, *, given: datetime | None, speed: float) -> Clock:
    """The clock for a demo that starts now.

    `given` is taken as it is. Otherwise: real time, or where the last run stopped if that is later
    (business time must not run backwards), moved on to the next opening when the hall is closed.
    """
    if given is not None:
        return Clock(given, time.time(), speed)
    now = max(datetime.now(UTC), _stopped_at(kept) or datetime.min.replace(tzinfo=UTC))
    start = now if is_open(timetable, now) else next_open(timetable, now) or now
    return Clock(start, time.time(), speed)


def keep_clock(kept: Path, clock: Clock) -> None:
    """Write down where the clock is, for the next start."""
    assert clock.start is not None
    kept.write_text(
        json.dumps({"start": clock.start.isoformat(), "anchor": clock.anchor, "speed": clock.speed})
    )


def touch_clock(kept: Path) -> None:
    """Note that the clock still runs; the file's own time says until when it did."""
    os.utime(kept)


def _stopped_at(kept: Path) -> datetime | None:
    """Business time when the last run's clock was last noted to run."""
    try:
        was = json.loads(kept.read_text())
        start = datetime.fromisoformat(was["start"])
        ran_s = (kept.stat().st_mtime - was["anchor"]) * was["speed"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return datetime.fromtimestamp(start.timestamp() + max(ran_s, 0.0), UTC)
