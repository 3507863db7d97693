"""One clerk at one counter: calls, serves, pauses, and yields to a human who works there."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, Protocol

from integrations.sandbox.crowd import habits
from integrations.sandbox.crowd.citizens import Citizens
from integrations.sandbox.crowd.door import Answer, Session
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.pace import Tempo

_IDLE_S = 30.0
_IDLE_LEAST_REAL_S = 4.0
_STANDS_BACK_S = 15 * 60
_UNKNOWN_ITEM_MINUTES = 10
_BOARD_FOLLOWS_REAL_S = 3.0


class Hall(Protocol):
    """What a clerk sees of the hall."""

    code: str
    minutes: dict[str, int]

    async def number_at(self, counter: str) -> str | None:
        """Look at the board: the number at this counter."""
        ...


class Clerk:
    """Works at a counter until sent home."""

    def __init__(
        self,
        hall: Hall,
        counter: str,
        lines: Sequence[str],
        *,
        session: Session,
        tempo: Tempo,
        citizens: Citizens,
        figures: Figures,
        dice: Random,
    ) -> None:
        self.counter = counter
        self.lines = frozenset(lines)
        self.idle = False
        self._hall = hall
        self._session = session
        self._tempo = tempo
        self._citizens = citizens
        self._figures = figures
        self._dice = dice
        self._on_duty = True
        self._first_visit = True
        self._first_call = True
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Say that somebody has joined one of this clerk's lines."""
        self.idle = False
        self._nudged.set()

    def send_home(self) -> None:
        """Let the clerk finish whoever is at the counter, and close it."""
        self._on_duty = False
        self.nudge()

    async def open(self) -> bool:
        """Sign in and open the counter."""
        return (await self._do("open")).ok

    async def work(self) -> None:
        """Call and serve until sent home; then close the counter."""
        while self._on_duty:
            answer = await self._do("call-next")
            if answer.ok:
                self._figures.called += 1
                await self._meet(answer.body)
            elif answer.code == "nobody_waiting":
                await self._wait_for_somebody()
            elif answer.code == "wrong_state":
                await self._find_out()
            else:
                self._figures.errors += 1
                await self._tempo.sleep(60, least=5)
            self._first_call = False
        await self._do("close")

    async def _meet(self, ticket: dict[str, Any]) -> None:
        """Wait for the person called, serve her or mark her as missed."""
        comes = self._dice.random() < habits.COMES_WHEN_CALLED
        await self._tempo.sleep(habits.walk_to_counter_s(self._dice))
        if not comes:
            if (await self._do("miss")).ok:
                self._figures.missed += 1
                self._citizens.goes_home(ticket["id"])
            return
        minutes = self._hall.minutes.get(ticket["item"], _UNKNOWN_ITEM_MINUTES)
        service_s = habits.service_s(self._dice, minutes)
        if self._first_visit:
            # The demo begins in the middle of a day: this visit began before we looked.
            service_s *= self._dice.random()
            self._first_visit = False
        started = await self._do("start")
        if not started.ok or started.body["id"] != ticket["id"]:
            return  # she cancelled on her way, or a human works at this counter
        await self._tempo.sleep(service_s)
        if self._tempo.real_s(service_s) > _BOARD_FOLLOWS_REAL_S:
            shown = await self._hall.number_at(self.counter)
            if shown not in (None, ticket["number"]):
                # A human has finished this visit and called somebody else.
                self._citizens.goes_home(ticket["id"])
                return
        if (await self._do("finish", {"outcome": "done"})).ok:
            self._figures.served += 1
            self._citizens.goes_home(ticket["id"])
        if self._on_duty and self._dice.random() < habits.PAUSES:
            await self._pause()

    async def _pause(self) -> None:
        if (await self._do("pause", {"reason": self._dice.choice(habits.PAUSE_REASONS)})).ok:
            await self._tempo.sleep(self._dice.uniform(2, 6) * 60)
            await self._do("open")

    async def _wait_for_somebody(self) -> None:
        self._nudged.clear()
        self.idle = self._on_duty
        wait = self._tempo.real_s(_IDLE_S, least=_IDLE_LEAST_REAL_S) * self._dice.uniform(0.7, 1.3)
        try:
            if self.idle:
                await asyncio.wait_for(self._nudged.wait(), wait)
                await self._tempo.sleep(self._dice.uniform(2, 8))
        except TimeoutError:
            pass
        finally:
            self.idle = False

    async def _find_out(self) -> None:
        """The counter is not free: a human uses it, or an earlier crowd left somebody there."""
        if not self._first_call:
            await self._stand_back()
            return
        await self._tempo.sleep(self._dice.uniform(5, 120))
        await self._put_right()

    async def _stand_back(self) -> None:
        """Leave the counter alone for a while, and for good while somebody works at it."""
        before = await self._hall.number_at(self.counter)
        await self._tempo.sleep(_STANDS_BACK_S, least=20)
        if self._on_duty and await self._hall.number_at(self.counter) == before:
            await self._put_right()

    async def _put_right(self) -> None:
        if not (await self._do("finish", {"outcome": "done"})).ok:
            if (await self._do("start")).ok:
                return
            await self._do("open")
            await self._tempo.sleep(10, least=1)

    async def _do(self, what: str, body: dict[str, str] | None = None) -> Answer:
        path = f"/api/v1/halls/{self._hall.code}/counters/{self.counter}/{what}"
        return await self._session.ask("POST", path, body)
