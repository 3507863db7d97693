"""Waits as a test wants them foretold in one hall, in the API's own worker."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from server.halls.directory import HallEntry
from server.live.foreseen import Foreseeing, HallWaits
from server.live.rows import HallRows
from server.live.state import Wait
from tests.conftest import Api

LATER = 5


class _Foretold:
    """Says of one hall what the test says, of others what is really foreseen."""

    def __init__(self, really: Foreseeing, hall: str, say: Callable[[HallRows], HallWaits]) -> None:
        self._really, self._hall, self._say = really, hall, say

    async def recall(self, codes: Collection[str]) -> None:
        await self._really.recall(codes)

    def look(self, hall: HallEntry, found: HallRows, now: datetime) -> HallWaits:
        if hall.code == self._hall:
            return self._say(found)
        return self._really.look(hall, found, now)

    def forget(self, code: str) -> None:
        self._really.forget(code)


@contextmanager
def foretold(api: Api, hall: str, say: Callable[[HallRows], HallWaits]) -> Iterator[None]:
    """While it lasts, this is foreseen in the hall at each look."""
    really = api.projector._foresight
    assert really is not None
    api.projector._foresight = _Foretold(really, hall, say)
    try:
        yield
    finally:
        api.projector._foresight = really


def whoever_joins(line: str, p10_s: int, p50_s: int, p90_s: int) -> HallWaits:
    """Of nobody who waits anything is known; whoever joins the line waits so long, then as now."""
    return HallWaits({}, {line: (Wait(p10_s, p50_s, p90_s),) * LATER})
