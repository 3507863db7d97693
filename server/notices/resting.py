"""A platform that hangs keeps nobody who goes by another: after some silences it is left alone.

Each message to it would hold one of the courier's hands until the budget is over. While it rests,
one message at a time finds out whether it is back.
"""

import time
from collections.abc import Sequence
from typing import Final

from server.notices.choosing import Route

# So many without an answer in a row, and then so long (seconds) it is left alone.
SILENCES: Final = 5
REST_S: Final = 5.0


class Rests:
    """Which channels are left alone, as one courier has found."""

    def __init__(self) -> None:
        self._silences: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def answered(self, channel: str) -> None:
        """It is there, whatever it said."""
        self._silences.pop(channel, None)
        self._until.pop(channel, None)

    def silent(self, channel: str) -> None:
        """It said nothing of use."""
        many = self._silences.get(channel, 0) + 1
        self._silences[channel] = many
        if many >= SILENCES:
            self._until[channel] = time.monotonic() + REST_S

    def left_s(self, channel: str) -> float:
        """Seconds until it may be asked again; 0: now, and by this one alone for the next while."""
        until = self._until.get(channel)
        if until is None:
            return 0.0
        now = time.monotonic()
        if now < until:
            return until - now
        self._until[channel] = now + REST_S
        return 0.0

    def first_awake(self, ways: Sequence[Route]) -> Route:
        """The first way by a channel that does not rest; the first of all where all do."""
        awake = (way for way in ways if self._until.get(way.channel, 0.0) <= time.monotonic())
        return next(awake, ways[0])
