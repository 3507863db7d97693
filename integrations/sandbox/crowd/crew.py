"""The clerks of one hall: who is on duty, and as many of them as its lines need."""

import asyncio
from itertools import count
from random import Random

import structlog

from integrations.sandbox.crowd import habits
from integrations.sandbox.crowd.city import City
from integrations.sandbox.crowd.clerks import Clerk
from integrations.sandbox.crowd.door import Session
from integrations.sandbox.crowd.serving import At, Hall

log = structlog.get_logger()


class Crew:
    """Everybody who may work at the counters of a hall."""

    def __init__(self, city: City, hall: Hall, first: str) -> None:
        """`first` is the counter whose clerk looks which counters there are."""
        self._city = city
        self._hall = hall
        self._first = first
        self._skills: dict[str, list[str]] = {}
        self._sessions: dict[str, Session] = {}
        self._clerks: dict[str, Clerk] = {}
        self._shifts: dict[str, asyncio.Task[None]] = {}
        self._brought = count()

    @property
    def on_duty(self) -> int:
        """How many work now."""
        return len(self._clerks)

    def serving(self, line: str) -> int:
        """How many clerks on duty serve this line."""
        return len(self.counters_of(line))

    def counters_of(self, line: str) -> list[str]:
        """The counters of ours that serve this line now."""
        return [code for code, clerk in self._clerks.items() if line in clerk.lines]

    def works_at(self, counter: str) -> bool:
        """Whether it is one of us who works at this counter."""
        return counter in self._clerks

    def somebody_free(self, dice: Random) -> str | None:
        """The user name of a clerk whose own counter is closed."""
        free = [
            code for code in self._skills if code not in self._shifts and self._hall.is_closed(code)
        ]
        return self._username(dice.choice(free)) if free else None

    def nudge(self, line: str, dice: Random) -> None:
        """Somebody has joined a line: wake one of those who are idle."""
        idle = [clerk for clerk in self._clerks.values() if clerk.idle and line in clerk.lines]
        if idle:
            dice.choice(idle).nudge()

    async def learn_skills(self) -> None:
        """Read which counters serve which lines, once."""
        if self._skills:
            return
        session = self.session(self._first)
        while not self._skills:
            answer = await session.ask("GET", f"/api/v1/halls/{self._hall.code}/counters")
            if answer.ok:
                skills = {one["code"]: one["skills"] for one in answer.body["data"]}
                order = habits.manning_order(skills)
                self._skills = {code: skills[code] for code in order}
            else:
                self._city.figures.errors += 1
                await asyncio.sleep(30)

    async def man(self, *, starting: bool) -> None:
        """Bring as many clerks to work as the lines need; let one go when there are too many."""
        wanted = habits.clerks_wanted(len(self._skills), self._hall.waiting)
        for counter in sorted(self._skills, key=self._hall.is_closed):
            closed = self._hall.is_closed(counter)
            # What an earlier crowd left open is closed by a clerk who first serves whoever is
            # there; once we run, a counter that is open without us is a human's.
            needed = starting if not closed else len(self._clerks) < wanted
            if needed and counter not in self._shifts and self._hall.opened.is_set():
                await self._bring(counter, self._skills[counter], take_over=starting)
        if len(self._clerks) > wanted + 1:
            self._clerks[next(reversed(self._clerks))].send_home()

    async def go_home(self) -> None:
        """The hall has closed: whoever still waits is served, then all go."""
        for clerk in self._clerks.values():
            clerk.finish_room()
        while self._shifts:
            await asyncio.wait(list(self._shifts.values()))

    def drop_everything(self) -> None:
        """End all work at once."""
        for shift in self._shifts.values():
            shift.cancel()

    def session(self, counter: str) -> Session:
        """The clerk whose counter this is, signed in once."""
        if counter not in self._sessions:
            self._sessions[counter] = self._city.staff(self._username(counter))
        return self._sessions[counter]

    async def _bring(self, counter: str, lines: list[str], *, take_over: bool) -> None:
        own = f"{self._city.plan.seed}/clerk/{self._hall.code}.{counter}/{next(self._brought)}"
        at = At(self._city, self._hall, counter, self.session(counter), Random(own))
        clerk = Clerk(at, lines)
        if not await clerk.open(take_over=take_over):
            # A human opened it in this moment, or has it handed to her.
            return
        self._clerks[counter] = clerk
        self._shifts[counter] = asyncio.create_task(self._shift(clerk))

    async def _shift(self, clerk: Clerk) -> None:
        try:
            await clerk.work()
        except Exception as fault:
            self._city.figures.errors += 1
            log.warning("clerk_stumbled", hall=self._hall.code, exc_info=fault)
        finally:
            self._clerks.pop(clerk.counter, None)
            self._shifts.pop(clerk.counter, None)

    def _username(self, counter: str) -> str:
        return f"clerk.{self._hall.code}.{counter}"
