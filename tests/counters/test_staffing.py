"""Who works at a counter, what she serves, and what becomes of whoever is at it when it closes."""

from asyncio import gather
from typing import Any

import httpx
import pytest

from models.database import rows
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.people import Person


async def named(api: Api, username: str) -> Person:
    """A member of staff, with the name that colleagues see."""
    who = await api.colleague(username)
    [row] = await rows("SELECT name FROM staff WHERE username = $1", username)
    who.session["name"] = row["name"]
    return who


@pytest.fixture
async def chen(api: Api, hall: str) -> Person:
    return await named(api, f"clerk.{hall}.01")


@pytest.fixture
async def wu(api: Api, hall: str) -> Person:
    """Another clerk of the hall."""
    return await named(api, f"clerk.{hall}.02")


async def counter_of(clerk: Person, hall: str, code: str) -> dict[str, Any]:
    counters = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    found: dict[str, Any] = next(one for one in counters if one["code"] == code)
    return found


async def entries(action: str, counter: str, hall: str) -> list[dict[str, Any]]:
    found = await rows(
        "SELECT a.detail FROM audit_entry a JOIN counter c ON c.id::text = a.subject_id"
        " JOIN hall h ON h.id = c.hall_id"
        " WHERE a.action = $1 AND c.code = $2 AND h.code = $3 ORDER BY a.seq",
        action,
        counter,
        hall,
    )
    return [dict(row) for row in found]


# --- closing


async def test_whoever_is_called_to_a_counter_that_closes_waits_again_in_her_place(
    api: Api, hall: str, chen: Person
) -> None:
    lin, ticket = await a_ticket(api, hall)
    _, later = await a_ticket(api, hall)
    [here, there, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, here, "call-next", "recall")
    board = api.services.feed.memory.halls
    await until(lambda: len(board[hall].board.called) == 1)
    closed = await done(chen, hall, here, "close")
    assert (closed["state"], closed["number"], closed["staffed_by"]) == ("closed", None, None)
    now = (await lin.get(f"/tickets/{ticket['id']}")).json()
    assert (now["state"], now["number"], now["ahead"]) == ("waiting", ticket["number"], 0)
    assert (now["counter"], now["called_at"], now["recalls"]) == (None, None, 0)
    await until(lambda: board[hall].waiting == 2 and board[hall].board.called == ())
    assert (await done(chen, hall, there, "call-next"))["id"] == ticket["id"]
    [event] = await rows(
        "SELECT * FROM ticket_event WHERE ticket_id = $1 AND move = 'return_to_line'", ticket["id"]
    )
    assert (event["state"], event["detail"]) == ("waiting", "counter_closed")
    assert (event["actor_kind"], event["counter_id"] is not None) == ("staff", True)
    await done(chen, hall, there, "start", "finish")
    assert (await done(chen, hall, there, "call-next"))["id"] == later["id"]


async def test_whoever_is_served_at_a_counter_that_closes_is_served_to_the_end(
    api: Api, hall: str, chen: Person
) -> None:
    lin, ticket = await a_ticket(api, hall)
    await a_ticket(api, hall)
    [here, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, here, "call-next", "start")
    closed = await done(chen, hall, here, "close")
    assert (closed["state"], closed["number"]) == ("closed", ticket["number"])
    assert code_of(await chen.at(hall, here, "call-next")) == (409, "wrong_state")
    assert code_of(await chen.at(hall, here, "close")) == (409, "wrong_state")
    assert (await done(chen, hall, here, "finish"))["state"] == "finished"
    assert (await lin.get(f"/tickets/{ticket['id']}")).json()["state"] == "finished"
    assert code_of(await chen.at(hall, here, "call-next")) == (409, "wrong_state")
    assert (await counter_of(chen, hall, here))["number"] is None


@pytest.mark.parametrize("action", ["park", "transfer"])
async def test_at_a_closed_counter_who_is_served_may_also_be_parked_or_sent_on(
    api: Api, hall: str, chen: Person, action: str
) -> None:
    _, ticket = await a_ticket(api, hall)
    [here, there, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, here, "call-next", "start", "close")
    reply = await chen.at(hall, here, action, {"line": "A"} if action == "transfer" else None)
    assert reply.status_code == 200, reply.text
    if action == "park":
        resumed = await chen.at(hall, there, "resume", {"number": ticket["number"]})
        assert resumed.json()["state"] == "serving"


async def test_at_a_paused_counter_whoever_was_called_is_still_served(
    api: Api, hall: str, chen: Person
) -> None:
    _, ticket = await a_ticket(api, hall)
    [here, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, here, "call-next")
    paused = await chen.at(hall, here, "pause", {"reason": "午休"})
    assert paused.json()["number"] == ticket["number"]
    assert (await done(chen, hall, here, "start", "finish"))["id"] == ticket["id"]


# --- who works there


async def test_who_opens_a_counter_works_there_until_it_closes(
    hall: str, chen: Person, wu: Person
) -> None:
    assert (await counter_of(chen, hall, "01"))["staffed_by"] is None
    opened = await done(chen, hall, "01", "open")
    assert opened["staffed_by"] == chen.session["name"]
    since = opened["staffed_since"]
    await chen.at(hall, "01", "pause", {"reason": "午休"})
    again = await done(chen, hall, "01", "open")
    assert (again["staffed_by"], again["staffed_since"]) == (chen.session["name"], since)
    await done(chen, hall, "01", "close")
    assert (await counter_of(wu, hall, "01"))["staffed_since"] is None
    assert (await done(wu, hall, "01", "open"))["staffed_by"] == wu.session["name"]


async def test_two_clerks_never_work_at_one_counter_without_knowing(
    api: Api, hall: str, chen: Person, wu: Person
) -> None:
    _, ticket = await a_ticket(api, hall)
    [here, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, here, "call-next", "start")
    before = await counter_of(chen, hall, here)
    refused = await wu.at(hall, here, "open")
    assert code_of(refused) == (409, "staffed_by_another")
    assert chen.session["name"] in refused.json()["detail"]
    assert await counter_of(chen, hall, here) == before
    taken = await wu.at(hall, here, "open", {"take_over": True})
    assert (taken.json()["staffed_by"], taken.json()["number"]) == (
        wu.session["name"],
        ticket["number"],
    )
    assert code_of(await chen.at(hall, here, "open")) == (409, "staffed_by_another")
    assert (await done(wu, hall, here, "finish"))["id"] == ticket["id"]
    [*_, entry] = await entries("counter.taken_over", here, hall)
    assert here in str(entry["detail"])


async def test_of_two_clerks_who_open_one_counter_at_once_one_works_there(
    hall: str, chen: Person, wu: Person
) -> None:
    for _ in range(10):
        replies = await gather(chen.at(hall, "01", "open"), wu.at(hall, "01", "open"))
        assert sorted(reply.status_code for reply in replies) == [200, 409]
        winner = [chen, wu][[reply.status_code for reply in replies].index(200)]
        assert (await counter_of(chen, hall, "01"))["staffed_by"] == winner.session["name"]
        await done(winner, hall, "01", "close")


async def test_a_counter_is_handed_over_with_whoever_is_at_it(
    api: Api, hall: str, chen: Person, wu: Person
) -> None:
    _, ticket = await a_ticket(api, hall)
    [here, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, here, "call-next", "start")
    given = await chen.at(hall, here, "hand-over", {"to": f"clerk.{hall}.02"})
    assert given.status_code == 200, given.text
    now = given.json()
    assert (now["state"], now["number"]) == ("open", ticket["number"])
    assert now["staffed_by"] == wu.session["name"]
    # It is hers now: the first clerk cannot take it back by handing it on.
    back = await chen.at(hall, here, "hand-over", {"to": f"clerk.{hall}.01"})
    assert code_of(back) == (409, "staffed_by_another")
    assert (await done(wu, hall, here, "finish"))["id"] == ticket["id"]
    events = await rows(
        "SELECT move, actor_id FROM ticket_event WHERE ticket_id = $1 ORDER BY id", ticket["id"]
    )
    actors = {event["move"]: event["actor_id"] for event in events}
    assert actors["start"] != actors["finish"]


async def test_handed_over_to_nobody_yet_it_pauses_until_the_next_clerk_opens_it(
    api: Api, hall: str, chen: Person, wu: Person
) -> None:
    _, ticket = await a_ticket(api, hall)
    [here, *_] = await open_counters(chen, hall, "E")
    await done(chen, hall, here, "call-next")
    left = await done(chen, hall, here, "hand-over")
    assert (left["state"], left["pause_reason"]) == ("paused", "交接班")
    assert (left["staffed_by"], left["number"]) == (None, ticket["number"])
    opened = await done(wu, hall, here, "open")
    assert (opened["staffed_by"], opened["number"]) == (wu.session["name"], ticket["number"])
    assert (await done(wu, hall, here, "start"))["id"] == ticket["id"]


async def test_a_manager_hands_over_what_somebody_left(
    api: Api, hall: str, chen: Person, wu: Person
) -> None:
    manager = await api.manager(hall)
    await done(chen, hall, "01", "open")
    given = await manager.at(hall, "01", "hand-over", {"to": f"clerk.{hall}.02"})
    assert given.json()["staffed_by"] == wu.session["name"]


@pytest.mark.parametrize("to", ["nobody.at.all", "clerk.dg-00.01", "💥"])
async def test_a_counter_is_handed_over_to_nobody_of_elsewhere(
    hall: str, chen: Person, to: str
) -> None:
    await done(chen, hall, "01", "open")
    before = await counter_of(chen, hall, "01")
    reply = await chen.at(hall, "01", "hand-over", {"to": to})
    assert code_of(reply) == (422, "invalid_request")
    assert reply.json()["errors"][0]["pointer"] == "/to"
    assert await counter_of(chen, hall, "01") == before


async def test_a_closed_counter_is_handed_over_to_nobody(hall: str, chen: Person) -> None:
    assert code_of(await chen.at(hall, "01", "hand-over")) == (409, "wrong_state")
    assert code_of(await chen.at(hall, "99", "hand-over")) == (404, "not_found")


# --- what she serves


async def reassign(who: Person, hall: str, counter: str, **body: Any) -> httpx.Response:
    return await who.put(f"/halls/{hall}/counters/{counter}/skills", body)


async def test_skills_change_at_once_and_whole(api: Api, hall: str, chen: Person) -> None:
    manager = await api.manager(hall)
    _, ticket = await a_ticket(api, hall, "B")
    await done(chen, hall, "01", "open")
    before = await counter_of(chen, hall, "01")
    changed = (await reassign(manager, hall, "01", own=["B"], helps=["A", "E"])).json()
    assert (changed["own"], changed["helps"]) == (["B"], ["A", "E"])
    assert changed["skills"] == changed["serving"] == ["B", "A", "E"]
    assert (changed["version"], changed["state"]) == (before["version"] + 1, "open")
    assert await counter_of(chen, hall, "01") == changed
    assert (await done(chen, hall, "01", "call-next"))["id"] == ticket["id"]
    [*_, entry] = await entries("counter.skills_changed", "01", hall)
    assert '"own": ["B"]' in str(entry["detail"])


async def test_whoever_saw_older_skills_changes_nothing(api: Api, hall: str) -> None:
    manager = await api.manager(hall)
    seen = (await counter_of(manager, hall, "01"))["version"]
    assert (await reassign(manager, hall, "01", own=["A"], version=seen)).status_code == 200
    stale = await reassign(manager, hall, "01", own=["B"], version=seen)
    assert code_of(stale) == (409, "skills_changed")
    assert (await counter_of(manager, hall, "01"))["own"] == ["A"]


async def test_no_line_is_left_that_nobody_serves(api: Api, hall: str) -> None:
    manager = await api.manager(hall)
    counters = (await manager.get(f"/halls/{hall}/counters")).json()["data"]
    able = [one["code"] for one in counters if "B" in one["skills"]]
    for code in able[:-1]:
        assert (await reassign(manager, hall, code, own=["A"])).status_code == 200
    before = await counter_of(manager, hall, able[-1])
    refused = await reassign(manager, hall, able[-1], own=["A"])
    assert code_of(refused) == (409, "line_unserved")
    assert "B" in refused.json()["detail"]
    assert await counter_of(manager, hall, able[-1]) == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/own"),
        ({"own": []}, "/own"),
        ({"own": ["Z"]}, "/own/0"),
        ({"own": ["A", "A"]}, "/own/1"),
        ({"own": ["A"], "helps": ["E", "A"]}, "/helps/1"),
        ({"own": ["A"], "helps": ["社"]}, "/helps/0"),
        ({"own": "A"}, "/own"),
        ({"own": ["A"], "version": -1}, "/version"),
        ({"own": ["A"], "skills": ["B"]}, "/skills"),
    ],
)
async def test_impossible_skills_are_refused_by_name_and_change_nothing(
    api: Api, hall: str, body: dict[str, Any], pointer: str
) -> None:
    manager = await api.manager(hall)
    before = await counter_of(manager, hall, "01")
    reply = await reassign(manager, hall, "01", **body)
    assert code_of(reply) == (422, "invalid_request")
    assert reply.json()["errors"][0]["pointer"] == pointer
    assert await counter_of(manager, hall, "01") == before
    assert code_of(await reassign(manager, hall, "99", own=["A"])) == (404, "not_found")


async def test_only_who_manages_the_hall_changes_skills(api: Api, hall: str, chen: Person) -> None:
    before = await counter_of(chen, hall, "01")
    elsewhere = await api.manager(await api.quiet_hall())
    for who in (chen, elsewhere, await api.citizen()):
        assert code_of(await reassign(who, hall, "01", own=["A"])) == (403, "not_allowed")
    nobody = Person(chen.http, "nobody", {})
    assert code_of(await reassign(nobody, hall, "01", own=["A"])) == (401, "not_signed_in")
    assert await counter_of(chen, hall, "01") == before
