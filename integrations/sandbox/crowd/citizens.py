"""Citizens: a bounded number of invented people, each in one line at a time."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any
from uuid import uuid4

from integrations.sandbox.crowd import habits
from integrations.sandbox.crowd.booking import Arrives, Bookings
from integrations.sandbox.crowd.bundles import Bundle
from integrations.sandbox.crowd.department import Department
from integrations.sandbox.crowd.door import Answer, Door, Session
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.in_line import Citizen, Holding, InLine
from integrations.sandbox.crowd.pace import Tempo
from integrations.sandbox.crowd.people import Person, Strangers, invent
from integrations.sandbox.crowd.plan import CrowdPlan
from integrations.sandbox.crowd.waiting import Waiting

# So many stay at home, so that whoever was served does not come back at once.
_REST_AT_HOME = 100
_ELDERLY = timedelta(days=70 * 365.25)


class Citizens:
    """Everybody with a phone who may come to a hall."""

    def __init__(
        self,
        plan: CrowdPlan,
        door: Door,
        tempo: Tempo,
        figures: Figures,
        *,
        strangers: Strangers,
        waiting: Waiting,
        in_line: InLine,
        bookings: Bookings,
        department: Department,
    ) -> None:
        self._plan = plan
        self._door = door
        self._tempo = tempo
        self._figures = figures
        self._strangers = strangers
        self._waiting = waiting
        self._in_line = in_line
        self._bookings = bookings
        self._department = department
        self._dice = Random(f"{plan.seed}/citizens")
        self._born = 0

    async def come(
        self, hall: str, item: str, also: Sequence[str], bundles: Sequence[Bundle]
    ) -> dict[str, Any] | None:
        """Send somebody for a number, or for a visit of several items; None when she is refused.

        Whoever may comes for one of the bundles, perhaps. The answer is the ticket as the API shows
        it, of a visit that of its first stop.
        """
        citizen = await self._somebody()
        if citizen is None:
            self._figures.skipped += 1
            return None
        wish: dict[str, Any] = {"hall": hall} | self._says(citizen)
        rates, bundle = self._plan.rates, None
        if citizen.named and bundles and self._dice.random() < rates.bundles:
            bundle = self._dice.choice(bundles)
            answer = await self._ask(citizen, "/api/v1/visits", wish | self._form(citizen, bundle))
        elif also:
            answer = await self._ask(citizen, "/api/v1/visits", wish | {"items": [item, *also]})
        else:
            answer = await self._ask(citizen, "/api/v1/tickets", wish | {"item": item})
        ticket = first_of(answer)
        if ticket is None:
            self._in_line.at_home.append(citizen)
            self._figures.turned_away += answer.status != 401
            self._figures.errors += answer.status == 401
            return None
        self._figures.arrivals += 1
        of_visit = bool(also) or bundle is not None
        self._figures.visits += of_visit
        self._figures.bundles += bundle is not None
        self._figures.for_parent += "for" in wish
        self._in_line.begins(
            ticket["id"], Holding(citizen, ticket["item"], hall, of_visit=of_visit)
        )
        self._waiting.begins(ticket["id"])
        return ticket

    async def book(self, hall: str, item: str, arrives: Arrives) -> None:
        """Let somebody book a slot; `arrives` hears of her number when she comes for it."""
        citizen = await self._somebody()
        if citizen is None:
            self._figures.skipped += 1
            return
        await self._bookings.begin(citizen, hall, item, arrives)

    def was_accepted(self, ticket_id: str, item: str, hall: str) -> None:
        """A counter has accepted what the holder of this number came for; a department goes on."""
        if (holding := self._in_line.holding(ticket_id)) is not None:
            self._department.accept(holding.citizen.person, item, hall)

    def goes_home(self, ticket_id: str) -> None:
        """This ticket has ended."""
        self._in_line.ends(ticket_id)

    def goes_on(self, ticket_id: str, next_ticket: str) -> None:
        """This ticket has ended, and the next of the same visit was given out."""
        self._in_line.goes_on(ticket_id, next_ticket)

    async def _ask(self, citizen: Citizen, path: str, wish: dict[str, Any]) -> Answer:
        return await citizen.session.ask("POST", path, wish, key=uuid4().hex)

    def _form(self, citizen: Citizen, bundle: Bundle) -> dict[str, Any]:
        about, today = self._strangers.anybody(), self._tempo.now().date()
        return {"bundle": bundle.code, "form": bundle.filled_in(citizen.person, about, today)}

    def _says(self, citizen: Citizen) -> dict[str, Any]:
        """For whom she comes, and what priority she claims."""
        rates, dice = self._plan.rates, self._dice
        if citizen.parent is not None and dice.random() < rates.for_parent:
            return {"for": citizen.parent}
        if citizen.named and self._is_elderly(citizen.person):
            return {"priority_claim": "elderly"}
        if dice.random() < rates.claims:
            return {"priority_claim": dice.choice(habits.CLAIMS)}
        return {}

    def _is_elderly(self, person: Person) -> bool:
        return self._tempo.now().date() - person.born > _ELDERLY

    async def _somebody(self) -> Citizen | None:
        if len(self._in_line.at_home) > _REST_AT_HOME:
            return self._in_line.at_home.popleft()
        if self._born < self._plan.most_people:
            self._born += 1
            citizen = self._sign_up(invent(self._plan.seed, self._born - 1))
            self._department.remember(citizen.person)
            if self._dice.random() < self._plan.rates.proves_name:
                await self._prove_name(citizen)
            return citizen
        if self._in_line.at_home:
            return self._in_line.at_home.popleft()
        # All are in line, some perhaps called by people we know nothing of: the eldest comes back.
        return self._in_line.eldest()

    def _sign_up(self, person: Person) -> Citizen:
        async def sign_in() -> Answer:
            persona = await self._known_to_platforms(person)
            if not persona.ok:
                return persona
            return await self._door.ask(
                "POST", "/api/v1/sessions/wechat", {"code": persona.body["wechat_code"]}
            )

        return Citizen(person, Session(self._door, sign_in))

    async def _known_to_platforms(self, person: Person) -> Answer:
        facts = {"id_number": person.id_number, "name": person.name, "phone": person.phone}
        return await self._door.ask("POST", f"{self._plan.sandbox_url}/_sandbox/personas", facts)

    async def _prove_name(self, citizen: Citizen) -> None:
        """Prove her real name; then she may come for a parent, too."""
        person = citizen.person
        claim = {"name": person.name, "id_number": person.id_number}
        proven = await citizen.session.ask("POST", "/api/v1/me/real-name", claim)
        if not proven.ok:
            return
        self._figures.named += 1
        citizen.named = True
        if self._dice.random() < self._plan.rates.for_parent:
            await self._add_parent(citizen)

    async def _add_parent(self, citizen: Citizen) -> None:
        parent = self._strangers.parent()
        await self._known_to_platforms(parent)
        member = {"relation": "parent", "name": parent.name, "id_number": parent.id_number}
        added = await citizen.session.ask("POST", "/api/v1/me/family", member, key=uuid4().hex)
        if added.ok:
            citizen.parent = added.body["id"]
        elif added.code == "already_added":
            # By an earlier crowd.
            family = await citizen.session.ask("GET", "/api/v1/me/family")
            listed = family.body["data"] if family.ok else []
            parents = [one["id"] for one in listed if one["side"] == "acting"]
            citizen.parent = parents[0] if parents else None


def first_of(answer: Answer) -> dict[str, Any] | None:
    """The ticket that was given out: itself, or that of the stop which a visit begins with."""
    if not answer.ok:
        return None
    given: dict[str, Any] = answer.body
    if "stops" not in given:
        return given
    begun = next((stop for stop in given["stops"] if stop["ticket"] == given["now"]), None)
    return None if begun is None else begun | {"id": given["now"], "priority": None}
