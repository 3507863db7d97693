"""A counter is worked by whoever staffs it, and by nobody else."""

from asyncio import gather
from typing import Any

import pytest

from models.database import rows
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.people import Person

ANOTHERS = (409, "staffed_by_another")
# What a counter does, and what has been done before.
ACTIONS: dict[str, tuple[tuple[str, ...], Any]] = {
    "call-next": ((), None),
    "recall": (("call-next",), None),
    "start": (("call-next",), None),
    "miss": (("call-next",), None),
    "finish": (("call-next", "start"), None),
    "park": (("call-next", "start"), None),
    "resume": (("call-next", "start", "park"), {}),
    "transfer": (("call-next", "start"), {"line": "A"}),
    "undo": (("call-next",), None),
    "pause": ((), {"reason": "午休"}),
    "close": ((), None),
    "hand-over": ((), {}),
}


@pytest.fixture
async def chen(api: Api, hall: str) -> Person:
    return await api.clerk(hall)


@pytest.fixture
async def wu(api: Api, hall: str) -> Person:
    """Another clerk of the hall."""
    return await api.colleague(f"clerk.{hall}.02")


async def state_of(hall_id: Any) -> list[dict[str, Any]]:
    found = await rows("SELECT * FROM ticket WHERE hall_id = $1 ORDER BY id", hall_id)
    found += await rows("SELECT * FROM counter WHERE hall_id = $1 ORDER BY id", hall_id)
    return [dict(row) for row in found]


@pytest.mark.parametrize("action", ACTIONS)
async def test_nobody_else_does_anything_at_it(
    api: Api, hall: str, chen: Person, wu: Person, action: str
) -> None:
    before, body = ACTIONS[action]
    hall_id = api.services.directory.hall(hall).id
    await a_ticket(api, hall)
    [counter, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, counter, *before)
    counters = (await chen.get(f"/halls/{hall}/counters")).json()["data"]
    [staffed_by] = [one["staffed_by"] for one in counters if one["code"] == counter]
    stood = await state_of(hall_id)
    refused = await wu.at(hall, counter, action, body)
    assert code_of(refused) == ANOTHERS
    assert staffed_by in refused.json()["detail"]
    assert await state_of(hall_id) == stood
    # A manager takes no person away from a clerk, but may send the clerk home.
    manager = await api.manager(hall)
    reply = await manager.at(hall, counter, action, body)
    if action in {"pause", "close", "hand-over"}:
        assert reply.status_code == 200, reply.text
        return
    assert code_of(reply) == ANOTHERS
    assert await state_of(hall_id) == stood
    assert (await chen.at(hall, counter, action, body)).status_code == 200


async def test_with_another_item_she_is_finished_by_her_clerk_alone(
    api: Api, hall: str, chen: Person, wu: Person
) -> None:
    _, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, counter, "call-next", "start")
    body = {"next_item": api.item(hall, "A")}
    assert code_of(await wu.at(hall, counter, "finish", body)) == ANOTHERS
    finished = await chen.at(hall, counter, "finish", body)
    assert (finished.status_code, finished.json()["id"]) == (200, ticket["id"])


async def test_handed_over_it_is_the_next_clerks_alone(
    api: Api, hall: str, chen: Person, wu: Person
) -> None:
    _, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, counter, "call-next")
    given = await chen.at(hall, counter, "hand-over", {"to": f"clerk.{hall}.02"})
    assert given.status_code == 200, given.text
    assert code_of(await chen.at(hall, counter, "start")) == ANOTHERS
    assert (await done(wu, hall, counter, "start", "finish"))["id"] == ticket["id"]
    assert code_of(await chen.at(hall, counter, "call-next")) == ANOTHERS


async def test_where_nobody_works_any_clerk_goes_on_with_who_is_there(
    api: Api, hall: str, chen: Person, wu: Person
) -> None:
    _, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, counter, "call-next", "start", "close")
    assert (await done(wu, hall, counter, "finish"))["id"] == ticket["id"]


async def test_a_step_and_a_hand_over_at_once_come_one_after_the_other(
    api: Api, hall: str, chen: Person, wu: Person
) -> None:
    [counter, *_] = await open_counters(chen, hall, "E")
    for _ in range(8):
        await a_ticket(api, hall)
        await done(chen, hall, counter, "call-next")
        given, started = await gather(
            chen.at(hall, counter, "hand-over", {"to": f"clerk.{hall}.02"}),
            chen.at(hall, counter, "start"),
        )
        assert given.status_code == 200, given.text
        if started.status_code == 409:
            assert code_of(started) == ANOTHERS
            await done(wu, hall, counter, "start")
        await done(wu, hall, counter, "finish")
        assert (await chen.at(hall, counter, "open", {"take_over": True})).status_code == 200


async def test_whose_counter_it_is_costs_no_statement(api: Api, hall: str, chen: Person) -> None:
    await a_ticket(api, hall)
    [counter, *_] = await open_counters(chen, hall, "E")
    for action in ("call-next", "start", "finish"):
        reply, statements = await api.statements(chen.at(hall, counter, action))
        assert (reply.status_code, statements) == (200, 1), action
