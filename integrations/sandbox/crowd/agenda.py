"""What is to be done later: by people who wait, at the help desk, by managers."""

import heapq
from collections.abc import Awaitable, Callable
from itertools import count

from integrations.sandbox.crowd.pace import Tempo

Act = Callable[[], Awaitable[None]]

_LOOK_EVERY_S = 2.0
_LOOK_LEAST_REAL_S = 0.2


class Agenda:
    """One list for the whole city, so that ten thousand plans need no ten thousand tasks."""

    def __init__(self, tempo: Tempo) -> None:
        self._tempo = tempo
        self._serials = count()
        self._acts: list[tuple[float, int, Act]] = []

    def put(self, after_s: float, act: Act) -> None:
        """Do this after so many business seconds."""
        due = self._tempo.business_s() + after_s
        heapq.heappush(self._acts, (due, next(self._serials), act))

    async def keep_forever(self) -> None:
        """Do what is due, one after the other; several may keep one agenda."""
        while True:
            while self._acts and self._acts[0][0] <= self._tempo.business_s():
                _, _, act = heapq.heappop(self._acts)
                await act()
            await self._tempo.sleep(_LOOK_EVERY_S, least=_LOOK_LEAST_REAL_S)
