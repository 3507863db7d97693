"""What a manager arranges about a line: pause, limits, overflow. All of it counts at once."""

from asyncio import gather
from typing import Any

import httpx
import pytest

from models.database import rows
from server.live.state import BoardCounter, LiveLine
from server.tickets.day_end import lapse_past_days
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done
from tests.counters.test_helping import called, skills, somebody
from tests.people import Person

WHY = {"reason": "系统故障", "reason_en": "System failure"}


@pytest.fixture
async def manager(api: Api, hall: str) -> Person:
    return await api.manager(hall)


def line_on_board(api: Api, hall: str, code: str) -> LiveLine:
    lines = api.services.feed.memory.halls[hall].board.lines
    return next(line for line in lines if line.code == code)


def counter_on_board(api: Api, hall: str, code: str) -> BoardCounter:
    counters = api.services.feed.memory.halls[hall].board.counters
    return next(counter for counter in counters if counter.code == code)


async def line_of(who: Person, hall: str, code: str) -> dict[str, Any]:
    found: dict[str, Any] = (await who.get(f"/halls/{hall}/lines/{code}")).json()
    return found


async def patch(who: Person, hall: str, code: str, **limits: Any) -> httpx.Response:
    path = f"/api/v1/halls/{hall}/lines/{code}"
    return await who.http.patch(path, json=limits, headers=who.headers)


async def actions_on(api: Api, hall: str, code: str) -> list[str]:
    line_id = api.services.directory.hall(hall).lines[code].id
    found = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq DESC LIMIT 2",
        str(line_id),
    )
    return [row["action"] for row in found][::-1]


# --- pausing


async def test_a_paused_line_gives_no_numbers_and_serves_who_has_one(
    api: Api, hall: str, manager: Person
) -> None:
    clerk = await api.clerk(hall)
    _, ticket = await a_ticket(api, hall)
    paused = await manager.post(f"/halls/{hall}/lines/E/pause", WHY)
    assert paused.status_code == 200, paused.text
    assert (paused.json()["state"], paused.json()["reason"]) == ("paused", WHY["reason"])
    await until(lambda: line_on_board(api, hall, "E").state == "paused")
    assert line_on_board(api, hall, "E").reason_en == WHY["reason_en"]
    refused = await (await api.citizen()).take(hall, api.item(hall, "E"))
    assert code_of(refused) == (409, "line_closed")
    await done(clerk, hall, "02", "open")
    assert (await done(clerk, hall, "02", "call-next"))["id"] == ticket["id"]
    again = await manager.post(f"/halls/{hall}/lines/E/pause", WHY)
    assert code_of(again) == (409, "wrong_state")
    opened = await manager.post(f"/halls/{hall}/lines/E/open")
    assert (opened.json()["state"], opened.json()["reason"]) == ("open", None)
    await a_ticket(api, hall)
    assert await actions_on(api, hall, "E") == ["line.paused", "line.opened"]


# --- limits


async def test_limits_count_at_once_and_are_taken_away_by_null(
    api: Api, hall: str, manager: Person
) -> None:
    await a_ticket(api, hall)
    limited = await patch(manager, hall, "E", waiting_limit=1, help_after_min=20)
    assert limited.status_code == 200, limited.text
    assert (limited.json()["waiting_limit"], limited.json()["help_after_min"]) == (1, 20)
    full = await (await api.citizen()).take(hall, api.item(hall, "E"))
    assert code_of(full) == (409, "line_full")
    free = await patch(manager, hall, "E", waiting_limit=None)
    assert (free.json()["waiting_limit"], free.json()["help_after_min"]) == (None, 20)
    assert await line_of(manager, hall, "E") == free.json()
    await a_ticket(api, hall)
    assert (await patch(manager, hall, "E")).json() == free.json()


async def test_after_the_limit_set_over_http_counters_that_help_call(
    api: Api, hall: str, manager: Person
) -> None:
    clerk = await api.clerk(hall)
    await skills(api, hall, "01", own="A", helps="E")
    await done(clerk, hall, "01", "open")
    over = await somebody(api, hall, "E", waits_min=21)
    own = await somebody(api, hall, "A", waits_min=1)
    assert (await patch(manager, hall, "E", help_after_min=20)).status_code == 200
    assert [await called(clerk, hall, "01") for _ in range(2)] == [over, own]


# --- overflow


async def test_overflow_serves_the_line_like_one_of_its_own_until_it_ends(
    api: Api, hall: str, manager: Person
) -> None:
    clerk = await api.clerk(hall)
    await skills(api, hall, "01", own="A")
    await done(clerk, hall, "01", "open")
    elder = await somebody(api, hall, "E", waits_min=9)
    own = await somebody(api, hall, "A", waits_min=8)
    left = await somebody(api, hall, "E", waits_min=7)
    opened = await manager.post(f"/halls/{hall}/lines/E/overflow", {"counters": ["01", "03"]})
    assert opened.status_code == 200, opened.text
    assert opened.json()["overflow"] == ["01", "03"]
    assert opened.json()["overflow_until"] == "2026-11-24T00:00:00+08:00"
    await until(lambda: counter_on_board(api, hall, "01").lines == ("A", "E"))
    counters = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    assert [one["overflow"] for one in counters[:3]] == [["E"], [], ["E"]]
    assert [await called(clerk, hall, "01") for _ in range(2)] == [elder, own]
    ended = await manager.delete(f"/halls/{hall}/lines/E/overflow")
    assert (ended.json()["overflow"], ended.json()["overflow_until"]) == ([], None)
    await until(lambda: counter_on_board(api, hall, "01").lines == ("A",))
    assert code_of(await clerk.at(hall, "01", "call-next")) == (409, "nobody_waiting")
    assert await actions_on(api, hall, "E") == ["line.overflow_opened", "line.overflow_ended"]
    none = await manager.delete(f"/halls/{hall}/lines/E/overflow")
    assert code_of(none) == (409, "wrong_state")
    await done(clerk, hall, "02", "open")
    assert await called(clerk, hall, "02") == left


async def test_overflow_ends_by_itself_and_for_whom_it_served_goes_on(
    api: Api, hall: str, manager: Person
) -> None:
    clerk = await api.clerk(hall)
    await skills(api, hall, "01", own="A")
    await done(clerk, hall, "01", "open")
    first = await somebody(api, hall, "E", waits_min=9)
    await somebody(api, hall, "E", waits_min=8)
    body = {"counters": ["01"], "until": "2026-11-23T10:00:00+08:00"}
    await manager.post(f"/halls/{hall}/lines/E/overflow", body)
    assert (await done(clerk, hall, "01", "call-next"))["number"] == first
    api.turn_clock("2026-11-23T10:00:00+08:00")
    await done(clerk, hall, "01", "start", "finish")
    assert code_of(await clerk.at(hall, "01", "call-next")) == (409, "nobody_waiting")
    assert (await line_of(manager, hall, "E"))["overflow"] == []


async def test_no_overflow_lasts_into_another_day(api: Api, hall: str, manager: Person) -> None:
    await manager.post(f"/halls/{hall}/lines/E/overflow", {"counters": ["01"]})
    api.turn_clock("2026-11-24T09:00:00+08:00")
    await lapse_past_days(now=api.services.clock.now(), feed=api.services.feed)
    counters = (await manager.get(f"/halls/{hall}/counters")).json()["data"]
    assert counters[0]["overflow"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/counters"),
        ({"counters": []}, "/counters"),
        ({"counters": ["01", "98"]}, "/counters/1"),
        ({"counters": ["01"], "until": "2026-11-23T09:00:00+08:00"}, "/until"),
        ({"counters": ["01"], "until": "2026-11-24T09:00:00+08:00"}, "/until"),
        ({"counters": ["01"], "until": "2026-11-23T12:00:00"}, "/until"),
        ({"counters": "01"}, "/counters"),
    ],
)
async def test_impossible_overflow_is_refused_by_name(
    hall: str, manager: Person, body: dict[str, Any], pointer: str
) -> None:
    before = await line_of(manager, hall, "E")
    reply = await manager.post(f"/halls/{hall}/lines/E/overflow", body)
    assert code_of(reply) == (422, "invalid_request"), reply.text
    assert reply.json()["errors"][0]["pointer"] == pointer
    assert await line_of(manager, hall, "E") == before


@pytest.mark.parametrize(
    "limits",
    [{"waiting_limit": -1}, {"waiting_limit": 10001}, {"help_after_min": 241}, {"limit": 3}],
)
async def test_impossible_limits_are_refused(
    hall: str, manager: Person, limits: dict[str, int]
) -> None:
    before = await line_of(manager, hall, "E")
    assert code_of(await patch(manager, hall, "E", **limits)) == (422, "invalid_request")
    assert await line_of(manager, hall, "E") == before


async def test_only_who_manages_the_hall_arranges_its_lines(
    api: Api, hall: str, manager: Person
) -> None:
    before = await line_of(manager, hall, "E")
    path = f"/halls/{hall}/lines/E"
    for who in (await api.clerk(hall), await api.manager(await api.quiet_hall())):
        replies = await gather(
            who.post(f"{path}/pause", WHY),
            who.post(f"{path}/overflow", {"counters": ["01"]}),
            who.delete(f"{path}/overflow"),
            patch(who, hall, "E", waiting_limit=3),
        )
        assert {code_of(reply) for reply in replies} == {(403, "not_allowed")}
    assert await line_of(manager, hall, "E") == before
    for reply in (
        await manager.post(f"/halls/{hall}/lines/Z/pause", WHY),
        await manager.post(f"/halls/{hall}/lines/Z/overflow", {"counters": ["01"]}),
        await manager.get(f"/halls/{hall}/lines/Z"),
        await patch(manager, hall, "Z", waiting_limit=3),
    ):
        assert code_of(reply) == (404, "not_found")
