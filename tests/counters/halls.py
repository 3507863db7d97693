"""A hall at work, for tests: who waits, and counters that are open."""

from typing import Any

import httpx

from models.database import rows
from tests.conftest import Api
from tests.people import Person


def code_of(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["code"]


async def a_ticket(api: Api, hall: str, line: str = "E") -> tuple[Person, dict[str, Any]]:
    """Somebody who waits in that line, and her ticket."""
    lin = await api.citizen()
    reply = await lin.take(hall, api.item(hall, line))
    assert reply.status_code == 201, reply.text
    return lin, reply.json()


async def open_counters(clerk: Person, hall: str, line: str, *others: str) -> list[str]:
    """The codes of the counters that can serve these lines; they are open for just these."""
    lines = [line, *others]
    counters = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    able = [one["code"] for one in counters if set(lines) <= set(one["skills"])]
    for code in able:
        assert (await clerk.at(hall, code, "open", {"lines": lines})).status_code == 200
    return able


async def done(clerk: Person, hall: str, counter: str, *actions: str) -> dict[str, Any]:
    """What the last of these actions answered; all succeed."""
    answer: dict[str, Any] = {}
    for action in actions:
        reply = await clerk.at(hall, counter, action)
        assert reply.status_code == 200, (action, reply.text)
        answer = reply.json()
    return answer


async def moves_of(ticket_id: str) -> list[str]:
    found = await rows("SELECT move FROM ticket_event WHERE ticket_id = $1 ORDER BY id", ticket_id)
    return [row["move"] for row in found]
