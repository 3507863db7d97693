"""Citizens and clerks who do whatever they may, at random, and note every answer they get."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.people import Person

Ticket = dict[str, Any]


@dataclass
class Noted:
    """What was answered: done, refused, or nobody knows (the process died, or 5xx)."""

    operations: int = 0
    # Of each ticket how often each move was done, and its newest answer.
    done: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    newest: dict[str, Ticket] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[str, str]] = field(default_factory=list)
    # Each request with a key: who sent it, what, and the first answer, if it came.
    keyed: dict[str, tuple[Person, dict[str, Any], httpx.Response | None]] = field(
        default_factory=dict
    )

    def hear(self, move: str, reply: httpx.Response | None) -> Ticket | None:
        """Note the answer to an operation; the ticket, if it was done."""
        self.operations += 1
        if reply is None or reply.status_code >= 500:
            self.unknown[move] += 1
            return None
        if not reply.is_success:
            assert reply.status_code in {403, 404, 409}, reply.text
            self.refused[reply.json()["code"]] += 1
            return None
        ticket: Ticket = reply.json()
        self.done[ticket["id"]][move] += 1
        before = self.newest.get(ticket["id"])
        if before is None or before["version"] < ticket["version"]:
            self.newest[ticket["id"]] = ticket
        return ticket


async def asked(request: Callable[[], Any]) -> httpx.Response | None:
    """An answer, or None when none came."""
    try:
        reply: httpx.Response = await request()
    except httpx.HTTPError:
        await asyncio.sleep(0.02)
        return None
    if reply.status_code >= 500:
        await asyncio.sleep(0.02)  # somebody is away for a moment
    return reply


@dataclass
class Halls:
    """The halls in which people are, and what is offered in all of them."""

    codes: Sequence[str]
    items: Sequence[str]
    lines: Sequence[str]


@dataclass
class Citizen:
    """She takes numbers, and changes her mind."""

    person: Person
    name: int
    halls: Halls
    noted: Noted
    dice: random.Random
    hers: list[str] = field(default_factory=list)
    keys: int = 0

    async def act(self) -> None:
        """Do one thing or another."""
        if not self.hers or self.dice.random() < 0.35:
            await self._take()
            return
        ticket = self.dice.choice(self.hers[-3:])
        what = self.dice.choice(("cancel", "let_pass", "move", "move"))
        body = {
            "cancel": None,
            "let_pass": {"people": self.dice.randint(1, 3)},
            "move": {"hall": self.dice.choice(self.halls.codes)},
        }[what]
        path = f"/tickets/{ticket}/{what.replace('_', '-')}"
        self.noted.hear(what, await asked(lambda: self.person.post(path, body)))

    async def _take(self) -> None:
        self.keys += 1
        key = f"{self.name}-{self.keys}"
        hall, item = self.dice.choice(self.halls.codes), self.dice.choice(self.halls.items)
        body: dict[str, Any] = {"hall": hall, "item": item}
        if self.dice.random() < 0.2:
            body["priority_claim"] = "pregnant"
        post = self.person.post
        reply = await asked(lambda: post("/tickets", body, Idempotency_Key=key))
        self.noted.keyed[key] = (self.person, body, reply)
        if ticket := self.noted.hear("issue", reply):
            self.hers.append(ticket["id"])


# What a clerk does at her counter, more or less often.
_AT_COUNTER = {
    "call-next": 8,
    "start": 6,
    "finish": 4,
    "miss": 2,
    "park": 2,
    "resume": 2,
    "recall": 1,
    "transfer": 3,
    "undo": 3,
}


@dataclass
class Clerk:
    """She works at one counter."""

    person: Person
    hall: str
    counter: str
    others: Sequence[str]
    halls: Halls
    noted: Noted
    dice: random.Random

    async def act(self) -> None:
        """Do one thing or another."""
        if self.dice.random() < 0.12:
            await self._at_the_desk()
            return
        [what] = self.dice.choices([*_AT_COUNTER], [*_AT_COUNTER.values()])
        body = self._to() if what == "transfer" else None
        reply = await asked(lambda: self.person.at(self.hall, self.counter, what, body))
        ticket = self.noted.hear("call" if what == "call-next" else what, reply)
        if ticket and what == "miss":
            self.noted.missed.append((self.hall, ticket["id"]))

    def _to(self) -> dict[str, str]:
        return self.dice.choice(
            [
                {"line": self.dice.choice(self.halls.lines)},
                {"counter": self.dice.choice(self.others)},
                {"hall": self.dice.choice(self.halls.codes)},
            ]
        )

    async def _at_the_desk(self) -> None:
        if self.noted.missed and self.dice.random() < 0.6:
            hall, ticket = self.dice.choice(self.noted.missed[-5:])
            what, path = "return", f"/halls/{hall}/tickets/{ticket}/return"
        else:
            taken = [one for one in self.noted.newest.values() if one["priority"]]
            if not taken:
                return
            one = self.dice.choice(taken[-5:])
            what, path = "confirm", f"/halls/{one['hall']}/tickets/{one['id']}/confirm-priority"
        self.noted.hear(what, await asked(lambda: self.person.post(path)))


async def drive(
    actors: Sequence[Citizen | Clerk],
    operations: int,
    noted: Noted,
    *,
    after: int,
    then: Callable[[], None],
) -> None:
    """Let all act at once, each one thing after another, until so many operations were tried.

    When `after` of them were, `then` something happens, once.
    """
    begun, happened = noted.operations, False

    async def go_on(actor: Citizen | Clerk) -> None:
        nonlocal happened
        while (tried := noted.operations - begun) < operations:
            if tried >= after and not happened:
                happened = True
                then()
            await actor.act()

    await asyncio.gather(*(go_on(actor) for actor in actors))
