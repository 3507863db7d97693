"""A hall's manager: announces, moves people and lines about, answers emergency calls.

Whatever she changes for a while she puts back; what an earlier crowd left is put right at once.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any, Protocol
from uuid import uuid4

from integrations.sandbox.crowd import habits
from integrations.sandbox.crowd.city import City
from integrations.sandbox.crowd.crew import Crew
from integrations.sandbox.crowd.door import Answer, Session

_FEWEST_LINES = 3
# A line is kept closed for some minutes: long enough to be seen, too short to matter.
_CLOSED_FOR_S = (150.0, 360.0)
_STANDS_FOR = timedelta(minutes=20)
_OURS = frozenset(reason for reason, _ in (*habits.STOP_REASONS, *habits.PAUSE_LINE_REASONS))

Act = Callable[[], Awaitable[None]]


class Hall(Protocol):
    """What a manager sees of the hall."""

    code: str
    crew: Crew

    @property
    def lines(self) -> Mapping[str, dict[str, Any]]:
        """The lines as the board shows them."""

    def another_line(self, line: str) -> str | None:
        """Another line of the hall that is open and served."""


class Manager:
    """Manages one hall, a little of everything now and then."""

    def __init__(self, city: City, hall: Hall, session: Session) -> None:
        self._city = city
        self._hall = hall
        self._session = session
        self._dice = Random(f"{city.plan.seed}/manager/{hall.code}")
        self._closed: str | None = None
        rates = city.plan.rates
        self._acts: list[tuple[float, Act]] = [
            (rates.announces_per_hour, self._announce),
            (rates.opens_overflow_per_hour, self._open_overflow),
            (rates.reassigns_per_hour, self._reassign),
            (rates.pauses_line_per_hour, self._pause_line),
            (rates.stops_line_per_hour, self._stop_line),
        ]

    async def put_right(self) -> None:
        """Open the lines that an earlier crowd left closed."""
        for code, line in self._hall.lines.items():
            if line["state"] != "open" and line["reason"] in _OURS:
                await self._open_line(code)

    async def manage_while(self, is_open: Callable[[], bool]) -> None:
        """Do something now and then while the hall is open."""
        often = [per_hour for per_hour, _ in self._acts]
        acts = [act for _, act in self._acts]
        if not sum(often):
            return
        while is_open():
            await self._city.tempo.sleep(self._dice.expovariate(sum(often) / 3600), least=0.1)
            if is_open():
                await self._dice.choices(acts, often)[0]()

    async def leave(self) -> None:
        """Put right what cannot wait for another day: open the line that is closed now."""
        if self._closed is not None:
            await self._open_line(self._closed)

    def is_called(self, alert: str) -> None:
        """A counter calls for help."""
        self._city.agenda.put(self._dice.uniform(15, 90), lambda: self._acknowledge(alert))

    async def _acknowledge(self, alert: str) -> None:
        acknowledged = await self._ask("POST", f"alerts/{alert}/acknowledge")
        self._city.figures.acknowledged += acknowledged.ok

    async def _announce(self) -> None:
        text, text_en = self._dice.choice(habits.ANNOUNCEMENTS)
        until = (self._city.tempo.now() + _STANDS_FOR).isoformat(timespec="seconds")
        said = {"text": text, "text_en": text_en, "until": until}
        announced = await self._ask("POST", "announcements", said, key=uuid4().hex)
        self._city.figures.announced += announced.ok

    async def _open_overflow(self) -> None:
        """Let counters with little to do help the longest line."""
        lines, crew = self._hall.lines, self._hall.crew
        longest = max(lines, key=lambda code: int(lines[code]["waiting"]))
        if lines[longest]["waiting"] < habits.long_line(crew.serving(longest)):
            return
        helping = [
            counter
            for code in lines
            if lines[code]["waiting"] < lines[longest]["waiting"] / 2
            for counter in crew.counters_of(code)
            if counter not in crew.counters_of(longest)
        ]
        if not helping:
            return
        path = f"lines/{longest}/overflow"
        if (await self._ask("POST", path, {"counters": sorted(set(helping))[:2]})).ok:
            self._city.figures.overflows += 1

            async def end() -> None:
                await self._ask("DELETE", path)

            self._city.agenda.put(self._dice.uniform(8, 20) * 60, end)

    async def _reassign(self) -> None:
        """Let a counter help one line more for a while; then it serves what it did."""
        listed = await self._ask("GET", "counters")
        if not listed.ok:
            return
        # Those where a human may work are left alone.
        ours = [one for one in listed.body["data"] if self._hall.crew.works_at(one["code"])]
        spare = [one for one in ours if set(self._hall.lines) - set(one["skills"])]
        if not spare:
            return
        counter = self._dice.choice(spare)
        before = {"own": counter["own"], "helps": counter["helps"]}
        more = sorted(set(self._hall.lines) - set(counter["skills"]))
        after = before | {"helps": [*before["helps"], self._dice.choice(more)]}
        path = f"counters/{counter['code']}/skills"
        changed = await self._ask("PUT", path, after | {"version": counter["version"]})
        if not changed.ok:
            return
        self._city.figures.reassigned += 1

        async def put_back() -> None:
            # Unless a human has changed it since.
            await self._ask("PUT", path, before | {"version": changed.body["version"]})

        self._city.agenda.put(self._dice.uniform(10, 25) * 60, put_back)

    async def _pause_line(self) -> None:
        """A line gives out no numbers for a while; those who wait are called."""
        line = self._line_to_close()
        if line is None:
            return
        reason, reason_en = self._dice.choice(habits.PAUSE_LINE_REASONS)
        said = {"reason": reason, "reason_en": reason_en}
        if (await self._ask("POST", f"lines/{line}/pause", said)).ok:
            self._city.figures.lines_paused += 1
            self._open_later(line)

    async def _stop_line(self) -> None:
        """A line stops; those who wait go to another line, another hall, or stay and are told."""
        line = self._line_to_close()
        if line is None:
            return
        reason, reason_en = self._dice.choice(habits.STOP_REASONS)
        said: dict[str, Any] = {"reason": reason, "reason_en": reason_en}
        if (to := self._where_to(line)) is not None:
            said["to"] = to
        if (await self._ask("POST", f"lines/{line}/stop", said)).ok:
            self._city.figures.lines_stopped += 1
            self._open_later(line)

    def _where_to(self, line: str) -> dict[str, str] | None:
        chance = self._dice.random()
        if chance < 0.6:
            other = self._hall.another_line(line)
            return None if other is None else {"line": other}
        if chance < 0.85:
            hall = self._city.neighbours.any_hall_but(self._hall.code, self._dice)
            return None if hall is None else {"hall": hall}
        return None

    def _line_to_close(self) -> str | None:
        """An open line, where enough others are left and none is closed by us."""
        lines = [code for code, line in self._hall.lines.items() if line["state"] == "open"]
        if self._closed is not None or len(lines) < _FEWEST_LINES:
            return None
        return self._dice.choice(lines)

    def _open_later(self, line: str) -> None:
        self._closed = line

        async def open_again() -> None:
            self._closed = None
            await self._open_line(line)

        self._city.agenda.put(self._dice.uniform(*_CLOSED_FOR_S), open_again)

    async def _open_line(self, line: str) -> None:
        opened = await self._ask("POST", f"lines/{line}/open")
        self._city.figures.lines_opened += opened.ok

    async def _ask(
        self, method: str, what: str, body: object = None, *, key: str | None = None
    ) -> Answer:
        path = f"/api/v1/halls/{self._hall.code}/{what}"
        return await self._session.ask(method, path, body, key=key)
