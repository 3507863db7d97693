"""Her place in the line: taken along to another hall, given to others, got back."""

import json
from asyncio import gather
from typing import Any
from uuid import UUID

import pytest

from models.database import rows
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.identity.families import a_child_of, a_named_citizen
from tests.people import Person


@pytest.fixture
async def other(api: Api, hall: str) -> str:
    return await api.quiet_hall()


async def line_of(api: Api, hall: str, line: str = "E") -> list[str]:
    """The numbers that wait in a line, in the order in which they are called."""
    line_id = api.services.directory.hall(hall).lines[line].id
    found = await rows(
        "SELECT number FROM ticket WHERE line_id = $1 AND state = 'waiting' ORDER BY rank_time, id",
        line_id,
    )
    return [row["number"] for row in found]


async def missed(api: Api, hall: str) -> tuple[Person, dict[str, Any], Person]:
    """Somebody who was called and did not come; and the clerk."""
    lin, ticket = await a_ticket(api, hall)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "miss")
    return lin, ticket, clerk


# --- to another hall


async def test_she_waits_at_another_hall_for_as_long_as_she_has_waited_already(
    api: Api, hall: str, other: str
) -> None:
    lin, mine = await a_ticket(api, hall)
    await a_ticket(api, other)
    reply = await lin.post(f"/tickets/{mine['id']}/move", {"hall": other})
    assert reply.status_code == 200, reply.text
    moved = reply.json()
    assert (moved["id"], moved["hall"], moved["number"]) == (mine["id"], other, "E002")
    assert (moved["state"], moved["ahead"]) == ("waiting", 0)
    assert moved["issued_at"] == mine["issued_at"]
    assert await line_of(api, other) == ["E002", "E001"]
    assert (await lin.get(f"/tickets/{mine['id']}")).json()["hall"] == other
    memory = api.services.feed.memory
    await until(lambda: (memory.halls[hall].waiting, memory.halls[other].waiting) == (0, 2))
    await until(lambda: memory.ticket(UUID(mine["id"])) is not None)
    live = memory.ticket(UUID(mine["id"]))
    assert live is not None
    assert (live.view.hall, live.view.ahead) == (other, 0)
    # And back again: the numbers of before are not given twice.
    back = await lin.post(f"/tickets/{mine['id']}/move", {"hall": hall})
    assert back.json()["number"] == "E002"


async def test_she_moves_only_where_she_can_be_served(api: Api, hall: str, other: str) -> None:
    lin, mine = await a_ticket(api, hall)
    path = f"/tickets/{mine['id']}/move"
    directory = api.services.directory
    assert code_of(await lin.post(path, {"hall": "dg-99"})) == (404, "not_found")
    assert code_of(await lin.post(path, {"hall": hall})) == (409, "already_there")
    line = directory.hall(other).lines["E"].id
    await rows("UPDATE line SET waiting_limit = 0 WHERE id = $1", line)
    assert code_of(await lin.post(path, {"hall": other})) == (409, "line_full")
    await rows("UPDATE line SET waiting_limit = NULL, state = 'paused' WHERE id = $1", line)
    assert code_of(await lin.post(path, {"hall": other})) == (409, "line_closed")
    await rows("UPDATE line SET state = 'open' WHERE id = $1", line)
    item, there = directory.item(mine["item"]).id, directory.hall(other).id
    taken = await rows(
        "DELETE FROM offering WHERE item_id = $1 AND hall_id = $2 RETURNING *", item, there
    )
    try:
        assert code_of(await lin.post(path, {"hall": other})) == (422, "item_not_offered")
    finally:
        await rows(
            "INSERT INTO offering SELECT * FROM json_populate_record(NULL::offering, $1)",
            json.dumps(dict(taken[0]), default=str),
        )
    api.turn_clock("2026-11-23T12:30:00+08:00")
    assert code_of(await lin.post(path, {"hall": other})) == (409, "hall_closed")
    assert await line_of(api, hall) == [mine["number"]]


async def test_two_who_change_halls_at_once_do_not_wait_for_each_other(
    api: Api, hall: str, other: str
) -> None:
    here = [await a_ticket(api, hall) for _ in range(5)]
    there = [await a_ticket(api, other) for _ in range(5)]
    replies = await gather(
        *(lin.post(f"/tickets/{mine['id']}/move", {"hall": other}) for lin, mine in here),
        *(lin.post(f"/tickets/{mine['id']}/move", {"hall": hall}) for lin, mine in there),
    )
    assert [reply.status_code for reply in replies] == [200] * 10
    expected = [f"E{nth:03d}" for nth in range(6, 11)]
    assert sorted(await line_of(api, hall)) == sorted(await line_of(api, other)) == expected


# --- letting people pass


@pytest.mark.parametrize(("people", "place"), [(1, 1), (2, 2), (3, 3), (9, 3)])
async def test_she_keeps_her_place_just_behind_the_last_who_passes(
    api: Api, hall: str, people: int, place: int
) -> None:
    lin, mine = await a_ticket(api, hall)
    for _ in range(3):
        await a_ticket(api, hall)
    reply = await lin.post(f"/tickets/{mine['id']}/let-pass", {"people": people})
    assert (reply.status_code, reply.json()["ahead"]) == (200, place)
    assert (await line_of(api, hall)).index(mine["number"]) == place
    after = await a_ticket(api, hall)
    assert (await line_of(api, hall))[-1] == after[1]["number"]


async def test_whoever_is_last_has_nobody_to_let_pass(api: Api, hall: str) -> None:
    lin, mine = await a_ticket(api, hall)
    path = f"/tickets/{mine['id']}/let-pass"
    assert code_of(await lin.post(path, {"people": 1})) == (409, "nobody_behind")
    for people in (0, 101, "1", None):
        assert code_of(await lin.post(path, {"people": people})) == (422, "invalid_request")


# --- back after a miss


async def test_who_was_missed_comes_back_and_waits_a_little_longer(api: Api, hall: str) -> None:
    lin, mine, clerk = await missed(api, hall)
    _, second = await a_ticket(api, hall)
    api.later(minutes=10)
    reply = await clerk.post(f"/halls/{hall}/tickets/{mine['number']}/return")
    assert reply.status_code == 200, reply.text
    back = reply.json()
    assert (back["state"], back["ahead"], back["counter"], back["called_at"]) == (
        "waiting",
        1,
        None,
        None,
    )
    api.later(minutes=1)
    within_penalty = (await a_ticket(api, hall))[1]["number"]
    api.later(minutes=6)
    after_penalty = (await a_ticket(api, hall))[1]["number"]
    order = [second["number"], within_penalty, mine["number"], after_penalty]
    assert await line_of(api, hall) == order
    assert (await lin.get(f"/tickets/{mine['id']}")).json()["state"] == "waiting"


async def test_who_comes_back_too_late_takes_a_new_number(api: Api, hall: str) -> None:
    _, mine, clerk = await missed(api, hall)
    api.later(minutes=31)
    reply = await clerk.post(f"/halls/{hall}/tickets/{mine['id']}/return")
    assert code_of(reply) == (409, "grace_over")


async def test_nobody_goes_round_the_penalty_by_a_new_number(api: Api, hall: str) -> None:
    other = await api.quiet_hall()
    lin, mine, clerk = await missed(api, hall)
    of_that_line, elsewhere = api.item(hall, "E", nth=1), api.item(other, "A")
    for where, item in ((hall, mine["item"]), (other, mine["item"]), (hall, of_that_line)):
        refused = await lin.take(where, item)
        assert code_of(refused) == (409, "missed_number_kept"), item
        assert refused.json()["ticket_id"] == mine["id"]
        assert mine["number"] in refused.json()["detail"]
        assert "10:00 前" in refused.json()["detail"]
    whole = await lin.post("/visits", {"hall": hall, "items": [api.item(hall, "A"), of_that_line]})
    assert code_of(whole) == (409, "missed_number_kept")
    # What has nothing to do with it she may come for.
    assert (await lin.take(other, elsewhere)).status_code == 201
    api.later(minutes=29)
    assert code_of(await lin.take(hall, mine["item"])) == (409, "missed_number_kept")
    back = await clerk.post(f"/halls/{hall}/tickets/{mine['id']}/return")
    assert (back.status_code, back.json()["state"]) == (200, "waiting")
    # Nor by giving it up for another as soon as she is back.
    assert (await lin.post(f"/tickets/{mine['id']}/cancel")).status_code == 200
    api.later(minutes=4)
    refused = await lin.take(hall, mine["item"])
    assert code_of(refused) == (409, "missed_number_kept")
    assert "不再保留，10:04 后可重新取号" in refused.json()["detail"]
    api.later(minutes=2)
    assert (await lin.take(hall, mine["item"])).status_code == 201


async def test_who_does_not_come_back_takes_a_new_number_after_the_grace(
    api: Api, hall: str
) -> None:
    lin, mine, _ = await missed(api, hall)
    api.later(minutes=31)
    assert (await lin.take(hall, mine["item"])).status_code == 201


async def test_of_two_missed_numbers_she_is_told_that_which_stands_the_longest(
    api: Api, hall: str, other: str
) -> None:
    lin = await api.citizen()
    item, of_that_line = api.item(hall, "E"), api.item(hall, "E", nth=1)
    there, here = await lin.take(other, item), await lin.take(hall, of_that_line)
    for where in (other, hall):
        clerk = await api.clerk(where)
        [counter, *_] = await open_counters(clerk, where, "E")
        await done(clerk, where, counter, "call-next", "miss")
    desk = await api.clerk(other)
    back = await desk.post(f"/halls/{other}/tickets/{there.json()['id']}/return")
    assert back.status_code == 200, back.text
    api.later(minutes=1)
    assert (await lin.post(f"/tickets/{there.json()['id']}/cancel")).status_code == 200
    refused = await lin.take(hall, item)
    assert code_of(refused) == (409, "missed_number_kept")
    assert refused.json()["ticket_id"] == here.json()["id"]
    assert "10:00 前" in refused.json()["detail"]


async def test_nobody_brings_another_number_into_the_line_in_which_she_was_missed(
    api: Api, hall: str
) -> None:
    other = await api.quiet_hall()
    lin, mine, _ = await missed(api, hall)
    item = next(
        code
        for code, line in api.services.directory.hall(hall).offers.items()
        if line == "E"
        and code != mine["item"]
        and code in api.services.directory.hall(other).offers
        and api.services.directory.item(code).level_required == 0
        and api.services.directory.item(code).residents_of == "anywhere"
    )
    taken = await lin.take(other, item)
    assert taken.status_code == 201
    refused = await lin.post(f"/tickets/{taken.json()['id']}/move", {"hall": hall})
    assert code_of(refused) == (409, "missed_number_kept")


# --- for somebody else


async def test_who_acts_for_her_moves_her_place_and_it_is_in_the_log(
    api: Api, hall: str, other: str
) -> None:
    lin = await a_named_citizen(api)
    child = await a_child_of(lin)
    mine = (await lin.take(hall, api.item(hall, "E"), **{"for": child["id"]})).json()
    await a_ticket(api, hall)
    passed = await lin.post(f"/tickets/{mine['id']}/let-pass", {"people": 1})
    assert passed.status_code == 200, passed.text
    moved = await lin.post(f"/tickets/{mine['id']}/move", {"hall": other})
    assert (moved.status_code, moved.json()["for"]["id"]) == (200, child["id"])
    events = await rows(
        "SELECT move, on_behalf_of FROM ticket_event WHERE ticket_id = $1 ORDER BY id", mine["id"]
    )
    assert [row["move"] for row in events] == ["issue", "let_pass", "move"]
    assert {str(row["on_behalf_of"]) for row in events} == {child["id"]}
    actions = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", mine["id"]
    )
    assert [row["action"] for row in actions] == [
        "ticket.taken",
        "ticket.let_pass",
        "ticket.moved",
    ]


async def test_a_number_given_up_while_it_moves_there_and_back_deadlocks_nobody(
    api: Api, hall: str, other: str
) -> None:
    lin = await a_named_citizen(api)
    child = await a_child_of(lin)
    for _ in range(8):
        mine = (await lin.take(hall, api.item(hall, "E"), **{"for": child["id"]})).json()
        path = f"/tickets/{mine['id']}"
        replies = await gather(
            lin.post(f"{path}/move", {"hall": other}),
            lin.post(f"{path}/cancel"),
            lin.post(f"{path}/move", {"hall": hall}),
        )
        assert {reply.status_code for reply in replies} <= {200, 409}, [r.text for r in replies]
        if (await lin.get(path)).json()["state"] != "cancelled":
            assert (await lin.post(f"{path}/cancel")).status_code == 200
