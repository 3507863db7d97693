"""Citizens: a bounded number of invented people, each in one line at a time."""

import heapq
from collections import OrderedDict, deque
from random import Random
from typing import Any
from uuid import uuid4

from integrations.sandbox.crowd.door import Answer, Door, Session
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.habits import patience_s
from integrations.sandbox.crowd.pace import Tempo
from integrations.sandbox.crowd.people import Person, invent
from integrations.sandbox.crowd.plan import CrowdPlan

_LOOK_FOR_LEAVERS_S = 5.0
# So many stay at home, so that whoever was served does not come back at once.
_REST_AT_HOME = 100


class Citizens:
    """Everybody who may come to a hall."""

    def __init__(self, plan: CrowdPlan, door: Door, tempo: Tempo, figures: Figures) -> None:
        self._plan = plan
        self._door = door
        self._tempo = tempo
        self._figures = figures
        self._dice = Random(f"{plan.seed}/citizens")  # noqa: S311
        self._born = 0
        self._at_home: deque[Session] = deque()
        self._in_line: OrderedDict[str, Session] = OrderedDict()
        self._impatient: list[tuple[float, str]] = []

    async def take_number(self, hall: str, item: str) -> dict[str, Any] | None:
        """Send somebody for a number; the ticket, or None when the API refuses."""
        citizen = self._somebody()
        if citizen is None:
            self._figures.skipped += 1
            return None
        wish = {"hall": hall, "item": item}
        answer = await citizen.ask("POST", "/api/v1/tickets", wish, key=uuid4().hex)
        if not answer.ok:
            self._at_home.append(citizen)
            self._figures.turned_away += answer.status != 401
            self._figures.errors += answer.status == 401
            return None
        ticket: dict[str, Any] = answer.body
        self._figures.arrivals += 1
        self._in_line[ticket["id"]] = citizen
        leaves_after = patience_s(self._dice)
        if leaves_after is not None:
            due = self._tempo.business_s() + leaves_after
            heapq.heappush(self._impatient, (due, ticket["id"]))
        return ticket

    def goes_home(self, ticket_id: str) -> None:
        """This ticket has ended."""
        citizen = self._in_line.pop(ticket_id, None)
        if citizen is not None:
            self._at_home.append(citizen)

    async def give_up_forever(self) -> None:
        """Let the impatient cancel when their time has come."""
        while True:
            await self._tempo.sleep(_LOOK_FOR_LEAVERS_S, least=0.5)
            while self._impatient and self._impatient[0][0] <= self._tempo.business_s():
                _, ticket_id = heapq.heappop(self._impatient)
                citizen = self._in_line.get(ticket_id)
                if citizen is None:
                    continue
                answer = await citizen.ask("POST", f"/api/v1/tickets/{ticket_id}/cancel")
                # Refused when she is being served just now; then she stays.
                if answer.ok:
                    self._figures.gave_up += 1
                    self.goes_home(ticket_id)

    def _somebody(self) -> Session | None:
        if len(self._at_home) > _REST_AT_HOME:
            return self._at_home.popleft()
        if self._born < self._plan.most_people:
            self._born += 1
            return self._sign_up(invent(self._plan.seed, self._born - 1))
        if self._at_home:
            return self._at_home.popleft()
        # All are in line, some perhaps called by people we know nothing of: the eldest comes back.
        return self._in_line.popitem(last=False)[1] if self._in_line else None

    def _sign_up(self, person: Person) -> Session:
        async def sign_in() -> Answer:
            facts = {"id_number": person.id_number, "name": person.name, "phone": person.phone}
            persona = await self._door.ask(
                "POST", f"{self._plan.sandbox_url}/_sandbox/personas", facts
            )
            if not persona.ok:
                return persona
            return await self._door.ask(
                "POST", "/api/v1/sessions/wechat", {"code": persona.body["wechat_code"]}
            )

        return Session(self._door, sign_in)
