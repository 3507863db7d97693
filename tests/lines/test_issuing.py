"""Lines stop giving out numbers when the rest of the day is full, or their manager says so."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models.database import rows
from server.live.state import LiveLine
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.people import Person

# Twenty minutes before the last closing.
LATE = "2026-11-23T16:40:00+08:00"


@pytest.fixture
async def manager(api: Api, hall: str) -> Person:
    return await api.manager(hall)


def line_in_memory(api: Api, hall: str, line: str = "E") -> LiveLine:
    board = api.services.feed.memory.halls[hall].board
    return next(one for one in board.lines if one.code == line)


async def a_day_of_ten_minute_visits(api: Api, hall: str) -> str:
    """Five people were served for ten minutes each; one counter is open, for line E alone."""
    clerk = await api.clerk(hall)
    [counter, *rest] = await open_counters(clerk, hall, "E")
    for code in rest:
        await done(clerk, hall, code, "close")
    for nth in range(5):
        api.turn_clock(f"2026-11-23T09:{nth}0:00+08:00")
        await a_ticket(api, hall)
        await done(clerk, hall, counter, "call-next", "start")
        api.turn_clock(f"2026-11-23T{'09' if nth < 5 else '10'}:{nth}9:59+08:00")
        await done(clerk, hall, counter, "finish")
    api.turn_clock(LATE)
    return counter


async def left_is(api: Api, hall: str, left: int | None) -> None:
    await api.projector.look_ahead(hall)
    await until(lambda: line_in_memory(api, hall).left_today == left)


async def issuing(manager: Person, hall: str, mode: str, **more: Any) -> dict[str, Any]:
    reply = await manager.put(f"/halls/{hall}/lines/E/issuing", {"mode": mode, **more})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_a_line_tells_how_many_it_can_still_give_and_then_stops(api: Api, hall: str) -> None:
    await a_day_of_ten_minute_visits(api, hall)
    await left_is(api, hall, 2)
    shown = (await api.http.get(f"/api/v1/halls/{hall}/lines")).json()["data"]
    [line] = [one for one in shown if one["code"] == "E"]
    assert (line["left_today"], line["issuing"]) == (2, "auto")
    # Ten minutes before closing is the last moment for a visit of ten minutes.
    assert line["stops_at"] == "2026-11-23T16:50:00+08:00"
    detail = (await api.http.get(f"/api/v1/halls/{hall}")).json()
    [ending] = detail["ending"]
    assert (ending["code"], ending["left_today"]) == ("E", 2)
    assert (ending["stops_at"], ending["reason_code"]) == (line["stops_at"], None)
    # The count follows each number given, without being worked out anew.
    for left in (1, 0):
        await a_ticket(api, hall)
        await until(lambda left=left: line_in_memory(api, hall).left_today == left)
    lin = await api.citizen()
    item = api.item(hall, "E")
    refused, statements = await api.statements(lin.take(hall, item))
    assert code_of(refused) == (409, "line_full")
    assert refused.json()["detail"].startswith("今天剩余的时间已排满")
    assert statements == 1
    shown = (await api.http.get(f"/api/v1/halls/{hall}/lines")).json()["data"]
    [line] = [one for one in shown if one["code"] == "E"]
    assert (line["reason_code"], line["reason"]) == ("day_full", "今天剩余的时间已排满")
    clerk = await api.clerk(hall)
    at_desk = await clerk.post(f"/halls/{hall}/tickets", {"item": item})
    assert code_of(at_desk) == (409, "line_full")
    assert (await lin.take(hall, api.item(hall, "A"))).status_code == 201


async def test_who_gives_up_makes_room_for_another(api: Api, hall: str) -> None:
    await a_day_of_ten_minute_visits(api, hall)
    await left_is(api, hall, 2)
    lin = await api.citizen()
    for _ in range(4):
        ticket = (await lin.take(hall, api.item(hall, "E"))).json()
        await until(lambda: line_in_memory(api, hall).left_today == 1)
        assert (await lin.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200
        await until(lambda: line_in_memory(api, hall).left_today == 2)


async def test_the_figure_follows_a_counter_that_opens_or_closes_at_once(
    api: Api, hall: str
) -> None:
    counter = await a_day_of_ten_minute_visits(api, hall)
    clerk = await api.clerk(hall)
    for action, left in (("close", None), ("open", 2), ("close", None)):
        body = {"lines": ["E"]} if action == "open" else None
        assert (await clerk.at(hall, counter, action, body)).status_code == 200
        await until(lambda left=left: line_in_memory(api, hall).left_today == left)


async def test_nobody_moves_to_a_line_whose_day_is_full(api: Api, hall: str) -> None:
    await a_day_of_ten_minute_visits(api, hall)
    other = await api.quiet_hall()
    item = next(
        code
        for code, line in api.services.directory.hall(hall).offers.items()
        if line == "E"
        and code in api.services.directory.hall(other).offers
        and api.services.directory.item(code).level_required == 0
    )
    for _ in range(2):
        await a_ticket(api, hall)
    await left_is(api, hall, 0)
    lin = await api.citizen()
    ticket = (await lin.take(other, item)).json()
    refused = await lin.post(f"/tickets/{ticket['id']}/move", {"hall": hall})
    assert code_of(refused) == (409, "line_full")


async def test_of_a_quiet_day_nothing_is_known(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    await open_counters(clerk, hall, "E")
    api.turn_clock(LATE)
    await a_ticket(api, hall)
    await left_is(api, hall, None)
    await a_ticket(api, hall)


async def test_yesterdays_figure_stops_nobody(api: Api, hall: str) -> None:
    await a_day_of_ten_minute_visits(api, hall)
    for _ in range(2):
        await a_ticket(api, hall)
    await left_is(api, hall, 0)
    api.turn_clock("2026-11-24T09:00:10+08:00")
    await a_ticket(api, hall)


async def test_the_manager_lets_a_full_line_go_on(api: Api, hall: str, manager: Person) -> None:
    await a_day_of_ten_minute_visits(api, hall)
    for _ in range(2):
        await a_ticket(api, hall)
    await left_is(api, hall, 0)
    assert (await issuing(manager, hall, "open"))["issuing"] == "open"
    # At once, whatever this process has heard of it.
    await a_ticket(api, hall)
    await left_is(api, hall, None)
    await a_ticket(api, hall)
    assert (await issuing(manager, hall, "auto"))["issuing"] == "auto"
    await left_is(api, hall, 0)
    refused = await (await api.citizen()).take(hall, api.item(hall, "E"))
    assert code_of(refused) == (409, "line_full")


async def test_while_counters_open_after_the_break_nothing_is_said(api: Api, hall: str) -> None:
    await a_day_of_ten_minute_visits(api, hall)
    hours = (await api.http.get(f"/api/v1/halls/{hall}/hours")).json()["data"][0]["open"]
    opens = datetime.fromisoformat(hours[-1]["start"])
    api.turn_clock((opens + timedelta(minutes=5)).isoformat())
    await left_is(api, hall, None)
    api.turn_clock((opens + timedelta(minutes=11)).isoformat())
    await api.projector.look_ahead(hall)
    await until(lambda: line_in_memory(api, hall).left_today is not None)


async def test_the_manager_stops_a_line_for_the_day_at_once(
    api: Api, hall: str, manager: Person
) -> None:
    await issuing(manager, hall, "stopped")
    lin = await api.citizen()
    refused = await lin.take(hall, api.item(hall, "E"))
    assert code_of(refused) == (409, "line_closed")
    assert refused.json()["detail"] == "该队列今天不再取号。"
    await until(lambda: line_in_memory(api, hall).left_today == 0)
    assert line_in_memory(api, hall).issuing == "stopped"
    assert line_in_memory(api, hall).reason_code == "no_more_today"
    clerk = await api.clerk(hall)
    at_desk = await clerk.post(f"/halls/{hall}/tickets", {"item": api.item(hall, "E")})
    assert code_of(at_desk) == (409, "line_closed")
    api.turn_clock("2026-11-24T09:30:00+08:00")
    assert (await lin.take(hall, api.item(hall, "E"))).status_code == 201


async def test_what_was_decided_until_a_moment_ends_then(
    api: Api, hall: str, manager: Person
) -> None:
    set_so = await issuing(manager, hall, "stopped", until="2026-11-23T10:00:00+08:00")
    assert set_so["issuing_until"] == "2026-11-23T10:00:00+08:00"
    lin = await api.citizen()
    assert code_of(await lin.take(hall, api.item(hall, "E"))) == (409, "line_closed")
    api.turn_clock("2026-11-23T10:00:01+08:00")
    assert (await lin.take(hall, api.item(hall, "E"))).status_code == 201


async def test_midnight_is_still_a_moment_of_the_day(api: Api, hall: str, manager: Person) -> None:
    set_so = await issuing(manager, hall, "stopped", until="2026-11-24T00:00:00+08:00")
    assert set_so["issuing_until"] == "2026-11-24T00:00:00+08:00"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mode": "sometimes"},
        {"mode": "open", "until": "2026-11-23T09:00:00+08:00"},
        {"mode": "open", "until": "2026-11-24T00:00:01+08:00"},
        {"mode": "open", "until": "2026-11-23T10:00:00"},
        {"mode": "auto", "until": "2026-11-23T10:00:00+08:00"},
        {"mode": "open", "until": "tomorrow"},
        {"mode": "open", "why": "so"},
    ],
)
async def test_what_cannot_be_decided_is_refused(
    api: Api, hall: str, manager: Person, body: dict[str, Any]
) -> None:
    before = line_in_memory(api, hall).issuing
    refused = await manager.put(f"/halls/{hall}/lines/E/issuing", body)
    assert code_of(refused) == (422, "invalid_request")
    assert line_in_memory(api, hall).issuing == before


async def test_each_decision_is_in_the_log(api: Api, hall: str, manager: Person) -> None:
    await issuing(manager, hall, "open")
    line = api.services.directory.hall(hall).lines["E"]
    found = await rows(
        "SELECT action, detail FROM audit_entry WHERE subject_id = $1 ORDER BY seq", str(line.id)
    )
    assert found[-1]["action"] == "line.issuing_set"
    assert '"open"' in str(found[-1]["detail"])


async def test_numbers_begin_anew_at_midnight_whichever_way_the_clock_goes(
    api: Api, hall: str
) -> None:
    async def number_at(moment: str) -> str:
        api.turn_clock(moment)
        found: str = (await a_ticket(api, hall))[1]["number"]
        return found

    assert await number_at("2026-11-23T16:59:00+08:00") == "E001"
    assert await number_at("2026-11-23T16:59:59+08:00") == "E002"
    # 09:00 in Shanghai is still the evening before in UTC's calendar an hour earlier.
    assert await number_at("2026-11-24T09:00:00+08:00") == "E001"
    assert await number_at("2026-11-27T09:00:00+08:00") == "E001"
    assert await number_at("2026-11-27T09:00:01+08:00") == "E002"
    # A clock that was wrong is put back: no number of that day is given twice.
    assert await number_at("2026-11-24T09:30:00+08:00") == "E002"
    assert await number_at("2026-11-23T16:59:30+08:00") == "E003"


async def test_a_break_is_told_with_its_end(api: Api, hall: str) -> None:
    memory = api.services.feed.memory

    async def shown_at(moment: str) -> tuple[str, str | None]:
        api.turn_clock(moment)
        before = memory.halls[hall].board.as_of
        api.projector._ask_for(hall, at_once=True)
        await until(lambda: memory.halls[hall].board.as_of != before)
        board = (await api.http.get(f"/api/v1/halls/{hall}/board")).json()
        return board["state"], board["resumes_at"]

    assert await shown_at("2026-11-23T12:30:00+08:00") == ("break", "2026-11-23T14:00:00+08:00")
    refused = await (await api.citizen()).take(hall, api.item(hall, "E"))
    assert code_of(refused) == (409, "hall_closed")
    assert await shown_at("2026-11-23T14:00:00+08:00") == ("open", None)
    assert await shown_at("2026-11-23T20:00:00+08:00") == ("closed", None)


async def test_who_is_at_a_counter_when_the_break_begins_is_served_to_the_end(
    api: Api, hall: str
) -> None:
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await a_ticket(api, hall)
    await done(clerk, hall, counter, "call-next")
    api.turn_clock("2026-11-23T12:10:00+08:00")
    assert (await done(clerk, hall, counter, "start", "finish"))["state"] == "finished"
