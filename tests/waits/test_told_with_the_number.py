"""Who takes a number is told her wait at once, and that is what is kept as told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from models import promises
from models.database import rows
from models.promises import Told
from server.live.memory import Change
from server.live.state import Wait
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, done, open_counters
from tests.identity.families import a_named_citizen
from tests.visits.coming import a_visit
from tests.waits.foretelling import foretold, whoever_joins
from tests.waits.test_promises import came_true, promised, settled

TOLD = (300, 600, 1500)
ELDER = date(1950, 3, 1)


@pytest.fixture
async def hall(api: Api) -> AsyncIterator[str]:
    hall = await api.quiet_hall()
    with foretold(api, hall, lambda _: whoever_joins("E", *TOLD)):
        await api.services.feed.changed(Change(hall))
        await until(lambda: line_of(api, hall).wait == Wait(*TOLD))
        yield hall


def line_of(api: Api, hall: str, code: str = "E") -> Any:
    board = api.services.feed.memory.halls[hall].board
    return next(line for line in board.lines if line.code == code)


async def kept(ticket: dict[str, Any]) -> tuple[int, int, int]:
    [row] = await rows(
        "SELECT p10_s, p50_s, p90_s FROM promise WHERE ticket_id = $1 AND told = 'issue'",
        UUID(ticket["id"]),
    )
    return row["p10_s"], row["p50_s"], row["p90_s"]


async def test_the_number_comes_with_the_wait_and_costs_two_statements_as_ever(
    api: Api, hall: str
) -> None:
    lin = await api.citizen()
    reply, statements = await api.statements(lin.take(hall, api.item(hall, "E")))
    assert reply.status_code == 201
    assert reply.json()["wait"] == {"p10_s": 300, "p50_s": 600, "p90_s": 1500, "basis": "live"}
    assert statements == 2


async def test_what_is_kept_is_what_was_told_with_the_number(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    _, ticket = await a_ticket(api, hall)
    api.later(minutes=1)
    # What is foreseen once she stands in line is a little different, and a moment later.
    await promises.keep([promised(api, ticket, 1, 2, 3), promised(api, ticket, told=Told.NEAR)])
    assert await kept(ticket) == TOLD
    api.later(minutes=4)
    await done(clerk, hall, counter, "call-next")
    await settled(api, hall)
    assert await came_true(ticket) == pytest.approx(300, abs=29)
    assert await came_true(ticket, Told.NEAR) == pytest.approx(240, abs=29)


async def test_who_is_called_before_anybody_looked_was_told_something_all_the_same(
    api: Api, hall: str
) -> None:
    _, ticket = await a_ticket(api, hall)
    nothing_more = {"p10_s": None, "p50_s": None, "p90_s": None}
    told = promised(api, ticket)
    for name, value in nothing_more.items():
        object.__setattr__(told, name, value)
    await promises.keep([told])
    assert await kept(ticket) == TOLD


async def test_where_nothing_was_known_nothing_is_kept_as_told_with_the_number(api: Api) -> None:
    hall = await api.quiet_hall()
    with foretold(api, hall, lambda _: whoever_joins("A", *TOLD)):
        await api.services.feed.changed(Change(hall))
        # Both lines are of one look: what that of another said before is not shown any more.
        await until(lambda: line_of(api, hall, "A").wait == Wait(*TOLD))
        assert line_of(api, hall).wait is None
        _, ticket = await a_ticket(api, hall)
    assert ticket["wait"] is None
    await promises.keep([promised(api, ticket, 1, 2, 3)])
    assert await kept(ticket) == (1, 2, 3)


async def test_a_claim_that_nobody_has_confirmed_changes_no_wait(api: Api, hall: str) -> None:
    lin = await api.citizen()
    reply = await lin.take(hall, api.item(hall, "E"), priority_claim="pregnant")
    assert (reply.status_code, reply.json()["wait"]["p50_s"]) == (201, 600)
    clerk = await api.clerk(hall)
    path = f"/halls/{hall}/tickets"
    reply = await clerk.post(path, {"item": api.item(hall, "E"), "priority": "pregnant"})
    # Confirmed by the clerk, she goes before others: how long that leaves her nobody has foreseen.
    assert (reply.status_code, reply.json()["wait"]) == (201, None)


async def test_what_nobody_was_told_is_not_kept_as_told(api: Api, hall: str) -> None:
    clerk, item = await api.clerk(hall), api.item(hall, "E")
    preferred = (
        await clerk.post(f"/halls/{hall}/tickets", {"item": item, "priority": "pregnant"})
    ).json()
    elder = await a_named_citizen(api, born=ELDER)
    old = (await elder.take(hall, item)).json()
    _, visit, _ = await a_visit(api, hall, "E", "A")
    [first] = [stop["ticket"] for stop in visit["stops"] if stop["ticket"]]
    assert (preferred["wait"], old["wait"]) == (None, None)
    assert old["priority"]["confirmed"]
    for ticket_id in (preferred["id"], old["id"], first):
        told = promised(api, preferred | {"id": ticket_id})
        await promises.keep([replace(told, p10_s=None, p50_s=None, p90_s=None)])
        found = await rows("SELECT 1 FROM promise WHERE ticket_id = $1", UUID(ticket_id))
        assert found == [], ticket_id


async def test_who_is_preferred_at_the_moment_of_her_number_was_told_of_another_place(
    api: Api, hall: str
) -> None:
    elder = await a_named_citizen(api, born=ELDER)
    old = (await elder.take(hall, api.item(hall, "E"))).json()
    [row] = await rows("SELECT issued_at FROM ticket WHERE id = $1", UUID(old["id"]))
    await promises.keep([replace(promised(api, old), made_at=row["issued_at"])])
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    await settled(api, hall)
    assert await came_true(old) is None


async def test_a_wait_that_nobody_keeps_up_to_date_is_not_told(
    api: Api, hall: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services.feed.memory, "oldest_age_s", lambda _: 3_600.0)
    _, ticket = await a_ticket(api, hall)
    assert ticket["wait"] is None
