"""A hall's help desk and kiosk: numbers for whoever has no phone at hand, and help for the rest."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from random import Random
from typing import Any
from uuid import uuid4

from integrations.sandbox.crowd import habits
from integrations.sandbox.crowd.booking import Arrives
from integrations.sandbox.crowd.city import City
from integrations.sandbox.crowd.door import Answer, Session

_KIOSK = "自助取号机 模拟"


class Desk:
    """What is done in the hall beside the counters."""

    def __init__(
        self, city: City, hall: str, *, clerk: Session, manager: Session, counters: int
    ) -> None:
        """`clerk` stands at the desk; the `manager` puts up the kiosk."""
        self._city = city
        self._hall = f"/api/v1/halls/{hall}"
        self._clerk = clerk
        self._manager = manager
        self._wants_kiosk = habits.has_kiosk(counters)
        self._kiosk: str | None = None
        self._token: str | None = None
        self._dice = Random(f"{city.plan.seed}/desk/{hall}")

    async def put_up_kiosk(self) -> None:
        """Make the hall's kiosk, where it has one.

        Its token is told once, so the one that an earlier crowd left is taken down: nobody else
        can use it.
        """
        if not self._wants_kiosk or self._token is not None:
            return
        kiosks = f"{self._hall}/kiosks"
        there = await self._manager.ask("GET", kiosks)
        for left in there.body["data"] if there.ok else ():
            if left["name"] == _KIOSK:
                await self._manager.ask("DELETE", f"{kiosks}/{left['id']}")
        made = await self._manager.ask("POST", kiosks, {"name": _KIOSK})
        if made.ok:
            self._kiosk, self._token = made.body["kiosk"]["id"], made.body["token"]
            self._city.figures.kiosks += 1

    async def leave(self) -> None:
        """Take the kiosk down: without its token it is of no use to anybody."""
        if self._kiosk is not None:
            await self._manager.ask("DELETE", f"{self._hall}/kiosks/{self._kiosk}")

    async def give_number(self, item: str, *, has_card: bool) -> dict[str, Any] | None:
        """Give a number to somebody who stands there; None when it is refused."""
        rates, dice, figures = self._city.plan.rates, self._dice, self._city.figures
        wish: dict[str, Any] = {"item": item}
        if has_card:
            person = self._city.strangers.anybody()
            wish |= {"id_number": person.id_number, "name": person.name}
        by_kiosk = self._token is not None and dice.random() < rates.at_the_kiosk
        if dice.random() < rates.claims:
            wish["priority"] = dice.choice(habits.CLAIMS)
        answer = await (self._ask_kiosk(wish) if by_kiosk else self._ask_desk(wish))
        if not answer.ok:
            figures.turned_away += 1
            return None
        figures.at_kiosk += by_kiosk
        figures.at_desk += not by_kiosk
        figures.with_card += has_card
        ticket: dict[str, Any] = answer.body
        if by_kiosk:
            path = f"{self._hall}/tickets/{ticket['id']}/print?format=escpos&width=32"
            printed = await self._city.door.ask("POST", path, token=self._token)
            figures.printed += printed.ok
        return ticket

    async def book(self, item: str, arrives: Arrives) -> None:
        """Somebody telephones, or stands there, and has the desk book; she comes by her card."""
        found = await self._city.door.ask("GET", f"{self._hall}/slots?item={item}")
        free = [one for one in found.body["data"] if one["bookable"]] if found.ok else []
        if not free:
            return
        person, start = self._city.strangers.anybody(), self._dice.choice(free[:6])["start"]
        card = {"id_number": person.id_number}
        wish = card | {"item": item, "slot_start": start, "name": person.name}
        path = f"{self._hall}/appointments"
        made = await self._clerk.ask("POST", path, wish, key=uuid4().hex)
        if not made.ok:
            return
        self._city.figures.booked_at_desk += 1

        async def come() -> None:
            answer = await self._clerk.ask("POST", f"{self._hall}/check-ins", card)
            if answer.ok:
                self._city.figures.came_by_card += 1
                arrives(answer.body)

        ahead_s = (datetime.fromisoformat(start) - self._city.tempo.now()).total_seconds()
        self._later(max(ahead_s + self._dice.gauss(-480, 300), 0.0), come)

    def look_at_claim(self, ticket_id: str) -> None:
        """Somebody claims a priority: she shows her papers when she has come."""
        self._later(self._dice.uniform(0.3, 4) * 60, lambda: self._confirm(ticket_id))

    def expect_back(self, ticket_id: str) -> None:
        """Somebody was missed, and will ask at the desk."""
        self._later(self._dice.uniform(0.5, 12) * 60, lambda: self._let_return(ticket_id))

    async def _confirm(self, ticket_id: str) -> None:
        confirmed = await self._about(ticket_id, "confirm-priority")
        self._city.figures.confirmed += confirmed.ok

    async def _let_return(self, ticket_id: str) -> None:
        if (await self._about(ticket_id, "return")).ok:
            self._city.figures.returned += 1
        else:
            self._city.citizens.goes_home(ticket_id)

    async def _about(self, ticket_id: str, what: str) -> Answer:
        return await self._clerk.ask("POST", f"{self._hall}/tickets/{ticket_id}/{what}")

    async def _ask_desk(self, wish: dict[str, Any]) -> Answer:
        return await self._clerk.ask("POST", f"{self._hall}/tickets", wish, key=uuid4().hex)

    async def _ask_kiosk(self, wish: dict[str, Any]) -> Answer:
        answer = await self._city.door.ask(
            "POST", f"{self._hall}/tickets", wish, token=self._token, key=uuid4().hex
        )
        if answer.status == 401:  # somebody has taken the kiosk down
            self._token = None
        return answer

    def _later(self, after_s: float, act: Callable[[], Awaitable[None]]) -> None:
        self._city.agenda.put(after_s, act)
