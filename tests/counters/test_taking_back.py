"""A step at a counter is taken back as if it had not been, while nothing has gone on."""

from asyncio import gather
from typing import Any

import pytest

from models.database import rows
from models.verifying import Scope, verify
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, moves_of, open_counters
from tests.people import Person

# --- a step back

STEPS: dict[str, tuple[tuple[str, ...], str, Any]] = {
    "call-next": ((), "waiting", None),
    "start": (("call-next",), "called", None),
    "finish": (("call-next", "start"), "serving", None),
    "miss": (("call-next",), "called", None),
    "park": (("call-next", "start"), "serving", None),
    "resume": (("call-next", "start", "park"), "parked", None),
    "transfer": (("call-next", "start"), "serving", {"line": "A"}),
}


@pytest.mark.parametrize("action", STEPS)
async def test_a_step_is_taken_back_as_if_it_had_not_been(
    api: Api, hall: str, clerk: Person, action: str
) -> None:
    before, state, body = STEPS[action]
    lin, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, *before)
    [stood] = await rows("SELECT * FROM ticket WHERE id = $1", ticket["id"])
    assert (await clerk.at(hall, counter, action, body)).status_code == 200
    undone = await done(clerk, hall, counter, "undo")
    assert (undone["state"], undone["number"]) == (state, ticket["number"])
    [stands] = await rows("SELECT * FROM ticket WHERE id = $1", ticket["id"])
    assert {**stands, "version": 0} == {**stood, "version": 0}
    assert stands["version"] > stood["version"]
    assert (await moves_of(ticket["id"]))[-1] == "undo"
    # Only the last step, and only once.
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "nothing_to_undo")
    assert (await lin.get(f"/tickets/{ticket['id']}")).json()["state"] == state


async def test_sent_to_another_hall_she_is_taken_back_with_the_number_she_had(
    api: Api, hall: str, clerk: Person
) -> None:
    other = await api.quiet_hall()
    lin, mine = await a_ticket(api, hall)
    await a_ticket(api, other)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start")
    [stood] = await rows("SELECT * FROM ticket WHERE id = $1", mine["id"])
    sent = await clerk.at(hall, counter, "transfer", {"hall": other})
    assert sent.json()["number"] == "E002"
    undone = await done(clerk, hall, counter, "undo")
    assert (undone["hall"], undone["number"], undone["state"]) == (hall, mine["number"], "serving")
    [stands] = await rows("SELECT * FROM ticket WHERE id = $1", mine["id"])
    assert {**stands, "version": 0} == {**stood, "version": 0}
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "nothing_to_undo")
    # The number that she had there is nobody's again: the next is the next.
    _, theirs = await a_ticket(api, other)
    assert theirs["number"] == "E003"
    memory = api.services.feed.memory
    await until(lambda: memory.halls[other].waiting == 2)
    assert (await lin.get(f"/tickets/{mine['id']}")).json()["state"] == "serving"
    for code in (hall, other):
        verdict = await verify(Scope(api.services.directory.hall(code).id))
        assert verdict.found.counts == {}
    assert (await done(clerk, hall, counter, "finish"))["id"] == mine["id"]


async def test_who_has_gone_on_at_the_other_hall_is_not_taken_back(
    api: Api, hall: str, clerk: Person
) -> None:
    other = await api.quiet_hall()
    _, mine = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    assert (await clerk.at(hall, counter, "transfer", {"hall": other})).status_code == 200
    theirs = await api.clerk(other)
    [there, *_] = await open_counters(theirs, other, "E")
    assert (await done(theirs, other, there, "call-next"))["id"] == mine["id"]
    refused = await clerk.at(hall, counter, "undo")
    assert (code_of(refused), refused.json()["state"]) == ((409, "wrong_state"), "called")
    assert (await moves_of(mine["id"]))[-1] == "call"


async def test_taking_back_and_calling_at_the_other_hall_at_once_happen_one_after_the_other(
    api: Api, hall: str, clerk: Person
) -> None:
    other = await api.quiet_hall()
    theirs = await api.clerk(other)
    [counter, *_] = await open_counters(clerk, hall, "E")
    [there, *_] = await open_counters(theirs, other, "E")
    for _ in range(6):
        await a_ticket(api, hall)
        await done(clerk, hall, counter, "call-next")
        assert (await clerk.at(hall, counter, "transfer", {"hall": other})).status_code == 200
        undone, called = await gather(
            clerk.at(hall, counter, "undo"), theirs.at(other, there, "call-next")
        )
        assert sorted((undone.status_code, called.status_code)) == [200, 409]
        if undone.status_code == 200:
            assert code_of(called) == (409, "nobody_waiting")
            await done(clerk, hall, counter, "start", "finish")
        else:
            assert code_of(undone) == (409, "wrong_state")
            await done(theirs, other, there, "start", "finish")


async def test_after_half_a_minute_nothing_is_taken_back(
    api: Api, hall: str, clerk: Person
) -> None:
    await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "nothing_to_undo")
    await done(clerk, hall, counter, "call-next")
    api.later(seconds=31)
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "nothing_to_undo")


async def test_what_has_gone_on_since_is_not_taken_back(api: Api, hall: str, clerk: Person) -> None:
    lin, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    await lin.post(f"/tickets/{ticket['id']}/cancel")
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "wrong_state")
    _, second = await a_ticket(api, hall)
    await done(clerk, hall, counter, "call-next", "start", "finish")
    await clerk.at(hall, counter, "close")
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "wrong_state")
    assert (await moves_of(second["id"]))[-1] == "finish"


async def test_who_took_another_number_since_is_not_served_twice(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start", "finish")
    assert (await lin.take(hall, ticket["item"])).status_code == 201
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "already_in_line")


async def test_a_miss_is_taken_back_whatever_she_tries_meanwhile(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "miss")
    assert code_of(await lin.take(hall, ticket["item"])) == (409, "missed_number_kept")
    assert (await done(clerk, hall, counter, "undo"))["state"] == "called"
