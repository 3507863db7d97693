"""A line that is stopped in an emergency, and where those go who wait in it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from models.database import rows
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.people import Person
from tests.tickets.test_priorities import order
from tests.visits.coming import a_visit

WHY = {"reason": "社保系统故障", "reason_en": "System failure"}


@pytest.fixture
async def other(api: Api) -> str:
    return await api.quiet_hall()


@pytest.fixture
async def manager(api: Api, hall: str) -> Person:
    return await api.manager(hall)


async def stop(manager: Person, hall: str, line: str, **more: Any) -> dict[str, Any]:
    reply = await manager.post(f"/halls/{hall}/lines/{line}/stop", {**WHY, **more})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def shown(person: Person, ticket: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await person.get(f"/tickets/{ticket['id']}")).json()
    return found


def told(ticket: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    return ticket["reason"], ticket["reason_text"], ticket["reason_text_en"]


async def waits_in(
    api: Api, hall: str, line: str, manager: Person
) -> tuple[Person, dict[str, Any]]:
    """Somebody who takes a number once the line is open again."""
    opened = await manager.post(f"/halls/{hall}/lines/{line}/open")
    assert opened.status_code == 200, opened.text
    return await a_ticket(api, hall, line)


async def events(ticket: dict[str, Any]) -> list[tuple[str, str | None]]:
    found = await rows(
        "SELECT move, detail FROM ticket_event WHERE ticket_id = $1 ORDER BY id", ticket["id"]
    )
    return [(row["move"], row["detail"]) for row in found]


def on_board(api: Api, hall: str, line: str) -> Any:
    board = api.services.feed.memory.halls[hall].board
    return next(one for one in board.lines if one.code == line)


async def test_a_stopped_line_takes_nobody_more_and_says_why(
    api: Api, hall: str, manager: Person
) -> None:
    stopped = await stop(manager, hall, "E")
    assert (stopped["state"], stopped["reason"]) == ("stopped", "社保系统故障")
    refused = await (await api.citizen()).take(hall, api.item(hall, "E"))
    assert code_of(refused) == (409, "line_closed")
    assert "社保系统故障" in refused.json()["detail"]
    lin = await api.citizen()
    english = await lin.post(
        "/tickets", {"hall": hall, "item": api.item(hall, "E")}, Accept_Language="en"
    )
    assert english.json()["detail"].endswith("now: System failure.")
    assert (await lin.take(hall, api.item(hall, "A"))).status_code == 201


async def test_without_a_place_to_go_they_stay_and_are_told(
    api: Api, hall: str, manager: Person
) -> None:
    lin, ticket = await a_ticket(api, hall)
    stopped = await stop(manager, hall, "E")
    assert (stopped["sent"], stopped["stayed"]) == (0, 1)
    now = await shown(lin, ticket)
    assert (now["state"], now["number"], now["line"]) == ("waiting", ticket["number"], "E")
    assert (await events(ticket))[-1] == ("stay", "社保系统故障 | System failure")
    words = ("line_stopped", "社保系统故障", "System failure")
    assert told(now) == words
    memory, ticket_id = api.services.feed.memory, UUID(ticket["id"])
    await until(lambda: (live := memory.ticket(ticket_id)) and live.view.reason == "line_stopped")
    assert told(await shown(lin, ticket)) == words
    [listed] = (await lin.get("/tickets")).json()["data"]
    assert told(listed) == words
    # She is called all the same, and then it is no matter; opened again, it is none for nobody.
    _, other = await waits_in(api, hall, "E", manager)
    await until(lambda: (live := memory.ticket(ticket_id)) and live.view.reason is None)
    assert told(await shown(lin, ticket)) == (None, None, None)
    await stop(manager, hall, "E")
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    called = await done(clerk, hall, counter, "call-next")
    assert (called["id"], told(called)) == (ticket["id"], (None, None, None))
    assert (await done(clerk, hall, counter, "start", "finish"))["state"] == "finished"
    assert (await done(clerk, hall, counter, "call-next"))["id"] == other["id"]


async def test_sent_to_another_line_they_keep_their_order_and_get_its_numbers(
    api: Api, hall: str, manager: Person
) -> None:
    async def at(moment: str, line: str) -> tuple[Person, dict[str, Any]]:
        api.turn_clock(f"2026-11-23T{moment}:00+08:00")
        return await a_ticket(api, hall, line)

    first = await at("09:30", "E")
    between = await at("09:31", "A")
    second = await at("09:32", "E")
    stopped = await stop(manager, hall, "E", to={"line": "A"})
    assert (stopped["sent"], stopped["stayed"]) == (2, 0)
    await until(lambda: on_board(api, hall, "A").waiting == 3)
    now = [await shown(*one) for one in (first, between, second)]
    assert [ticket["line"] for ticket in now] == ["A", "A", "A"]
    assert told(now[0]) == ("sent_on", "社保系统故障", "System failure")
    assert now[0]["sent_from"] == {"hall": hall, "line": "E", "number": "E001"}
    assert (told(now[1]), now[1]["sent_from"]) == ((None, None, None), None)
    assert await order(*between) == [("A002", "transferred")]
    assert [ticket["number"] for ticket in now] == ["A002", "A001", "A003"]
    assert [ticket["ahead"] for ticket in now] == [0, 1, 2]
    assert (await events(first[1]))[-1] == (
        "reroute",
        f"E001@{hall} 社保系统故障 | System failure",
    )
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "A")
    called = []
    for _ in range(3):
        called.append((await done(clerk, hall, counter, "call-next"))["number"])
        await done(clerk, hall, counter, "miss")
    assert called == ["A002", "A001", "A003"]


async def test_sent_to_another_hall_go_those_whose_items_it_offers(
    api: Api, hall: str, other: str, manager: Person
) -> None:
    offered = api.services.directory.hall(other).offers
    theirs = [
        item
        for item, line in api.services.directory.hall(hall).offers.items()
        if line == "E" and api.services.directory.item(item).level_required == 0
    ]
    goes = next(item for item in theirs if item in offered)
    lin, mei = await api.citizen(), await api.citizen()
    first = (await lin.take(hall, goes)).json()
    second = (await mei.take(hall, goes)).json()
    entry = api.services.directory.hall(other)
    # As if the other hall did not offer what the second came for.
    await rows("UPDATE ticket SET item_id = gen_random_uuid() WHERE id = $1", second["id"])
    try:
        stopped = await stop(manager, hall, "E", to={"hall": other})
    finally:
        item = api.services.directory.item(goes)
        await rows("UPDATE ticket SET item_id = $2 WHERE id = $1", second["id"], item.id)
    assert (stopped["sent"], stopped["stayed"]) == (1, 1)
    now = await shown(lin, first)
    assert (now["hall"], now["line"], now["state"]) == (other, offered[goes], "waiting")
    assert now["number"].endswith("001")
    [row] = await rows("SELECT hall_id, rank_time, issued_at FROM ticket WHERE id = $1", now["id"])
    assert (row["hall_id"], row["rank_time"]) == (entry.id, row["issued_at"])
    assert (await shown(mei, second))["hall"] == hall
    assert (await events(second))[-1][0] == "stay"
    await until(lambda: api.services.feed.memory.halls[other].waiting == 1)
    await until(lambda: api.services.feed.memory.halls[hall].waiting == 1)


async def test_whose_visit_goes_on_with_what_the_other_hall_lacks_stays(
    api: Api, hall: str, other: str, manager: Person
) -> None:
    _, visit, both = await a_visit(api, hall, "E", "A")
    now = next(stop["item"] for stop in visit["stops"] if stop["ticket"])
    [rest] = set(both) - {now}
    entry, item = api.services.directory.hall(other), api.services.directory.item(rest)
    [gone] = await rows(
        "DELETE FROM offering WHERE hall_id = $1 AND item_id = $2 RETURNING *", entry.id, item.id
    )
    line = api.services.directory.hall(hall).offers[now]
    try:
        stopped = await stop(manager, hall, line, to={"hall": other})
    finally:
        await rows(
            "INSERT INTO offering (id, item_id, hall_id, line_id) VALUES ($1, $2, $3, $4)",
            gone["id"],
            gone["item_id"],
            gone["hall_id"],
            gone["line_id"],
        )
    assert (stopped["sent"], stopped["stayed"]) == (0, 1)


async def test_who_is_called_or_served_stays_at_the_counter(
    api: Api, hall: str, manager: Person
) -> None:
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    lin, ticket = await a_ticket(api, hall)
    await done(clerk, hall, counter, "call-next")
    assert (await stop(manager, hall, "E", to={"line": "A"}))["sent"] == 0
    assert (await done(clerk, hall, counter, "start", "finish"))["state"] == "finished"
    assert (await shown(lin, ticket))["number"] == ticket["number"]


async def test_the_board_says_why_and_opening_takes_it_back(
    api: Api, hall: str, manager: Person
) -> None:
    await stop(manager, hall, "E")
    await until(lambda: on_board(api, hall, "E").state == "stopped")
    line = on_board(api, hall, "E")
    assert (line.reason, line.reason_en) == ("社保系统故障", "System failure")
    opened = await manager.post(f"/halls/{hall}/lines/E/open")
    assert (opened.status_code, opened.json()["state"]) == (200, "open")
    await until(lambda: on_board(api, hall, "E").state == "open")
    assert on_board(api, hall, "E").reason is None
    await a_ticket(api, hall)
    again = await manager.post(f"/halls/{hall}/lines/E/open")
    assert code_of(again) == (409, "wrong_state")


async def test_a_line_stopped_without_a_place_may_be_stopped_anew_with_one(
    api: Api, hall: str, manager: Person
) -> None:
    lin, ticket = await a_ticket(api, hall)
    await stop(manager, hall, "E")
    assert (await stop(manager, hall, "E", to={"line": "A"}))["sent"] == 1
    assert (await shown(lin, ticket))["line"] == "A"


async def test_two_thousand_people_are_sent_on_in_as_many_statements_as_one(
    api: Api, hall: str, other: str, manager: Person
) -> None:
    lin, ticket = await a_ticket(api, hall)
    await rows(
        """
        WITH crowd AS (
            INSERT INTO ticket (id, hall_id, line_id, item_id, day, sequence, number, state,
                                issued_at, rank_time, version)
            SELECT gen_random_uuid(), hall_id, line_id, item_id, day, nth, 'E' || nth, 'waiting',
                   issued_at + nth * interval '1 ms', rank_time + nth * interval '1 ms', 1
            FROM ticket, generate_series(2, 2001) nth WHERE id = $1
            RETURNING *)
        INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind, line_id, number,
                                  rank_time)
        SELECT id, hall_id, issued_at, 'issue', state, 'system', line_id, number, rank_time
        FROM crowd
        """,
        ticket["id"],
    )
    await rows(
        "UPDATE line SET last_sequence = 2001 WHERE id = (SELECT line_id FROM ticket"
        " WHERE id = $1)",
        ticket["id"],
    )
    path = f"/halls/{hall}/lines/E/stop"
    stopped, statements = await api.statements(manager.post(path, {**WHY, "to": {"hall": other}}))
    assert (stopped.json()["sent"], stopped.json()["stayed"]) == (2001, 0)
    assert statements < 100  # those of the process's own round meanwhile among them
    assert (await shown(lin, ticket))["hall"] == other


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({}, (422, "invalid_request")),
        ({"reason": ""}, (422, "invalid_request")),
        ({"reason": "火" * 81}, (422, "invalid_request")),
        ({"reason": "火", "other": 1}, (422, "invalid_request")),
        ({"reason": "火", "to": {}}, (422, "invalid_request")),
        ({"reason": "火", "to": {"line": "A", "hall": "dg-05"}}, (422, "invalid_request")),
        ({"reason": "火", "to": {"line": "E"}}, (422, "invalid_request")),
        ({"reason": "火", "to": {"hall": "{hall}"}}, (422, "invalid_request")),
        ({"reason": "火", "to": {"line": "Z"}}, (404, "not_found")),
        ({"reason": "火", "to": {"hall": "dg-99"}}, (404, "not_found")),
    ],
)
async def test_what_cannot_be_stopped_so_is_refused_and_nothing_changes(
    api: Api, hall: str, manager: Person, body: dict[str, Any], answer: tuple[int, str]
) -> None:
    if body.get("to") == {"hall": "{hall}"}:
        body = {**body, "to": {"hall": hall}}
    refused = await manager.post(f"/halls/{hall}/lines/E/stop", body)
    assert code_of(refused) == answer
    await a_ticket(api, hall)


async def test_sending_to_a_line_that_is_not_open_is_refused_and_nothing_changes(
    api: Api, hall: str, manager: Person
) -> None:
    await stop(manager, hall, "A")
    _, ticket = await a_ticket(api, hall)
    refused = await manager.post(
        f"/halls/{hall}/lines/E/stop", {"reason": "火", "to": {"line": "A"}}
    )
    assert code_of(refused) == (409, "line_closed")
    assert (await events(ticket))[-1][0] == "issue"
    await a_ticket(api, hall)


async def test_sending_to_a_closed_hall_is_refused(api: Api, hall: str, manager: Person) -> None:
    api.turn_clock("2026-11-23T12:30:00+08:00")
    refused = await manager.post(
        f"/halls/{hall}/lines/E/stop", {"reason": "火", "to": {"hall": "dg-05"}}
    )
    assert code_of(refused) == (409, "hall_closed")


ACTIONS: dict[str, Callable[[Person, str], Awaitable[Any]]] = {
    "stop": lambda who, hall: who.post(f"/halls/{hall}/lines/E/stop", WHY),
    "open": lambda who, hall: who.post(f"/halls/{hall}/lines/E/open"),
    "issuing": lambda who, hall: who.put(f"/halls/{hall}/lines/E/issuing", {"mode": "stopped"}),
}


@pytest.mark.parametrize("action", ACTIONS)
async def test_only_the_halls_own_manager_decides(
    api: Api, hall: str, other: str, manager: Person, action: str
) -> None:
    act = ACTIONS[action]
    for who in (await api.clerk(hall), await api.citizen()):
        assert code_of(await act(who, hall)) == (403, "not_allowed")
    assert code_of(await act(manager, other)) == (403, "not_allowed")
    no_line = await manager.post(f"/halls/{hall}/lines/Z/stop", WHY)
    assert code_of(no_line) == (404, "not_found")
    await a_ticket(api, hall)


async def test_stopping_and_opening_are_in_the_log(api: Api, hall: str, manager: Person) -> None:
    await stop(manager, hall, "E", to={"line": "A"})
    await manager.post(f"/halls/{hall}/lines/E/open")
    line = api.services.directory.hall(hall).lines["E"]
    found = await rows(
        "SELECT action, detail FROM audit_entry WHERE subject_id = $1 ORDER BY seq", str(line.id)
    )
    stopped, opened = found[-2:]
    assert (stopped["action"], opened["action"]) == ("line.stopped", "line.opened")
    where = {"hall": hall, "line": "E"}
    assert json.loads(stopped["detail"]) == where | {"to": "A", "sent": 0, "stayed": 0}
    assert json.loads(opened["detail"]) == where


async def test_people_sent_each_way_at_once_do_not_lock_each_other_out(
    api: Api, hall: str, other: str, manager: Person
) -> None:
    there = await api.manager(other)
    await a_ticket(api, hall)
    await a_ticket(api, other)
    replies = await asyncio.gather(
        manager.post(f"/halls/{hall}/lines/E/stop", {**WHY, "to": {"hall": other}}),
        there.post(f"/halls/{other}/lines/E/stop", {**WHY, "to": {"hall": hall}}),
    )
    assert [reply.status_code for reply in replies] == [200, 200]
    # Whoever came second found the line there stopped already, so hers stay.
    assert sorted(reply.json()["sent"] for reply in replies) in ([0, 1], [0, 2])
