"""One clerk at one counter: calls, serves, pauses, and yields to a human who works there."""

import asyncio
from collections import deque
from collections.abc import Sequence

from integrations.sandbox.crowd import habits, serving
from integrations.sandbox.crowd.serving import At, Ticket

_IDLE_S = 30.0
_IDLE_LEAST_REAL_S = 4.0
_STANDS_BACK_S = 15 * 60
_TRIES_AGAIN_S = 2 * 60
# Less than any lunch break, and than the hour after which a day ends for everybody.
_STAYS_ON_S = 40 * 60


class Clerk:
    """Works at a counter until sent home."""

    def __init__(self, at: At, lines: Sequence[str]) -> None:
        self.counter = at.counter
        self.lines = frozenset(lines)
        self.idle = False
        self._at = at
        self._city = at.city
        self._tempo = at.city.tempo
        self._dice = at.dice
        self._on_duty = True
        # After closing time, where people still wait.
        self._stays_until = 0.0
        self._closed = False
        self._first_visit = True
        self._first_call = True
        # Who will come back with what was missing, and when.
        self._parked: deque[tuple[float, Ticket]] = deque()
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Say that somebody has joined one of this clerk's lines."""
        self.idle = False
        self._nudged.set()

    def send_home(self) -> None:
        """Let the clerk finish whoever is at the counter, and close it."""
        self._on_duty = False
        self.nudge()

    def finish_room(self) -> None:
        """The hall has closed: let the clerk call whoever still waits, for a while, and go."""
        self._stays_until = self._tempo.business_s() + _STAYS_ON_S
        self.send_home()

    async def open(self, *, take_over: bool) -> bool:
        """Sign in and open the counter; `take_over` also from a colleague of an earlier crowd."""
        return (await self._at.do("open", {"take_over": take_over})).ok

    async def work(self) -> None:
        """Call and serve until sent home; then close the counter."""
        while self._on_duty or self._tempo.business_s() < self._stays_until:
            if await self._resumes():
                continue
            answer = await self._at.do("call-next")
            if answer.ok:
                self._city.figures.called += 1
                await self._meet(answer.body)
            elif answer.code == "nobody_waiting":
                if not self._on_duty:
                    break
                await self._wait_for_somebody()
            elif answer.code == "staffed_by_another":
                self._leave()
            elif answer.code == "wrong_state":
                await self._find_out()
            else:
                self._city.figures.errors += 1
                await self._tempo.sleep(60, least=5)
            self._first_call = False
        if self._closed:
            return
        while self._parked and await self._resumes(at_once=True):
            pass
        await self._at.do("close")

    async def _meet(self, ticket: Ticket) -> None:
        """Wait for the person called and serve her, if she comes."""
        at, rates = self._at, self._city.plan.rates
        settled = not self._first_visit and not self._parked
        if settled and at.happens(rates.closes_early):
            await self._close_early()
            return
        if not await serving.comes(at, ticket):
            return
        started = await at.do("start")
        if not started.ok or started.body["id"] != ticket["id"]:
            return  # she cancelled on her way, or a human works at this counter
        seconds = serving.service_s(at, ticket)
        if self._first_visit:
            # The demo begins in the middle of a day: this visit began before we looked.
            seconds *= self._dice.random()
            self._first_visit = False
        if await serving.serve(at, ticket, seconds):
            due = self._tempo.business_s() + self._dice.uniform(2, 8) * 60
            self._parked.append((due, ticket))
        if self._on_duty:
            await self._between_visits()

    async def _resumes(self, *, at_once: bool = False) -> bool:
        """Go on with whoever is back from copying a paper; whether there was somebody."""
        if not self._parked or (not at_once and self._parked[0][0] > self._tempo.business_s()):
            return False
        _, ticket = self._parked.popleft()
        answer = await self._at.do("resume", {"number": ticket["number"]})
        if answer.code == "wrong_state":
            # A human works here, or the counter is paused: later.
            self._parked.append((self._tempo.business_s() + _TRIES_AGAIN_S, ticket))
            return False
        if not answer.ok:
            return True  # she gave up, or somebody else has gone on with her
        self._city.figures.resumed += 1
        await self._tempo.sleep(serving.service_s(self._at, ticket) / 2)
        await serving.finish(self._at, ticket)
        return True

    async def _between_visits(self) -> None:
        at, rates = self._at, self._city.plan.rates
        if at.happens(rates.pauses):
            await self._pause()
        elif at.happens(rates.hands_over):
            await self._hand_over()

    async def _pause(self) -> None:
        if (await self._at.do("pause", {"reason": self._dice.choice(habits.PAUSE_REASONS)})).ok:
            self._city.figures.paused += 1
            await self._tempo.sleep(self._dice.uniform(2, 6) * 60)
            await self._open_again()

    async def _open_again(self) -> None:
        if not await self.open(take_over=False):
            self._leave()

    async def _hand_over(self) -> None:
        """A colleague takes the counter over: named, or whoever opens it next."""
        at = self._at
        colleague = at.hall.colleague()
        if colleague is None:
            return
        named = self._dice.random() < 0.5
        handed = await at.do("hand-over", {"to": colleague} if named else {})
        if not handed.ok:
            return
        self._city.figures.handed_over += 1
        at.session = self._city.staff(colleague)
        if not named:
            await self._tempo.sleep(self._dice.uniform(20, 90))
            await self._open_again()

    async def _close_early(self) -> None:
        """Somebody has just been called; she waits on in her place, and is called elsewhere."""
        await self._tempo.sleep(self._dice.uniform(2, 10))
        if (await self._at.do("close")).ok:
            self._city.figures.closed_early += 1
            self._leave()

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

    def _leave(self) -> None:
        """Go, and leave the counter as it is: closed, or to whoever works there now."""
        self._on_duty, self._stays_until, self._closed = False, 0.0, True

    async def _stand_back(self) -> None:
        """Leave the counter alone for a while, and for good while somebody works at it."""
        before = await self._at.hall.number_at(self.counter)
        await self._tempo.sleep(_STANDS_BACK_S, least=20)
        if self._on_duty and await self._at.hall.number_at(self.counter) == before:
            await self._put_right()

    async def _put_right(self) -> None:
        if not (await self._at.do("finish", {"outcome": "done"})).ok:
            if (await self._at.do("start")).ok:
                return
            await self._at.do("open")
            await self._tempo.sleep(10, least=1)
