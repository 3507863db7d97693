"""What people do with their phones while they wait."""

from collections.abc import Awaitable, Callable
from random import Random

from integrations.sandbox.crowd import habits
from integrations.sandbox.crowd.agenda import Agenda
from integrations.sandbox.crowd.door import Answer, Session
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.in_line import Citizen, Holding, InLine
from integrations.sandbox.crowd.neighbours import Neighbours
from integrations.sandbox.crowd.plan import CrowdPlan
from integrations.sandbox.crowd.rates import Rates

_LATE_BY = (1, 2, 3)
_ACCURACY_M = 25


class Waiting:
    """Draws what somebody will do before she is called, and does it when its time has come."""

    def __init__(
        self,
        plan: CrowdPlan,
        agenda: Agenda,
        figures: Figures,
        in_line: InLine,
        neighbours: Neighbours,
    ) -> None:
        self._agenda = agenda
        self._figures = figures
        self._in_line = in_line
        self._neighbours = neighbours
        self._rates: Rates = plan.rates
        self._dice = Random(f"{plan.seed}/waiting")
        self._family: Session | None = None

    def begins(self, ticket_id: str) -> None:
        """Somebody has begun to wait."""
        dice, rates = self._dice, self._rates
        if (leaves_s := habits.patience_s(dice, rates.gives_up)) is not None:
            self._later(leaves_s, self._give_up, ticket_id)
        if dice.random() < rates.checks_in:
            self._later(dice.uniform(0.5, 5) * 60, self._check_in, ticket_id)
        if dice.random() < rates.lets_pass:
            self._later(dice.uniform(0.5, 4) * 60, self._let_pass, ticket_id)
        if dice.random() < rates.looks_elsewhere:
            self._later(dice.uniform(1, 5) * 60, self._move, ticket_id)
        if dice.random() < rates.shares:
            self._later(dice.uniform(0.2, 2) * 60, self._share, ticket_id)

    def _later(
        self, after_s: float, do: Callable[[str, Holding], Awaitable[None]], ticket_id: str
    ) -> None:
        async def if_still_in_line() -> None:
            if (holding := self._in_line.holding(ticket_id)) is not None:
                await do(ticket_id, holding)

        self._agenda.put(after_s, if_still_in_line)

    async def _give_up(self, ticket_id: str, holding: Holding) -> None:
        answer = await self._ask(holding.citizen, ticket_id, "cancel")
        if not answer.ok:
            return  # she is being served just now, and stays
        self._figures.gave_up += 1
        if (following := answer.body.get("next_ticket")) is not None:
            # This stop of her visit she gives up, not the rest.
            self._in_line.goes_on(ticket_id, following)
        else:
            self._in_line.ends(ticket_id)

    async def _check_in(self, ticket_id: str, holding: Holding) -> None:
        if (place := self._neighbours.place_of(holding.hall)) is None:
            return
        here = {"place": place | {"accuracy_m": _ACCURACY_M}}
        checked_in = await self._ask(holding.citizen, ticket_id, "check-in", here)
        self._figures.checked_in += checked_in.ok

    async def _let_pass(self, ticket_id: str, holding: Holding) -> None:
        people = {"people": self._dice.choice(_LATE_BY)}
        passed = await self._ask(holding.citizen, ticket_id, "let-pass", people)
        self._figures.let_pass += passed.ok

    async def _move(self, ticket_id: str, holding: Holding) -> None:
        there = None if holding.of_visit else self._neighbours.elsewhere(holding.hall, holding.item)
        if there is None:
            return
        if (await self._ask(holding.citizen, ticket_id, "move", {"hall": there})).ok:
            self._figures.moved += 1
            holding.hall = there

    async def _share(self, ticket_id: str, holding: Holding) -> None:
        """Give the code of the number to whoever got the last one: she follows it."""
        made = await self._ask(holding.citizen, ticket_id, "follow-code")
        if not made.ok:
            return
        self._figures.shared += 1
        family, self._family = self._family, holding.citizen.session
        if family is not None and family is not self._family:
            code = {"code": made.body["code"]}
            followed = await family.ask("POST", "/api/v1/me/followed", code)
            self._figures.followed += followed.ok

    async def _ask(
        self, citizen: Citizen, ticket_id: str, what: str, body: object = None
    ) -> Answer:
        return await citizen.session.ask("POST", f"/api/v1/tickets/{ticket_id}/{what}", body)
