"""After the last closing of a day, whoever still waits gets an outcome; its event is the hook."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from models.database import rows
from server.live.memory import Change
from server.live.reading import live_hall
from server.live.rows import read_whole
from server.tickets.day_end import lapse_after_closing
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, done, open_counters
from tests.people import Person

IN_THE_BREAK = "2026-11-23T12:30:00+08:00"
JUST_CLOSED = "2026-11-23T17:00:00+08:00"
HALF_PAST = "2026-11-23T17:30:00+08:00"
AN_HOUR_LATER = "2026-11-23T18:00:00+08:00"
NEXT_MORNING = "2026-11-24T08:00:00+08:00"


async def end_the_day(api: Api, at: str) -> int:
    return await lapse_after_closing(
        now=datetime.fromisoformat(at),
        directory=api.services.directory,
        feed=api.services.feed,
    )


async def state_of(person: Person, ticket: dict[str, Any]) -> tuple[str, str | None]:
    shown = (await person.get(f"/tickets/{ticket['id']}")).json()
    return shown["state"], shown["reason"]


async def last_event(ticket: dict[str, Any]) -> dict[str, Any]:
    found = await rows(
        "SELECT * FROM ticket_event WHERE ticket_id = $1 ORDER BY id DESC LIMIT 1", ticket["id"]
    )
    return dict(found[0])


@pytest.mark.parametrize("at", ["2026-11-23T16:59:59+08:00", IN_THE_BREAK])
async def test_nobody_is_let_go_before_the_last_closing(api: Api, hall: str, at: str) -> None:
    lin, ticket = await a_ticket(api, hall)
    await end_the_day(api, at)
    assert await state_of(lin, ticket) == ("waiting", None)


async def test_whoever_waits_when_no_counter_is_open_is_let_go_at_closing(
    api: Api, hall: str
) -> None:
    lin, ticket = await a_ticket(api, hall)
    assert await end_the_day(api, JUST_CLOSED) >= 1
    assert await state_of(lin, ticket) == ("cancelled", "day_ended")
    event = await last_event(ticket)
    assert (event["move"], event["detail"]) == ("lapse", "counters_closed")
    assert (event["actor_kind"], event["state"]) == ("system", "cancelled")
    assert await end_the_day(api, JUST_CLOSED) == 0


async def test_counters_that_stay_open_serve_the_room_empty(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    [counter, *rest] = await open_counters(clerk, hall, "E")
    for code in rest:
        await done(clerk, hall, code, "close")
    lin, first = await a_ticket(api, hall)
    mei, second = await a_ticket(api, hall)
    await end_the_day(api, HALF_PAST)
    assert await state_of(lin, first) == ("waiting", None)
    api.turn_clock(HALF_PAST)
    await done(clerk, hall, counter, "call-next", "start", "finish", "close")
    await end_the_day(api, HALF_PAST)
    assert await state_of(lin, first) == ("finished", None)
    assert await state_of(mei, second) == ("cancelled", "day_ended")


async def test_an_hour_after_closing_all_but_who_is_served_are_let_go(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    [one, two, three, *_] = await open_counters(clerk, hall, "E")
    people = [await a_ticket(api, hall) for _ in range(4)]
    await done(clerk, hall, one, "call-next", "start")
    await done(clerk, hall, two, "call-next")
    await done(clerk, hall, three, "call-next", "start", "park")
    assert await end_the_day(api, AN_HOUR_LATER) >= 3
    states = [await state_of(person, ticket) for person, ticket in people]
    assert states == [
        ("serving", None),
        ("missed", "day_ended"),
        ("cancelled", "day_ended"),
        ("cancelled", "day_ended"),
    ]
    assert (await last_event(people[3][1]))["detail"] == "after_close"
    api.turn_clock(AN_HOUR_LATER)
    assert (await done(clerk, hall, one, "finish"))["state"] == "finished"


async def test_phones_and_boards_are_told_at_once(api: Api, hall: str) -> None:
    lin, ticket = await a_ticket(api, hall)
    await end_the_day(api, JUST_CLOSED)
    feed = api.services.feed
    await until(lambda: feed.memory.halls[hall].waiting == 0)
    assert await state_of(lin, ticket) == ("cancelled", "day_ended")
    entry, now = api.services.directory.hall(hall), datetime.fromisoformat(JUST_CLOSED)
    found = await read_whole(entry.id, now=now)
    live = live_hall(entry, found, None, now=now, version=1)
    [view] = [one.view for one in live.tickets if str(one.view.id) == ticket["id"]]
    assert (view.state, view.reason) == ("cancelled", "day_ended")


async def test_a_hall_whose_numbers_end_is_told_before_the_next_hall_is_looked_at(
    api: Api, hall: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = await api.quiet_hall()
    mine = [await a_ticket(api, hall), await a_ticket(api, there)]

    async def lost(*_: Change) -> None:
        raise ConnectionError

    monkeypatch.setattr(api.services.feed, "changed", lost)
    with pytest.raises(ConnectionError):
        await end_the_day(api, JUST_CLOSED)
    monkeypatch.undo()
    left = await rows(
        "SELECT 1 FROM ticket WHERE id = ANY($1) AND ended_at IS NULL",
        [ticket["id"] for _, ticket in mine],
    )
    assert len(left) >= 1  # or one of them had ended, and nobody would hear of it
    await end_the_day(api, JUST_CLOSED)


async def test_two_workers_at_once_end_each_ticket_once(api: Api, hall: str) -> None:
    people = [await a_ticket(api, hall) for _ in range(5)]
    ended = await asyncio.gather(*(end_the_day(api, JUST_CLOSED) for _ in range(3)))
    assert sum(ended) >= 5
    for _, ticket in people:
        found = await rows(
            "SELECT 1 FROM ticket_event WHERE ticket_id = $1 AND move = 'lapse'", ticket["id"]
        )
        assert len(found) == 1


async def test_a_clock_that_jumped_over_the_night_leaves_today_alone(api: Api, hall: str) -> None:
    _, yesterday = await a_ticket(api, hall)
    api.turn_clock("2026-11-24T09:30:00+08:00")
    lin, today = await a_ticket(api, hall)
    await end_the_day(api, "2026-11-24T09:30:00+08:00")
    assert await state_of(lin, today) == ("waiting", None)
    assert (await last_event(yesterday))["move"] == "issue"  # the day's own end takes those


async def test_before_a_hall_opens_nobody_is_let_go(api: Api, hall: str) -> None:
    lin, ticket = await a_ticket(api, hall)
    await rows("UPDATE ticket SET day = '2026-11-24' WHERE id = $1", ticket["id"])
    await end_the_day(api, NEXT_MORNING)
    assert (await last_event(ticket))["move"] == "issue"
    await rows("UPDATE ticket SET day = '2026-11-23' WHERE id = $1", ticket["id"])
    assert await state_of(lin, ticket) == ("waiting", None)


async def test_who_was_let_go_as_missed_and_comes_back_is_no_more_said_to_have_been(
    api: Api, hall: str
) -> None:
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    lin, ticket = await a_ticket(api, hall)
    await done(clerk, hall, counter, "call-next")
    await end_the_day(api, AN_HOUR_LATER)
    assert await state_of(lin, ticket) == ("missed", "day_ended")
    api.turn_clock(AN_HOUR_LATER)
    back = await clerk.post(f"/halls/{hall}/tickets/{ticket['number']}/return")
    assert (back.status_code, back.json()["reason"]) == (200, None)
