"""Waits as a test wants them foretold in one hall, in the API's own worker."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from uuid import UUID

from models.tickets import TicketState
from scheduler.wait.city import Range
from server.halls.directory import HallEntry
from server.live.departing import leaves_of
from server.live.foreseen import NOTHING_FORESEEN, Foreseeing, HallWaits
from server.live.memory import Change
from server.live.rows import HallRows
from server.live.state import Leave, Wait
from tests.conftest import Api, until

LATER = 5


class _Foretold:
    """Says of one hall what the test says, of others what is really foreseen."""

    def __init__(self, really: Foreseeing, hall: str, say: Callable[[HallRows], HallWaits]) -> None:
        self._really, self._hall, self._say = really, hall, say
        self.said = NOTHING_FORESEEN

    async def recall(self, codes: Collection[str]) -> None:
        await self._really.recall(codes)

    def look(self, hall: HallEntry, found: HallRows, now: datetime) -> HallWaits:
        if hall.code == self._hall:
            self.said = self._say(found)
            return self.said
        return self._really.look(hall, found, now)

    def forget(self, code: str) -> None:
        self._really.forget(code)


@contextmanager
def foretold(
    api: Api, hall: str, say: Callable[[HallRows], HallWaits]
) -> Iterator[Callable[[str], HallWaits]]:
    """While it lasts, this is foreseen in the hall at each look; gives what was said there last."""
    really = api.projector._foresight
    assert really is not None
    ours = _Foretold(really, hall, say)
    api.projector._foresight = ours
    try:
        yield lambda code: ours.said if code == hall else NOTHING_FORESEEN
    finally:
        api.projector._foresight = really


@asynccontextmanager
async def nothing_foretold(api: Api, hall: str) -> AsyncIterator[None]:
    """While it lasts nothing is foreseen in the hall, whatever other tests have shown there."""
    memory = api.services.feed.memory
    with foretold(api, hall, lambda _: NOTHING_FORESEEN):
        await api.services.feed.changed(Change(hall))
        await until(lambda: not any(line.wait for line in memory.halls[hall].board.lines))
        yield


def everybody_waits(
    api: Api, p10_s: int, p50_s: int, p90_s: int
) -> Callable[[HallRows], HallWaits]:
    """Who waits waits so long from now on, whenever that is asked."""
    before: dict[UUID, Leave] = {}

    def say(found: HallRows) -> HallWaits:
        range_ = Range(p10_s / 60, p50_s / 60, p90_s / 60)
        waiting = [row.id for row in found.tickets.values() if row.state is TicketState.WAITING]
        now = api.services.clock.now()
        leaves = leaves_of(found.tickets, dict.fromkeys(waiting, range_), {}, before, now)
        before.update(leaves)
        return HallWaits(dict.fromkeys(waiting, Wait(p10_s, p50_s, p90_s)), {}, leaves)

    return say


def whoever_joins(line: str, p10_s: int, p50_s: int, p90_s: int) -> HallWaits:
    """Of nobody who waits anything is known; whoever joins the line waits so long, then as now."""
    return HallWaits({}, {line: (Wait(p10_s, p50_s, p90_s),) * LATER})
