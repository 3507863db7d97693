"""People who book: they look for a slot, come for it or not, think again, wait for a place."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from random import Random
from typing import Any, NamedTuple
from uuid import uuid4

from integrations.sandbox.crowd.agenda import Agenda
from integrations.sandbox.crowd.door import Answer, Door
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.in_line import Citizen, Holding, InLine
from integrations.sandbox.crowd.neighbours import Neighbours
from integrations.sandbox.crowd.pace import Tempo
from integrations.sandbox.crowd.plan import CrowdPlan

_ACCURACY_M = 25
# Most want to be done with it; so many of the next slots are what they choose among.
_SOON = 6
_LOOKS_FOR_OFFER_S = (120.0, 420.0)
_LOOKS_AT_MOST = 6
Arrives = Callable[[dict[str, Any]], None]


class _Booked(NamedTuple):
    id: str
    hall: str
    item: str
    start: datetime


class Bookings:
    """What becomes of everybody who books by phone."""

    def __init__(
        self,
        plan: CrowdPlan,
        door: Door,
        agenda: Agenda,
        tempo: Tempo,
        figures: Figures,
        *,
        in_line: InLine,
        neighbours: Neighbours,
    ) -> None:
        self._door = door
        self._agenda = agenda
        self._tempo = tempo
        self._figures = figures
        self._in_line = in_line
        self._neighbours = neighbours
        self._rates = plan.rates
        self._dice = Random(f"{plan.seed}/booking")

    async def begin(self, citizen: Citizen, hall: str, item: str, arrives: Arrives) -> None:
        """She looks for a slot and books it; `arrives` hears of her number when she comes."""
        start = await self._slot(hall, item)
        if start is None:
            await self._wait_for_a_place(citizen, hall, item, arrives)
            return
        wish: dict[str, Any] = {"hall": hall, "item": item, "slot_start": start}
        holds = self._dice.random() < self._rates.holds_first
        if holds:
            wish["hold"] = True
        answer = await citizen.session.ask("POST", "/api/v1/appointments", wish, key=uuid4().hex)
        if answer.ok and holds:
            path = f"/api/v1/appointments/{answer.body['id']}/confirm"
            answer = await citizen.session.ask("POST", path)
        if answer.ok:
            self._figures.booked += 1
            self._has_booked(citizen, answer.body, arrives)
        elif answer.code == "slot_full":
            await self._wait_for_a_place(citizen, hall, item, arrives)
        else:
            self._goes_home(citizen)

    def _has_booked(self, citizen: Citizen, told: dict[str, Any], arrives: Arrives) -> None:
        start = datetime.fromisoformat(told["slot_start"])
        mine = _Booked(told["id"], told["hall"], told["item"], start)
        dice, rates = self._dice, self._rates
        ahead_s = (start - self._tempo.now()).total_seconds()
        if dice.random() < rates.moves_booking:
            self._later(
                dice.uniform(0.05, 0.4) * ahead_s, lambda: self._move(citizen, mine, arrives)
            )
        elif dice.random() < rates.cancels_booking:
            self._later(dice.uniform(0.05, 0.5) * ahead_s, lambda: self._cancel(citizen, mine))
        elif dice.random() < rates.misses_booking:
            self._figures.stayed_away += 1
            self._goes_home(citizen)
        else:
            comes_s = max(ahead_s + dice.gauss(-600, 360), 0.0)
            self._later(comes_s, lambda: self._come(citizen, mine, arrives))
            if start.date() != self._tempo.now().date():
                self._goes_home(citizen)  # till then she may come for something else

    async def _come(self, citizen: Citizen, mine: _Booked, arrives: Arrives) -> None:
        place = self._neighbours.place_of(mine.hall)
        here = {"place": place | {"accuracy_m": _ACCURACY_M}} if place else {}
        answer = await self._about(citizen, mine, "check-in", here)
        if not answer.ok:
            self._goes_home(citizen)
            return
        self._figures.came_booked += 1
        ticket: dict[str, Any] = answer.body
        self._in_line.begins(ticket["id"], Holding(citizen, mine.item, mine.hall))
        arrives(ticket)

    async def _move(self, citizen: Citizen, mine: _Booked, arrives: Arrives) -> None:
        path = f"/api/v1/appointments/{mine.id}/proposals"
        found = await citizen.session.ask("GET", path)
        starts = [one["slot"]["start"] for one in found.body["data"]] if found.ok else []
        if not starts:
            return self._later(0.0, lambda: self._come(citizen, mine, arrives))
        start = self._dice.choice(starts)
        moved = await self._about(citizen, mine, "reschedule", {"slot_start": start})
        self._figures.rebooked += moved.ok
        kept = mine._replace(start=datetime.fromisoformat(start)) if moved.ok else mine
        ahead_s = (kept.start - self._tempo.now()).total_seconds()
        self._later(max(ahead_s - 480, 0.0), lambda: self._come(citizen, kept, arrives))
        return None

    async def _cancel(self, citizen: Citizen, mine: _Booked) -> None:
        cancelled = await self._about(citizen, mine, "cancel")
        self._figures.gave_back += cancelled.ok
        self._goes_home(citizen)

    async def _wait_for_a_place(
        self, citizen: Citizen, hall: str, item: str, arrives: Arrives
    ) -> None:
        """Nothing is free today: some wait for what is given back."""
        now = self._tempo.now()
        if self._dice.random() >= self._rates.waits_for_place or now.hour >= 16:
            self._goes_home(citizen)
            return
        wish = {"hall": hall, "item": item, "date": f"{now:%Y-%m-%d}", "from": "09:00"}
        answer = await citizen.session.ask(
            "POST", "/api/v1/waitlist", wish | {"to": "17:00"}, key=uuid4().hex
        )
        if not answer.ok:
            self._goes_home(citizen)
            return
        self._figures.waits_for_place += 1
        self._look_for_offer(citizen, answer.body["id"], arrives, _LOOKS_AT_MOST)

    def _look_for_offer(self, citizen: Citizen, wait: str, arrives: Arrives, looks: int) -> None:
        async def look() -> None:
            found = await citizen.session.ask("GET", "/api/v1/waitlist?limit=5")
            waits = found.body["data"] if found.ok else []
            mine = next((one for one in waits if one["id"] == wait), None)
            if mine is not None and mine["offer"] is not None:
                path = f"/api/v1/offers/{mine['offer']}/accept"
                accepted = await citizen.session.ask("POST", path)
                if accepted.ok:
                    self._figures.offers_accepted += 1
                    self._has_booked(citizen, accepted.body, arrives)
                    return
            if mine is None or mine["state"] not in {"waiting", "offered"} or looks <= 1:
                self._goes_home(citizen)
            else:
                self._look_for_offer(citizen, wait, arrives, looks - 1)

        self._later(self._dice.uniform(*_LOOKS_FOR_OFFER_S), look)

    async def _slot(self, hall: str, item: str) -> str | None:
        """A slot with room: soon for most, an empty one for some, any for the rest."""
        found = await self._door.ask("GET", f"/api/v1/halls/{hall}/slots?item={item}")
        free = [one for one in found.body["data"] if one["bookable"]] if found.ok else []
        if not free:
            return None
        kind = self._dice.random()
        if kind < self._rates.books_soon:
            free = free[:_SOON]
        elif kind < (1 + self._rates.books_soon) / 2:
            free = [one for one in free if one["load"] == "low"] or free
        start: str = self._dice.choice(free)["start"]
        return start

    async def _about(
        self, citizen: Citizen, mine: _Booked, what: str, body: object = None
    ) -> Answer:
        return await citizen.session.ask("POST", f"/api/v1/appointments/{mine.id}/{what}", body)

    def _goes_home(self, citizen: Citizen) -> None:
        self._in_line.at_home.append(citizen)

    def _later(self, after_s: float, act: Callable[[], Awaitable[None]]) -> None:
        self._agenda.put(max(after_s, 0.0), act)
