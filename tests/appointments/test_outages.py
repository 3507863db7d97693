"""What was ours is no no-show: a line that took nobody, a closed hall, a service that was away."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from models.database import rows
from models.outages import at_work
from scheduler.booking import LEAST_OUTAGE
from scheduler.calendar import SpecialDay, Timetable
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    booked,
    booking_ruled,
    tend,
)
from tests.conftest import Api
from tests.people import Person


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


@pytest.fixture
async def no_pulse(api: Api) -> AsyncIterator[None]:
    """No worker has ever been here, before and after."""
    yield
    await rows("DELETE FROM worker_pulse")
    await rows("DELETE FROM outage WHERE hall_id IS NULL")


async def who_stays_away(api: Api, hall: str) -> tuple[Person, str]:
    lin = await api.citizen()
    return lin, (await booked(lin, hall, an_item(api, hall), at("10:00")))["id"]


async def when_all_is_over(api: Api, hall: str, who: Person, mine: str) -> dict[str, Any]:
    """How it ended, where one missed is enough to be blocked."""
    with booking_ruled(api, hall, no_shows_to_block=1):
        api.turn_clock(at("10:31"))
        await tend(api)
    shown: dict[str, Any] = (await who.get(f"/appointments/{mine}")).json()
    standing = (await who.get("/me/booking-standing")).json()
    assert (standing["blocked_until"] is None) is (shown["state"] != "missed")
    return shown


async def closed_between(api: Api, hall: str, start: str, end: str | None, *, how: str) -> None:
    manager, path = await api.manager(hall), f"/halls/{hall}/lines/E"
    api.turn_clock(at(start))
    why = {"reason": "系统故障"}
    assert (await manager.post(f"{path}/{how}", why)).is_success
    if end is not None:
        api.turn_clock(at(end))
        assert (await manager.post(f"{path}/open")).is_success


@pytest.mark.parametrize(
    ("how", "closed", "state"),
    [
        ("pause", ("09:50", "10:10"), "cancelled"),
        ("stop", ("10:15", None), "cancelled"),
        ("stop", ("10:00", "10:03"), "missed"),  # too short to keep anybody from it
        ("pause", ("10:28", None), "missed"),
    ],
)
async def test_while_her_line_took_nobody_she_missed_nothing(
    api: Api, hall: str, how: str, closed: tuple[str, str | None], state: str
) -> None:
    lin, mine = await who_stays_away(api, hall)
    await closed_between(api, hall, *closed, how=how)
    shown = await when_all_is_over(api, hall, lin, mine)
    assert (shown["state"], shown["cancelled_for"]) == (
        state,
        "line_closed" if state == "cancelled" else None,
    )
    said = "SELECT step, actor_kind, detail FROM appointment_event WHERE appointment_id = $1"
    [*_, last] = await rows(f"{said} ORDER BY id", mine)
    assert tuple(last) == (
        ("cancel", "system", "line_closed") if state == "cancelled" else ("miss", "system", None)
    )
    clerk = await api.clerk(hall)
    seen = (await clerk.get(f"/halls/{hall}/appointments/{mine}")).json()
    assert (seen["state"], seen["cancelled_for"]) == (state, shown["cancelled_for"])


async def test_another_line_that_is_closed_excuses_nobody(api: Api, hall: str) -> None:
    lin, mine = await who_stays_away(api, hall)
    api.turn_clock(at("09:30"))
    manager = await api.manager(hall)
    assert (await manager.post(f"/halls/{hall}/lines/A/pause", {"reason": "停电"})).is_success
    assert (await when_all_is_over(api, hall, lin, mine))["state"] == "missed"


async def test_a_hall_that_closed_in_the_morning_was_missed_by_nobody(api: Api, hall: str) -> None:
    lin, mine = await who_stays_away(api, hall)
    room, before = api.services, api.services.directory
    entry = before.hall(hall)
    closed = SpecialDay(date(2026, 11, 24), ((time(14), time(17)),), reason="停电检修")
    timetable = Timetable(entry.timetable.weekly, {**entry.timetable.special, closed.date: closed})
    api.turn_clock(at("10:01"))  # her slot has begun, so nobody asks her to move
    room.directory = replace(
        before, halls={**before.halls, hall: replace(entry, timetable=timetable)}
    )
    try:
        shown = await when_all_is_over(api, hall, lin, mine)
    finally:
        room.directory = before
    assert (shown["state"], shown["cancelled_for"]) == ("cancelled", "hall_closed")


async def a_worker_works_at(moment: str) -> None:
    await at_work(datetime.fromisoformat(moment), least=LEAST_OUTAGE)


async def nobody_worked_for(**time: float) -> None:
    await rows("UPDATE worker_pulse SET real_at = real_at - $1::interval", timedelta(**time))


@pytest.mark.usefixtures("no_pulse")
async def test_while_no_worker_was_there_nobody_missed_anything(api: Api, hall: str) -> None:
    lin, mine = await who_stays_away(api, hall)
    await a_worker_works_at(at("09:40"))
    await nobody_worked_for(hours=1)
    for _ in range(2):  # two come back; one of them says so
        await a_worker_works_at(at("10:40"))
    found = await rows("SELECT kind, since, until FROM outage WHERE hall_id IS NULL")
    assert [(row["kind"], row["until"] - row["since"]) for row in found] == [
        ("service_down", timedelta(hours=1))
    ]
    shown = await when_all_is_over(api, hall, lin, mine)
    assert (shown["state"], shown["cancelled_for"]) == ("cancelled", "service_down")


@pytest.mark.usefixtures("no_pulse")
async def test_a_worker_that_is_started_anew_was_never_away(api: Api, hall: str) -> None:
    lin, mine = await who_stays_away(api, hall)
    await a_worker_works_at(at("09:40"))
    # The clock of business was turned, or runs fast: what counts is real time.
    await a_worker_works_at(at("10:20"))
    await nobody_worked_for(minutes=4)
    await a_worker_works_at(at("10:24"))
    assert await rows("SELECT 1 FROM outage WHERE hall_id IS NULL") == []
    assert (await when_all_is_over(api, hall, lin, mine))["state"] == "missed"
