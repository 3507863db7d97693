"""Beyond the plain visit: calling again, parking, sending on, taking a step back."""

from asyncio import gather
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.database import rows
from models.verifying import Scope, verify
from server.tickets.day_end import lapse_past_days
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.people import Person


def later(api: Api, seconds: float) -> None:
    api.turn_clock((api.services.clock.now() + timedelta(seconds=seconds)).isoformat())


async def moves_of(ticket_id: str) -> list[str]:
    found = await rows("SELECT move FROM ticket_event WHERE ticket_id = $1 ORDER BY id", ticket_id)
    return [row["move"] for row in found]


# --- calling again


async def test_who_does_not_come_is_called_again_as_often_as_the_hall_allows(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    for time in (1, 2):
        again = await done(clerk, hall, counter, "recall")
        assert (again["state"], again["recalls"]) == ("called", time)
    assert (await lin.get(f"/tickets/{ticket['id']}")).json()["recalls"] == 2
    assert code_of(await clerk.at(hall, counter, "recall")) == (409, "recall_limit")
    assert (await done(clerk, hall, counter, "miss"))["state"] == "missed"


async def test_the_board_shows_who_is_called_again_first_and_once(
    api: Api, hall: str, clerk: Person
) -> None:
    counters = await open_counters(clerk, hall, "E")
    numbers = [(await a_ticket(api, hall))[1]["number"] for _ in range(2)]
    for counter in counters[:2]:
        await done(clerk, hall, counter, "call-next")
    later(api, 5)
    await done(clerk, hall, counters[0], "recall")

    def called() -> list[str]:
        return [call.number for call in api.services.feed.memory.halls[hall].board.called]

    await until(lambda: called() == numbers)


async def test_a_call_taken_back_is_not_on_the_board_any_more(
    api: Api, hall: str, clerk: Person
) -> None:
    _, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    board = api.services.feed.memory.halls

    await until(lambda: [call.number for call in board[hall].board.called] == [ticket["number"]])
    await done(clerk, hall, counter, "undo")
    await until(lambda: board[hall].board.called == () and board[hall].waiting == 1)


async def test_the_board_lists_who_is_at_a_counter_and_nobody_who_has_left(
    api: Api, hall: str, clerk: Person
) -> None:
    counters = (await open_counters(clerk, hall, "E"))[:3]
    tickets = [await a_ticket(api, hall) for _ in range(5)]
    numbers = [ticket["number"] for _, ticket in tickets]

    async def shows(*expected: tuple[int, str]) -> None:
        halls, wanted = (
            api.services.feed.memory.halls,
            [(numbers[n], state) for n, state in expected],
        )
        await until(lambda: [(one.number, one.state) for one in halls[hall].board.called] == wanted)

    for counter in counters:
        await done(clerk, hall, counter, "call-next")
        later(api, 1)
    await shows((2, "called"), (1, "called"), (0, "called"))
    await done(clerk, hall, counters[2], "start")
    await shows((1, "called"), (0, "called"), (2, "serving"))
    await done(clerk, hall, counters[2], "finish")
    await shows((1, "called"), (0, "called"))
    await done(clerk, hall, counters[1], "miss")
    await shows((0, "called"))
    await done(clerk, hall, counters[0], "start", "park")
    await shows()
    await done(clerk, hall, counters[0], "resume")
    await shows((0, "serving"))
    await done(clerk, hall, counters[1], "call-next")
    await shows((3, "called"), (0, "serving"))
    assert (await tickets[3][0].post(f"/tickets/{tickets[3][1]['id']}/cancel")).status_code == 200
    await shows((0, "serving"))
    await done(clerk, hall, counters[1], "call-next")
    assert (await clerk.at(hall, counters[1], "transfer", {"line": "A"})).status_code == 200
    await shows((0, "serving"))


# --- parking


async def test_a_parked_person_leaves_the_counter_free_and_is_gone_on_with(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, first = await a_ticket(api, hall)
    _, second = await a_ticket(api, hall)
    [counter, other, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start")
    assert (await done(clerk, hall, counter, "park"))["state"] == "parked"
    shown = (await lin.get(f"/tickets/{first['id']}")).json()
    assert (shown["state"], shown["ahead"]) == ("parked", None)
    assert (await done(clerk, hall, counter, "call-next"))["number"] == second["number"]
    assert code_of(await clerk.at(hall, counter, "resume")) == (409, "wrong_state")
    # Another counter goes on with her, if it knows her number.
    assert code_of(await clerk.at(hall, other, "resume")) == (409, "nobody_parked")
    resumed = await clerk.at(hall, other, "resume", {"number": first["number"]})
    assert (resumed.json()["state"], resumed.json()["counter"]) == ("serving", other)
    assert (await done(clerk, hall, other, "finish"))["state"] == "finished"
    assert await moves_of(first["id"]) == ["issue", "call", "start", "park", "resume", "finish"]


async def test_of_several_parked_the_first_by_rank_is_gone_on_with(
    api: Api, hall: str, clerk: Person
) -> None:
    tickets = [(await a_ticket(api, hall))[1] for _ in range(2)]
    [counter, *_] = await open_counters(clerk, hall, "E")
    for _ in tickets:
        await done(clerk, hall, counter, "call-next", "start", "park")
    for ticket in tickets:
        assert (await done(clerk, hall, counter, "resume"))["number"] == ticket["number"]
        await done(clerk, hall, counter, "finish")


async def test_a_parked_person_may_give_up(api: Api, hall: str, clerk: Person) -> None:
    lin, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start", "park")
    assert (await lin.post(f"/tickets/{ticket['id']}/cancel")).json()["state"] == "cancelled"
    assert code_of(await clerk.at(hall, counter, "resume")) == (409, "nobody_parked")


async def test_the_days_end_gives_whoever_is_parked_called_or_held_an_outcome(
    api: Api, hall: str, clerk: Person
) -> None:
    people = [await a_ticket(api, hall) for _ in range(4)]
    [counter, other, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start", "park")
    await done(clerk, hall, counter, "call-next")
    await done(clerk, hall, other, "call-next", "start")
    await clerk.at(hall, other, "transfer", {"counter": counter})
    next_day = datetime.fromisoformat("2026-11-24T00:01:00+08:00")
    await lapse_past_days(now=next_day, feed=api.services.feed)
    ended = [(await lin.get(f"/tickets/{ticket['id']}")).json() for lin, ticket in people]
    assert [one["state"] for one in ended] == ["cancelled", "missed", "cancelled", "cancelled"]
    assert {one["reason"] for one in ended} == {"day_ended"}


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
    later(api, 31)
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
