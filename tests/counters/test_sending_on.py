"""Sending on: to another line, counter or hall."""

from uuid import UUID

import pytest

from models.database import rows
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.people import Person

# --- sending on


async def test_sent_to_another_line_she_gets_its_number_and_keeps_her_place(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, mine = await a_ticket(api, hall, "E")
    await a_ticket(api, hall, "A")
    [counter, *_] = await open_counters(clerk, hall, "E", "A")
    await done(clerk, hall, counter, "call-next", "start")
    sent = await clerk.at(hall, counter, "transfer", {"line": "A"})
    assert sent.status_code == 200, sent.text
    now = sent.json()
    assert (now["id"], now["state"], now["line"]) == (mine["id"], "waiting", "A")
    assert (now["number"], now["ahead"], now["counter"]) == ("A002", 0, None)
    assert (await lin.get(f"/tickets/{mine['id']}")).json()["number"] == "A002"
    assert (await done(clerk, hall, counter, "call-next"))["id"] == mine["id"]
    [event] = await rows(
        "SELECT detail, number, counter_id FROM ticket_event WHERE ticket_id = $1"
        " AND move = 'transfer'",
        mine["id"],
    )
    assert (event["detail"], event["number"]) == (mine["number"], "A002")
    assert event["counter_id"] is not None


async def test_sent_to_another_counter_only_that_one_calls_her_while_it_is_open(
    api: Api, hall: str, clerk: Person
) -> None:
    _, mine = await a_ticket(api, hall)
    _, next_one = await a_ticket(api, hall)
    [here, there, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, here, "call-next")
    sent = (await clerk.at(hall, here, "transfer", {"counter": there})).json()
    assert (sent["state"], sent["counter"], sent["number"]) == ("waiting", there, mine["number"])
    assert (await done(clerk, hall, here, "call-next"))["id"] == next_one["id"]
    await done(clerk, hall, here, "start", "finish")
    assert code_of(await clerk.at(hall, here, "call-next")) == (409, "nobody_waiting")
    assert (await done(clerk, hall, there, "call-next"))["id"] == mine["id"]


async def test_nobody_waits_for_a_counter_that_has_closed(
    api: Api, hall: str, clerk: Person
) -> None:
    _, mine = await a_ticket(api, hall)
    [here, there, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, here, "call-next")
    await clerk.at(hall, here, "transfer", {"counter": there})
    await clerk.at(hall, there, "pause", {"reason": "午休"})
    assert (await done(clerk, hall, here, "call-next"))["id"] == mine["id"]


async def test_sent_to_a_counter_that_does_not_serve_her_line_she_gets_one_of_its_own(
    api: Api, hall: str, clerk: Person
) -> None:
    _, mine = await a_ticket(api, hall, "E")
    both = await open_counters(clerk, hall, "E", "A")
    here, there = both[0], both[1]
    await clerk.at(hall, there, "open", {"lines": ["A"]})
    await done(clerk, hall, here, "call-next")
    sent = (await clerk.at(hall, here, "transfer", {"counter": there})).json()
    assert (sent["line"], sent["number"], sent["counter"]) == ("A", "A001", there)
    assert code_of(await clerk.at(hall, here, "call-next")) == (409, "nobody_waiting")
    assert (await done(clerk, hall, there, "call-next"))["id"] == mine["id"]


async def test_sent_to_another_hall_she_waits_there_with_her_seniority(
    api: Api, hall: str, clerk: Person
) -> None:
    other = await api.quiet_hall()
    lin, mine = await a_ticket(api, hall)
    _, theirs = await a_ticket(api, other)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    sent = await clerk.at(hall, counter, "transfer", {"hall": other})
    assert sent.status_code == 200, sent.text
    assert (sent.json()["hall"], sent.json()["number"], sent.json()["ahead"]) == (other, "E002", 0)
    memory = api.services.feed.memory
    await until(lambda: memory.ticket(UUID(mine["id"])) is not None)
    told = (await lin.get(f"/tickets/{mine['id']}")).json()
    assert (told["hall"], told["reason"], told["reason_text"]) == (other, "sent_on", None)
    assert told["sent_from"] == {"hall": hall, "line": "E", "number": mine["number"]}
    await until(lambda: (memory.halls[hall].waiting, memory.halls[other].waiting) == (0, 2))
    their_clerk = await api.clerk(other)
    [there, *_] = await open_counters(their_clerk, other, "E")
    for expected in (mine["id"], theirs["id"]):
        assert (await done(their_clerk, other, there, "call-next"))["id"] == expected
        await done(their_clerk, other, there, "start", "finish")


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({}, (422, "invalid_request")),
        ({"line": "A", "hall": "dg-01"}, (422, "invalid_request")),
        ({"line": "Z"}, (404, "not_found")),
        ({"line": "E"}, (409, "wrong_state")),
        ({"counter": "99"}, (404, "not_found")),
        ({"hall": "dg-99"}, (404, "not_found")),
        ({"counter": "its own"}, (409, "wrong_state")),
        ({"hall": "its own"}, (409, "wrong_state")),
    ],
)
async def test_nobody_is_sent_where_she_cannot_go(
    api: Api, hall: str, clerk: Person, body: dict[str, str], refused: tuple[int, str]
) -> None:
    await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    called = await done(clerk, hall, counter, "call-next")
    own = {"counter": counter, "hall": hall}
    body = {key: own[key] if value == "its own" else value for key, value in body.items()}
    assert code_of(await clerk.at(hall, counter, "transfer", body)) == refused
    assert (await done(clerk, hall, counter, "start"))["id"] == called["id"]


async def test_a_paused_line_and_a_full_hall_take_nobody_who_is_sent(
    api: Api, hall: str, clerk: Person
) -> None:
    other = await api.quiet_hall()
    await a_ticket(api, other)
    await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    halls = api.services.directory
    await rows("UPDATE line SET state = 'paused' WHERE id = $1", halls.hall(hall).lines["A"].id)
    await rows("UPDATE line SET waiting_limit = 1 WHERE id = $1", halls.hall(other).lines["E"].id)
    sent = await clerk.at(hall, counter, "transfer", {"line": "A"})
    assert code_of(sent) == (409, "line_closed")
    sent = await clerk.at(hall, counter, "transfer", {"hall": other})
    assert code_of(sent) == (409, "line_full")
