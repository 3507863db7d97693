"""Counters: opening, calling, serving."""

from asyncio import gather
from datetime import datetime

import httpx

from models.database import rows
from server.tickets.day_end import lapse_past_days
from tests.conftest import Api
from tests.people import Person


def code_of(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["code"]


async def a_waiting(api: Api, hall: str, line: str = "E") -> str:
    reply = await (await api.citizen()).take(hall, api.item(hall, line))
    assert reply.status_code == 201, reply.text
    number: str = reply.json()["number"]
    return number


async def counter_for(api: Api, hall: str, clerk: Person, *lines: str) -> str:
    """The code of a counter that can serve all these lines."""
    counters = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    found: str = next(one["code"] for one in counters if set(lines) <= set(one["skills"]))
    return found


async def test_a_visit_from_call_to_finish(api: Api, hall: str, clerk: Person) -> None:
    lin = await api.citizen()
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    counter = await counter_for(api, hall, clerk, "E")
    assert (await clerk.at(hall, counter, "open")).json()["state"] == "open"
    for action, state in (("call-next", "called"), ("start", "serving"), ("finish", "finished")):
        reply = await clerk.at(hall, counter, action)
        assert reply.status_code == 200, reply.text
        assert (reply.json()["number"], reply.json()["state"]) == (ticket["number"], state)
        hers = (await lin.get(f"/tickets/{ticket['id']}")).json()
        assert (hers["state"], hers["counter"]) == (state, counter)
    events = await rows(
        "SELECT move, state, actor_kind FROM ticket_event WHERE ticket_id = $1 ORDER BY id",
        ticket["id"],
    )
    assert [(event["move"], event["actor_kind"]) for event in events] == [
        ("issue", "citizen"),
        ("call", "staff"),
        ("start", "staff"),
        ("finish", "staff"),
    ]


async def test_the_one_called_who_does_not_come_is_missed(
    api: Api, hall: str, clerk: Person
) -> None:
    await a_waiting(api, hall)
    counter = await counter_for(api, hall, clerk, "E")
    await clerk.at(hall, counter, "open")
    await clerk.at(hall, counter, "call-next")
    assert (await clerk.at(hall, counter, "miss")).json()["state"] == "missed"
    assert code_of(await clerk.at(hall, counter, "start")) == (409, "wrong_state")


async def test_calls_go_by_rank_time_over_all_lines_of_the_counter(
    api: Api, hall: str, clerk: Person
) -> None:
    counter = await counter_for(api, hall, clerk, "A", "E")
    expected = [await a_waiting(api, hall, line) for line in "EAEAAE"]
    await clerk.at(hall, counter, "open")
    called = []
    for _ in expected:
        called.append((await clerk.at(hall, counter, "call-next")).json()["number"])
        await clerk.at(hall, counter, "start")
        await clerk.at(hall, counter, "finish")
    assert called == expected
    assert code_of(await clerk.at(hall, counter, "call-next")) == (409, "nobody_waiting")


async def test_a_counter_opened_for_one_line_calls_only_that_line(
    api: Api, hall: str, clerk: Person
) -> None:
    counter = await counter_for(api, hall, clerk, "A", "E")
    await a_waiting(api, hall, "A")
    second = await a_waiting(api, hall, "E")
    opened = await clerk.at(hall, counter, "open", {"lines": ["E"]})
    assert opened.json()["serving"] == ["E"]
    assert (await clerk.at(hall, counter, "call-next")).json()["number"] == second


async def test_a_counter_cannot_serve_a_line_it_has_no_skill_for(
    api: Api, hall: str, clerk: Person
) -> None:
    reply = await clerk.at(hall, "01", "open", {"lines": ["Z"]})
    assert code_of(reply) == (422, "line_not_served")


async def test_every_action_in_every_wrong_state_is_refused_and_changes_nothing(
    api: Api, hall: str, clerk: Person
) -> None:
    await a_waiting(api, hall)
    counter = await counter_for(api, hall, clerk, "E")
    pause = {"reason": "午休"}

    async def refused(*actions: str) -> None:
        before = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
        for action in actions:
            body = pause if action == "pause" else None
            reply = await clerk.at(hall, counter, action, body)
            assert code_of(reply) == (409, "wrong_state"), action
        assert (await clerk.get(f"/halls/{hall}/counters")).json()["data"] == before

    await refused("call-next", "start", "finish", "miss", "pause", "close")  # closed
    await clerk.at(hall, counter, "open")
    await refused("start", "finish", "miss")  # open and free
    await clerk.at(hall, counter, "call-next")
    await refused("call-next", "finish")  # somebody is called
    await clerk.at(hall, counter, "start")
    await refused("call-next", "start", "miss")  # somebody is served
    await clerk.at(hall, counter, "finish")
    await clerk.at(hall, counter, "pause", pause)
    await refused("call-next", "start", "finish", "miss", "pause")  # paused


async def test_unknown_counters_and_halls_are_not_found(api: Api, hall: str, clerk: Person) -> None:
    assert code_of(await clerk.at(hall, "99", "call-next")) == (404, "not_found")
    assert code_of(await clerk.at("dg-99", "01", "call-next")) == (403, "not_allowed")


async def test_only_staff_of_the_hall_call(api: Api, hall: str, clerk: Person) -> None:
    assert code_of(await clerk.at("dg-00", "01", "open")) == (403, "not_allowed")
    lin = await api.citizen()
    assert code_of(await lin.at(hall, "01", "open")) == (403, "not_allowed")
    nobody = await api.http.post(f"/api/v1/halls/{hall}/counters/01/open")
    assert code_of(nobody) == (401, "not_signed_in")


async def test_eight_counters_calling_at_once_get_eight_people_in_order(
    api: Api, hall: str, clerk: Person
) -> None:
    counters = [one["code"] for one in (await clerk.get(f"/halls/{hall}/counters")).json()["data"]]
    counters = [
        code
        for code in counters
        if (await clerk.at(hall, code, "open", {"lines": ["E"]})).status_code == 200
    ]
    for _ in range(5):
        expected = [await a_waiting(api, hall) for _ in counters]
        replies = await gather(*(clerk.at(hall, code, "call-next") for code in counters))
        assert sorted(reply.json()["number"] for reply in replies) == expected
        for code in counters:
            await clerk.at(hall, code, "start")
            await clerk.at(hall, code, "finish")


async def test_a_call_costs_one_statement(api: Api, hall: str, clerk: Person) -> None:
    counter = await counter_for(api, hall, clerk, "E")
    await clerk.at(hall, counter, "open")
    spent = []
    for _ in range(4):
        await a_waiting(api, hall)
        reply, statements = await api.statements(clerk.at(hall, counter, "call-next"))
        assert reply.status_code == 200
        spent.append(statements)
        await clerk.at(hall, counter, "start")
        await clerk.at(hall, counter, "finish")
    assert min(spent) == 1  # the projector shares the count: the least is ours


async def test_what_is_open_at_midnight_gets_an_outcome(api: Api, hall: str, clerk: Person) -> None:
    lin = await api.citizen()
    waiting = (await lin.take(hall, api.item(hall, "E"))).json()
    feed = api.services.feed
    evening = datetime.fromisoformat("2026-11-23T20:00:00+08:00")
    await lapse_past_days(now=evening, feed=feed)
    assert (await lin.get(f"/tickets/{waiting['id']}")).json()["state"] == "waiting"
    next_day = datetime.fromisoformat("2026-11-24T00:00:30+08:00")
    assert await lapse_past_days(now=next_day, feed=feed) >= 1
    assert (await lin.get(f"/tickets/{waiting['id']}")).json()["state"] == "cancelled"
    api.turn_clock("2026-11-24T09:30:00+08:00")
    again = await lin.take(hall, api.item(hall, "E"))
    assert again.json()["number"] == "E001"
