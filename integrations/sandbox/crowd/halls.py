"""One hall's life: people come while it is open, and as many clerks work as its lines need."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

import structlog

from integrations.sandbox.crowd import habits
from integrations.sandbox.crowd.citizens import Citizens
from integrations.sandbox.crowd.clerks import Clerk
from integrations.sandbox.crowd.door import Answer, Door, Session
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.pace import Tempo
from integrations.sandbox.crowd.plan import CrowdPlan

log = structlog.get_logger()

_LOOK_EVERY_S = 20.0
_LOOK_LEAST_REAL_S = 5.0
_TOO_LATE_REAL_S = 2.0
_CLOSED = "closed"


@dataclass(slots=True)
class City:
    """What all halls share. `passwords` lets few clerks sign in at once: hashing is dear.

    `pace` is how many people an average hall meets a business minute; known with the halls.
    """

    plan: CrowdPlan
    door: Door
    tempo: Tempo
    citizens: Citizens
    figures: Figures
    passwords: asyncio.Semaphore
    pace: float = 0.0


class Hall:
    """A hall as the crowd knows it."""

    def __init__(self, city: City, code: str, items: dict[str, int], board: dict[str, Any]) -> None:
        self.code = code
        self.minutes = items
        self.opened = asyncio.Event()
        self.size = 1.0
        self._city = city
        self._dice = Random(f"{city.plan.seed}/hall/{code}")  # noqa: S311
        self._items = list(items)
        self._weights = [habits.popularity(item, minutes) for item, minutes in items.items()]
        self._line_of: dict[str, str] = {}
        self._waiting: Counter[str] = Counter()
        self._board: dict[str, dict[str, Any]] = {}
        self._read(board)
        self._skills: dict[str, list[str]] = {}
        self._sessions: dict[str, Session] = {}
        self._clerks: dict[str, Clerk] = {}
        self._shifts: dict[str, asyncio.Task[None]] = {}

    @property
    def counters(self) -> int:
        """How many counters the hall has."""
        return len(self._board)

    @property
    def waiting(self) -> int:
        """How many wait in all lines."""
        return self._waiting.total()

    @property
    def clerks(self) -> int:
        """How many clerks are on duty."""
        return len(self._clerks)

    async def look(self) -> None:
        """Look at the board."""
        board = await self._city.door.ask("GET", f"/api/v1/halls/{self.code}/board")
        if board.ok:
            self._read(board.body)

    async def number_at(self, counter: str) -> str | None:
        """Look at the board: the number at this counter."""
        await self.look()
        number: str | None = self._board.get(counter, {}).get("number")
        return number

    # --- citizens ---

    async def receive_forever(self) -> None:
        """Let people come, whenever the hall is open."""
        while True:
            await self.opened.wait()
            hour = self._city.tempo.hour()
            first = habits.at_the_door(self.counters, self._city.pace, hour) - self.waiting
            for _ in range(first):
                if self.opened.is_set():
                    await self._somebody_comes()
            await self._receive_while_open()

    async def _receive_while_open(self) -> None:
        tempo, dice = self._city.tempo, self._dice
        per_s = habits.busiest_per_s(self._city.pace, self.size)
        due = tempo.business_s()
        while self.opened.is_set():
            due += habits.gap_s(dice, per_s)
            late_s = tempo.business_s() - due
            if late_s > _TOO_LATE_REAL_S * tempo.speed:
                # Behind: who should have come by now stays away, instead of all coming at once.
                self._city.figures.skipped += 1 + int(late_s * per_s)
                due = tempo.business_s()
                continue
            await tempo.sleep(max(0.0, -late_s))
            if not self.opened.is_set() or not habits.comes_now(dice, tempo.hour()):
                continue
            if self._city.door.crowded:
                self._city.figures.skipped += 1
                continue
            await self._somebody_comes()

    async def _somebody_comes(self) -> None:
        item = self._dice.choices(self._items, self._weights)[0]
        line = self._line_of.get(item)
        if line is not None:
            serving = sum(line in clerk.lines for clerk in self._clerks.values())
            if habits.puts_off(self._waiting[line], serving):
                self._city.figures.turned_away += 1
                return
        ticket = await self._city.citizens.take_number(self.code, item)
        if ticket is None:
            return
        line = self._line_of[item] = ticket["line"]
        self._waiting[line] += 1
        idle = [clerk for clerk in self._clerks.values() if clerk.idle and line in clerk.lines]
        if idle:
            self._dice.choice(idle).nudge()

    # --- clerks ---

    async def staff_forever(self) -> None:
        """Man the counters while the hall is open, watching its board."""
        starting = True
        try:
            while True:
                await self.opened.wait()
                await self._learn_skills()
                while self.opened.is_set():
                    await self._man(starting=starting)
                    starting = False
                    await self._pause_between_looks()
                    await self.look()
                for clerk in self._clerks.values():
                    clerk.send_home()
                while self._shifts:
                    await asyncio.wait(list(self._shifts.values()))
        finally:
            for shift in self._shifts.values():
                shift.cancel()

    async def _pause_between_looks(self) -> None:
        tempo = self._city.tempo
        wait = tempo.real_s(_LOOK_EVERY_S, least=_LOOK_LEAST_REAL_S) * self._dice.uniform(0.8, 1.2)
        await asyncio.sleep(wait)

    def _read(self, board: dict[str, Any]) -> None:
        self._board = {counter["code"]: counter for counter in board["counters"]}
        self._waiting = Counter({line["code"]: line["waiting"] for line in board["lines"]})

    async def _learn_skills(self) -> None:
        session = self._session(min(self._board))
        while not self._skills:
            answer = await session.ask("GET", f"/api/v1/halls/{self.code}/counters")
            if answer.ok:
                skills = {one["code"]: one["skills"] for one in answer.body["data"]}
                order = habits.manning_order(skills)
                self._skills = {code: skills[code] for code in order}
            else:
                self._city.figures.errors += 1
                await asyncio.sleep(30)

    async def _man(self, *, starting: bool) -> None:
        """Bring as many clerks to work as the lines need; let one go when there are too many."""
        wanted = habits.clerks_wanted(self.counters, self.waiting)
        for counter, lines in self._skills.items():
            if len(self._clerks) >= wanted or not self.opened.is_set():
                break
            # Once we run, a counter that is open without us is a human's.
            free = starting or self._board.get(counter, {}).get("state") == _CLOSED
            if counter not in self._shifts and free:
                await self._bring(counter, lines)
        if len(self._clerks) > wanted + 1:
            self._clerks[next(reversed(self._clerks))].send_home()

    async def _bring(self, counter: str, lines: list[str]) -> None:
        clerk = Clerk(
            self,
            counter,
            lines,
            session=self._session(counter),
            tempo=self._city.tempo,
            citizens=self._city.citizens,
            figures=self._city.figures,
            dice=Random(f"{self._city.plan.seed}/clerk/{self.code}.{counter}"),  # noqa: S311
        )
        if not await clerk.open():
            self._city.figures.errors += 1
            return
        self._clerks[counter] = clerk
        self._shifts[counter] = asyncio.create_task(self._shift(clerk))

    async def _shift(self, clerk: Clerk) -> None:
        try:
            await clerk.work()
        except Exception as fault:
            self._city.figures.errors += 1
            log.warning("clerk_stumbled", hall=self.code, exc_info=fault)
        finally:
            self._clerks.pop(clerk.counter, None)
            self._shifts.pop(clerk.counter, None)

    def _session(self, counter: str) -> Session:
        if counter not in self._sessions:
            account = {
                "username": f"clerk.{self.code}.{counter}",
                "password": self._city.plan.password,
            }

            async def sign_in() -> Answer:
                return await self._city.door.ask(
                    "POST", "/api/v1/staff/sessions", account, few=self._city.passwords
                )

            self._sessions[counter] = Session(self._city.door, sign_in)
        return self._sessions[counter]
