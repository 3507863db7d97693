"""What is foreseen of a hall's waits, and what the projector asks of whoever foresees them."""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from server.halls.directory import HallEntry
from server.live.rows import HallRows
from server.live.state import Leave, Wait


@dataclass(frozen=True, slots=True)
class HallWaits:
    """The waits in a hall at a moment: of who waits, and of who would join each line.

    `arrivals` are for getting there in 0, 15, 30, 60 and 90 minutes; a line of which too little is
    known has none. `leaves` are of those who said how they come. `again_in_s`: they are those of a
    while ago, and may be asked for anew then.
    """

    tickets: Mapping[UUID, Wait] = field(default_factory=dict)
    arrivals: Mapping[str, tuple[Wait, ...]] = field(default_factory=dict)
    leaves: Mapping[UUID, Leave] = field(default_factory=dict)
    again_in_s: float | None = None


NOTHING_FORESEEN: Final = HallWaits()


class Foreseeing(Protocol):
    """Says how long people will wait, hall by hall."""

    def recall(self, codes: Collection[str], /) -> Awaitable[None]:
        """Find again what was known of halls that are new here."""

    def look(self, hall: HallEntry, found: HallRows, now: datetime) -> HallWaits:
        """Take in what has happened in a hall, and say how long its people wait."""

    def forget(self, code: str) -> None:
        """Forget a hall that another worker has now."""
