"""What a clerk does with the person who was called, until she leaves the counter."""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from integrations.sandbox.crowd import habits
from integrations.sandbox.crowd.city import City
from integrations.sandbox.crowd.desk import Desk
from integrations.sandbox.crowd.door import Answer, Session

_UNKNOWN_ITEM_MINUTES = 10
_BOARD_FOLLOWS_REAL_S = 3.0

Ticket = dict[str, Any]


class Hall(Protocol):
    """What a clerk sees of the hall."""

    code: str
    desk: Desk
    opened: asyncio.Event

    @property
    def waiting(self) -> int:
        """How many wait in all its lines."""

    def is_closed(self, counter: str) -> bool:
        """Whether the board shows this counter as closed."""

    def minutes_of(self, item: str) -> int | None:
        """How long an item mostly takes."""

    def another_item(self, item: str) -> str | None:
        """Something else that people come for."""

    def another_line(self, line: str) -> str | None:
        """Another line of the hall that somebody serves."""

    def another_counter(self, counter: str, line: str) -> str | None:
        """Another counter that serves this line now."""

    def colleague(self) -> str | None:
        """The user name of a clerk who works nowhere now."""

    def alarm(self, alert: str) -> None:
        """Let the manager know of an emergency call."""

    async def number_at(self, counter: str) -> str | None:
        """Look at the board: the number at this counter."""


@dataclass(slots=True)
class At:
    """A counter, and who works there."""

    city: City
    hall: Hall
    counter: str
    session: Session
    dice: Random

    async def do(self, what: str, body: dict[str, Any] | None = None) -> Answer:
        """Ask for one of the counter's steps."""
        path = f"/api/v1/halls/{self.hall.code}/counters/{self.counter}/{what}"
        return await self.session.ask("POST", path, body)

    def happens(self, share: float) -> bool:
        """Whether something happens that does so often."""
        return self.dice.random() < share

    async def sleep(self, least_s: float, most_s: float) -> None:
        """Let some business seconds pass."""
        await self.city.tempo.sleep(self.dice.uniform(least_s, most_s))


async def comes(at: At, ticket: Ticket) -> bool:
    """Whether the person called comes, perhaps when called again; else she is marked as missed."""
    rates, figures = at.city.plan.rates, at.city.figures
    here = at.happens(rates.comes_when_called)
    await at.city.tempo.sleep(habits.walk_to_counter_s(at.dice))
    if not here and at.happens(rates.recalls) and (await at.do("recall")).ok:
        figures.recalled += 1
        await at.city.tempo.sleep(habits.walk_to_counter_s(at.dice))
        here = at.happens(rates.comes_when_recalled)
    if not here and (await at.do("miss")).ok:
        figures.missed += 1
        if at.happens(rates.comes_back):
            at.hall.desk.expect_back(ticket["id"])
        else:
            at.city.citizens.goes_home(ticket["id"])
    return here


def service_s(at: At, ticket: Ticket) -> float:
    """How many business seconds this visit takes."""
    minutes = at.hall.minutes_of(ticket["item"]) or _UNKNOWN_ITEM_MINUTES
    return habits.service_s(at.dice, minutes)


async def serve(at: At, ticket: Ticket, seconds: float) -> bool:
    """Serve her, or see that she is to go elsewhere first; whether she was parked.

    She is at the counter, and started.
    """
    rates = at.city.plan.rates
    if at.happens(rates.parks):
        await at.city.tempo.sleep(seconds / 4)
        if (await at.do("park")).ok:
            at.city.figures.parked += 1
            return True
    elif await _sent_on(at, ticket, seconds):
        return False
    if at.happens(rates.calls_for_help):
        await _call_for_help(at)
    await at.city.tempo.sleep(seconds)
    if await _was_finished_by_another(at, ticket, seconds):
        at.city.citizens.goes_home(ticket["id"])
        return False
    await finish(at, ticket)
    return False


async def finish(at: At, ticket: Ticket) -> None:
    """Finish her, and go on with whatever else she has come for."""
    rates, figures = at.city.plan.rates, at.city.figures
    another = at.hall.another_item(ticket["item"]) if at.happens(rates.next_item) else None
    body = {"outcome": habits.outcome(at.dice)}
    wanted = body | ({"next_item": another} if another else {})
    answer = await at.do("finish", wanted)
    if answer.ok and at.happens(rates.slips):
        # The button was pressed too early.
        await at.sleep(2, 8)
        if (await at.do("undo")).ok:
            figures.undone += 1
            await at.sleep(20, 90)
            answer = await at.do("finish", wanted)
    if another and not answer.ok:
        # She is in that line already, or it is closed: then not today.
        another, answer = None, await at.do("finish", body)
    if not answer.ok:
        return
    figures.served += 1
    if body["outcome"] == "accepted":
        at.city.citizens.was_accepted(ticket["id"], ticket["item"], at.hall.code)
    following = answer.body.get("next_ticket")
    if following is None:
        at.city.citizens.goes_home(ticket["id"])
        return
    figures.next_items += another is not None
    figures.next_stops += another is None
    at.city.citizens.goes_on(ticket["id"], following)


async def _sent_on(at: At, ticket: Ticket, seconds: float) -> bool:
    """Whether it shows soon that she is to go to another line, counter or hall, and she went."""
    rates, figures, at_all = at.city.plan.rates, at.city.figures, at.dice.random()
    to: dict[str, str | None] = {}
    if at_all < rates.sent_to_line:
        to = {"line": at.hall.another_line(ticket["line"])}
    elif at_all < rates.sent_to_line + rates.sent_to_counter:
        to = {"counter": at.hall.another_counter(at.counter, ticket["line"])}
    elif at_all < rates.sent_to_line + rates.sent_to_counter + rates.sent_to_hall:
        to = {"hall": at.city.neighbours.any_hall_but(at.hall.code, at.dice, ticket["item"])}
    if not any(to.values()):
        return False
    await at.city.tempo.sleep(min(seconds / 3, at.dice.uniform(20, 90)))
    if not (await at.do("transfer", to)).ok:
        return False
    figures.sent_to_line += "line" in to
    figures.sent_to_counter += "counter" in to
    figures.sent_to_hall += "hall" in to
    return True


async def _call_for_help(at: At) -> None:
    note = at.dice.choice(habits.EMERGENCIES)
    answer = await at.do("emergency", {"note": note})
    if answer.ok:
        at.city.figures.alarms += 1
        at.hall.alarm(answer.body["id"])


async def _was_finished_by_another(at: At, ticket: Ticket, seconds: float) -> bool:
    """Whether a human has finished this visit meanwhile and called somebody else."""
    if at.city.tempo.real_s(seconds) <= _BOARD_FOLLOWS_REAL_S:
        return False
    return await at.hall.number_at(at.counter) not in (None, ticket["number"])
