"""One hall's life: people come while it is open, and as many clerks work as its lines need."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from integrations.sandbox.crowd import habits
from integrations.sandbox.crowd.bundles import Bundle
from integrations.sandbox.crowd.city import City
from integrations.sandbox.crowd.crew import Crew
from integrations.sandbox.crowd.desk import Desk
from integrations.sandbox.crowd.managers import Manager

_LOOK_EVERY_S = 20.0
_LOOK_LEAST_REAL_S = 5.0
_TOO_LATE_REAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a hall offers: how many minutes each item takes, and which ask for no real name.

    `bundles` are those of which it offers every item; `bookable` may be booked.
    """

    minutes: Mapping[str, int]
    easy: tuple[str, ...]
    bundles: tuple[Bundle, ...] = ()
    bookable: frozenset[str] = frozenset()

    def weights(self, items: tuple[str, ...]) -> list[float]:
        """How often each is wanted."""
        return [habits.popularity(item, self.minutes[item]) for item in items]


class Hall:
    """A hall as the crowd knows it."""

    def __init__(
        self,
        city: City,
        code: str,
        catalogue: Catalogue,
        board: dict[str, Any],
        place: dict[str, Any] | None,
    ) -> None:
        self.code = code
        self.place = place
        self.opened = asyncio.Event()
        self.size = 1.0
        self._city = city
        self._dice = Random(f"{city.plan.seed}/hall/{code}")
        self._catalogue = catalogue
        self._easy = list(catalogue.easy)
        self._weights = catalogue.weights(catalogue.easy)
        self._everything = tuple(catalogue.minutes)
        self._all_weights = catalogue.weights(self._everything)
        self._line_of: dict[str, str] = {}
        self._waiting: Counter[str] = Counter()
        self._board: dict[str, dict[str, Any]] = {}
        self._lines: dict[str, dict[str, Any]] = {}
        self._read(board)
        first = min(self._board)
        self.crew = Crew(city, self, first)
        manager = city.staff(f"manager.{code}")
        clerk = self.crew.session(first)
        self.desk = Desk(city, code, clerk=clerk, manager=manager, counters=self.counters)
        self.manager = Manager(city, self, manager)

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
        return self.crew.on_duty

    @property
    def lines(self) -> Mapping[str, dict[str, Any]]:
        """The lines as the board shows them."""
        return self._lines

    def offers(self, item: str) -> bool:
        """Whether the item can be done here."""
        return item in self._catalogue.minutes

    def minutes_of(self, item: str) -> int | None:
        """How long an item mostly takes."""
        return self._catalogue.minutes.get(item)

    def is_closed(self, counter: str) -> bool:
        """Whether the board shows this counter as closed."""
        return bool(self._board.get(counter, {}).get("state") == "closed")

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

    # --- what a clerk asks ---

    def another_item(self, item: str) -> str | None:
        """Something else that people come for."""
        others = [other for other in self._easy if other != item]
        return self._dice.choice(others) if others else None

    def another_line(self, line: str) -> str | None:
        """Another line of the hall that is open and served."""
        others = [
            code
            for code, shown in self._lines.items()
            if code != line and shown["state"] == "open" and self.crew.serving(code)
        ]
        return self._dice.choice(others) if others else None

    def another_counter(self, counter: str, line: str) -> str | None:
        """Another counter that serves this line now."""
        others = [code for code in self.crew.counters_of(line) if code != counter]
        return self._dice.choice(others) if others else None

    def colleague(self) -> str | None:
        """The user name of a clerk who works nowhere now."""
        return self.crew.somebody_free(self._dice)

    def alarm(self, alert: str) -> None:
        """Let the manager know of an emergency call."""
        self.manager.is_called(alert)

    # --- citizens ---

    async def receive_forever(self) -> None:
        """Let people come, whenever the hall is open."""
        while True:
            await self.opened.wait()
            await self.desk.put_up_kiosk()
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
        rates, dice = self._city.plan.rates, self._dice
        if dice.random() < rates.at_the_hall:
            self._joined(await self._comes_in_person())
        else:
            self._joined(await self._comes_by_phone())

    async def _comes_by_phone(self) -> dict[str, Any] | None:
        item, rates = self._dice.choices(self._easy, self._weights)[0], self._city.plan.rates
        if item in self._catalogue.bookable and self._dice.random() < rates.books:
            await self._city.citizens.book(self.code, item, self._joined)
            return None
        if self._puts_off(item):
            return None
        also: list[str] = []
        if self._dice.random() < rates.several_items:
            wanted = self._dice.choices(self._easy, self._weights, k=self._dice.choice((1, 1, 2)))
            also = [other for other in dict.fromkeys(wanted) if other != item]
        return await self._city.citizens.come(self.code, item, also, self._catalogue.bundles)

    async def _comes_in_person(self) -> dict[str, Any] | None:
        has_card = self._dice.random() < self._city.plan.rates.shows_card
        # What asks for a real name is given to nobody without a card.
        items = self._everything if has_card else self._catalogue.easy
        weights = self._all_weights if has_card else self._weights
        item = self._dice.choices(items, weights)[0]
        books = has_card and item in self._catalogue.bookable
        if books and self._dice.random() < self._city.plan.rates.books_at_desk:
            await self.desk.book(item, self._joined)
            return None
        if self._puts_off(item):
            return None
        return await self.desk.give_number(item, has_card=has_card)

    def _puts_off(self, item: str) -> bool:
        """Whether the line is so long that she goes home."""
        line = self._line_of.get(item)
        if line is None or not habits.puts_off(self._waiting[line], self.crew.serving(line)):
            return False
        self._city.figures.turned_away += 1
        return True

    def _joined(self, ticket: dict[str, Any] | None) -> None:
        """Somebody has a number: a clerk may be idle, and a claim is to be looked at."""
        if ticket is None:
            return
        line = self._line_of[ticket["item"]] = ticket["line"]
        self._waiting[line] += 1
        if (priority := ticket["priority"]) is not None:
            self._city.figures.elders += priority["kind"] == "elderly" and priority["confirmed"]
            if not priority["confirmed"]:
                self._city.figures.claimed += 1
                self.desk.look_at_claim(ticket["id"])
        self.crew.nudge(line, self._dice)

    # --- staff ---

    async def staff_forever(self) -> None:
        """Man the counters while the hall is open, watching its board."""
        starting = True
        try:
            while True:
                await self.opened.wait()
                await self.crew.learn_skills()
                while self.opened.is_set():
                    await self.crew.man(starting=starting)
                    starting = False
                    await self._pause_between_looks()
                    await self.look()
                await self.crew.go_home()
                await self.look()
        finally:
            self.crew.drop_everything()

    async def manage_forever(self) -> None:
        """Let the manager see to the hall while it is open."""
        while True:
            await self.opened.wait()
            await self.manager.put_right()
            await self.manager.manage_while(self.opened.is_set)

    async def leave(self) -> None:
        """Put right what nobody else would."""
        await self.manager.leave()
        await self.desk.leave()

    async def _pause_between_looks(self) -> None:
        tempo = self._city.tempo
        wait = tempo.real_s(_LOOK_EVERY_S, least=_LOOK_LEAST_REAL_S) * self._dice.uniform(0.8, 1.2)
        await asyncio.sleep(wait)

    def _read(self, board: dict[str, Any]) -> None:
        self._board = {counter["code"]: counter for counter in board["counters"]}
        self._lines = {line["code"]: line for line in board["lines"]}
        self._waiting = Counter({line["code"]: line["waiting"] for line in board["lines"]})
