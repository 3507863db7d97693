"""Ranked lists propose a slot where by booking it she is done earlier than by waiting."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from server.live.memory import Change
from tests.appointments.days import a_bookable_hall, an_item, at, book_of, booked, replan
from tests.conftest import Api, until
from tests.halls.test_finding_a_hall import halls
from tests.waits.foretelling import foretold, whoever_joins

MONDAY = "2026-11-23"
THREE_HOURS = (9000, 10800, 14400)


@pytest.fixture
async def hall(api: Api) -> AsyncIterator[str]:
    """A hall with one place in each slot, where whoever joins waits three hours."""
    hall = await a_bookable_hall(api, places=1)
    api.turn_clock(at("09:40", MONDAY))
    await replan(api, hall)
    with foretold(api, hall, lambda _: whoever_joins("E", *THREE_HOURS)):
        await api.services.feed.changed(Change(hall))
        lines = api.services.feed.memory.halls
        await until(lambda: any(line.wait for line in lines[hall].board.lines))
        yield hall


async def proposed(api: Api, hall: str, *, rank: str = "fastest", far: float = 0.0) -> Any:
    """What the list proposes there to who stands so many degrees of latitude away."""
    place = api.services.directory.hall(hall).place
    assert place is not None
    query = {"item": an_item(api, hall), "rank": rank, "travel": "drive", "limit": 50}
    where = {"lat": place.lat + far, "lng": place.lng, "datum": "wgs84"}
    reply = await halls(api, **query, **where)
    assert reply.status_code == 200, reply.text
    [one] = [each for each in reply.json()["data"] if each["code"] == hall]
    return one["appointment"]


def slot(start: str, done_by: str) -> dict[str, str]:
    return {"slot_start": at(start, MONDAY), "done_by": at(done_by, MONDAY)}


async def test_the_soonest_slot_with_a_place_that_she_reaches_is_proposed(
    api: Api, hall: str
) -> None:
    assert await proposed(api, hall) == slot("10:30", "11:00")
    assert await proposed(api, hall, rank="nearest") == slot("10:30", "11:00")
    # An hour and a half away: not before 11:10.
    assert await proposed(api, hall, far=0.28) == slot("11:30", "12:00")
    lin = await api.citizen()
    await booked(lin, hall, an_item(api, hall), at("10:30", MONDAY))
    book, entry = book_of(api), api.services.directory.hall(hall)
    item = api.services.directory.item(an_item(api, hall))
    since = datetime.fromisoformat(at("10:15", MONDAY))
    await until(lambda: (found := book.first(entry, item, since)) and found.starts_at.hour == 11)
    api.turn_clock(at("09:42", MONDAY))  # the same question is answered alike within a second
    assert await proposed(api, hall) == slot("11:00", "11:30")


async def test_nothing_is_proposed_where_waiting_is_as_quick(api: Api, hall: str) -> None:
    with foretold(api, hall, lambda _: whoever_joins("E", 60, 300, 900)):
        await api.services.feed.changed(Change(hall))
        boards = api.services.feed.memory.halls
        await until(
            lambda: any(line.wait and line.wait.p50_s == 300 for line in boards[hall].board.lines)
        )
        assert await proposed(api, hall) is None


async def test_a_slot_that_may_be_booked_no_more_is_proposed_no_more(api: Api, hall: str) -> None:
    assert await proposed(api, hall) == slot("10:30", "11:00")
    api.turn_clock(at("10:01", MONDAY))
    assert await proposed(api, hall) == slot("11:00", "11:30")
    api.turn_clock(at("09:41", MONDAY))
    assert await proposed(api, hall) == slot("10:30", "11:00")


async def test_proposing_asks_postgresql_nothing(api: Api, hall: str) -> None:
    counts = []
    for nth in range(3):
        _, statements = await api.statements(proposed(api, hall, far=nth / 1000))
        counts.append(statements)
    assert min(counts) == 0
