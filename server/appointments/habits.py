"""What earlier days tell of bookings: who stays away, and how many come without booking."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from models import planning
from models.database import transaction
from scheduler.calendar import business_day
from scheduler.capacity import Came, Cell, NoShows
from server.appointments.planning import WalkIns
from server.halls.directory import HallEntry

# How far back it is looked who came and who stayed away, and how many came without booking.
LEARN_FROM: Final = timedelta(days=180)
WALK_INS_OF: Final = timedelta(days=56)


class Habits:
    """What is usual, as one process has learned it: once a day, as it is a look at months."""

    def __init__(self) -> None:
        self._no_shows: tuple[date, NoShows] | None = None
        self._walk_ins: dict[UUID, tuple[date, WalkIns]] = {}
        self._learning = asyncio.Lock()

    async def no_shows(self, now: datetime) -> NoShows:
        """The rates at which people did not come, where and when."""
        async with self._learning:
            today = business_day(now)
            if self._no_shows is None or self._no_shows[0] != today:
                self._no_shows = (today, await learn_no_shows(now))
            return self._no_shows[1]

    async def walk_ins(self, hall: HallEntry, now: datetime) -> WalkIns:
        """How many come without booking in a quarter of an hour, by line, weekday and quarter."""
        today = business_day(now)
        kept = self._walk_ins.get(hall.id)
        if kept is None or kept[0] != today:
            kept = self._walk_ins[hall.id] = (today, await learn_walk_ins(hall, today))
        return kept[1]


async def learn_no_shows(now: datetime) -> NoShows:
    """The rates at which people did not come, where and when."""
    async with transaction() as tx:
        found = await planning.came_since(tx, now - LEARN_FROM)
    return NoShows(
        {
            Cell(row["hall"], row["item"], row["weekday"], row["hour"]): Came(
                row["expected"], row["missed"]
            )
            for row in found
        }
    )


async def learn_walk_ins(hall: HallEntry, today: date) -> WalkIns:
    """How many come without booking in a quarter of an hour, by line, weekday and quarter."""
    async with transaction() as tx:
        found = await planning.walk_ins_since(tx, hall.id, today - WALK_INS_OF, today)
    return {
        (row["line_id"], row["weekday"], row["quarter"]): row["people"] / max(row["days"], 1)
        for row in found
    }
