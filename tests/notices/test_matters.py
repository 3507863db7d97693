"""Appointments, bills and visits tell of themselves, each once, and never what is over."""

from typing import Any
from uuid import UUID

import pytest

from models.database import rows
from server.notices.reminding import remind_what_is_due
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    booked,
    booking_ruled,
    tend,
)
from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.identity.families import a_named_citizen
from tests.notices.post import Post, notices_of
from tests.people import Person


@pytest.fixture
async def bookable(api: Api) -> str:
    return await a_bookable_hall(api)


async def remind(api: Api) -> None:
    """As the workers do every minute; two of them at once, for that matter."""
    room = api.services
    for _ in range(2):
        await remind_what_is_due(room.clock, lambda: room.directory)


async def told(who: Person) -> list[tuple[str, str]]:
    """What she was told, the oldest first, and how that stands."""
    return [(one["kind"], one["state"]) for one in await notices_of(who)][::-1]


async def kinds(who: Person) -> list[str]:
    return [kind for kind, _ in await told(who)]


async def test_booking_and_giving_up_are_told_and_what_is_over_is_not(
    api: Api, bookable: str, post: Post
) -> None:
    lin = await api.citizen()
    await post.allow(lin, "appointment_cancelled")
    await post.until_allowed(lin, "appointment_cancelled", 1)
    mine = await booked(lin, bookable, an_item(api, bookable), at("10:00"))
    [notice] = await notices_of(lin)
    assert (notice["kind"], notice["subject_id"]) == ("appointment_booked", mine["id"])
    assert "2026-11-24 10:00" in notice["body"]
    await lin.post(f"/appointments/{mine['id']}/cancel")
    assert await told(lin) == [
        ("appointment_booked", "expired"),
        ("appointment_cancelled", "waiting"),
    ]
    await post.goes_with_matters()
    [message] = await post.sent_to(lin)
    assert message["template"] == "yiting_appointment_cancelled"
    assert message["fields"]["time3"] == "2026-11-24 10:00"


async def test_a_held_place_is_no_news_until_it_is_confirmed(api: Api, bookable: str) -> None:
    lin = await api.citizen()
    mine = await booked(lin, bookable, an_item(api, bookable), at("10:00"), hold=True)
    assert await told(lin) == []
    await lin.post(f"/appointments/{mine['id']}/confirm")
    assert await kinds(lin) == ["appointment_booked"]


async def test_she_is_reminded_the_day_before_and_two_hours_before_each_once(
    api: Api, bookable: str
) -> None:
    lin = await api.citizen()
    await booked(lin, bookable, an_item(api, bookable), at("10:00"))
    await remind(api)
    assert await kinds(lin) == ["appointment_booked"]
    api.turn_clock(at("10:01", "2026-11-23"))
    await remind(api)
    assert await kinds(lin) == ["appointment_booked", "appointment_tomorrow"]
    api.turn_clock(at("08:01"))
    await remind(api)
    assert await kinds(lin) == ["appointment_booked", "appointment_tomorrow", "appointment_soon"]
    api.turn_clock(at("09:30"))
    await remind(api)
    assert len(await kinds(lin)) == 3


async def test_a_hall_says_how_long_before_and_who_booked_later_is_not_reminded(
    api: Api, bookable: str
) -> None:
    lin, late = await api.citizen(), await api.citizen()
    await booked(lin, bookable, an_item(api, bookable), at("14:30"))
    with booking_ruled(api, bookable, remind_before_h=4):
        api.turn_clock(at("10:45"))
        await booked(late, bookable, an_item(api, bookable), at("14:30"))
        await remind(api)
    assert "appointment_soon" in await kinds(lin)
    assert await kinds(late) == ["appointment_booked"]
    with booking_ruled(api, bookable, remind_before_h=0):
        api.turn_clock(at("13:00"))
        await remind(api)
    assert await kinds(late) == ["appointment_booked"]


async def test_moving_takes_back_the_reminder_and_reminds_anew(api: Api, bookable: str) -> None:
    lin = await api.citizen()
    mine = await booked(lin, bookable, an_item(api, bookable), at("10:00"))
    api.turn_clock(at("10:01", "2026-11-23"))
    await remind(api)
    later = {"slot_start": at("14:30", "2026-11-25")}
    moved = await lin.post(f"/appointments/{mine['id']}/reschedule", later)
    assert moved.status_code == 200, moved.text
    assert await told(lin) == [
        ("appointment_booked", "expired"),
        ("appointment_tomorrow", "expired"),
        ("appointment_changed", "waiting"),
    ]
    api.turn_clock(at("08:30"))
    await remind(api)
    assert (await kinds(lin))[3:] == []
    api.turn_clock(at("14:31"))
    await remind(api)
    assert (await kinds(lin))[3:] == ["appointment_tomorrow"]


async def test_nothing_but_turns_is_sent_at_night(api: Api, bookable: str, post: Post) -> None:
    lin = await api.citizen()
    await post.allow(lin, "appointment_booked")
    await post.until_allowed(lin, "appointment_booked", 1)
    api.turn_clock(at("22:30", "2026-11-23"))
    await booked(lin, bookable, an_item(api, bookable), at("10:00"))
    await post.goes_with_matters()
    assert (await post.sent_to(lin), await told(lin)) == ([], [("appointment_booked", "waiting")])
    [left] = await rows(
        "SELECT extract(epoch FROM try_after - now()) AS s FROM notice WHERE citizen_id = $1",
        UUID(lin.session["citizen"]["id"]),
    )
    assert 9 * 3600 < left["s"] <= 9.5 * 3600
    api.turn_clock(at("08:01"))
    await post.due(lin)
    await post.goes_with_matters()
    assert len(await post.sent_to(lin)) == 1


async def test_who_misses_is_told_warned_and_blocked(api: Api, bookable: str) -> None:
    lin = await a_named_citizen(api)
    await booked(lin, bookable, an_item(api, bookable), at("10:00"))
    await booked(lin, bookable, an_item(api, bookable, nth=1), at("14:30"))
    api.turn_clock(at("10:31"))
    await tend(api)
    assert await kinds(lin) == ["appointment_booked"] * 2 + [
        "appointment_missed",
        "booking_warned",
    ]
    api.turn_clock(at("15:01"))
    await tend(api)
    assert (await kinds(lin))[4:] == ["appointment_missed", "booking_blocked"]
    [blocked, *_] = await notices_of(lin)
    assert "2026-12-24" in blocked["body"]


async def test_a_freed_place_that_is_offered_is_told_and_its_end_ends_that(
    api: Api, bookable: str
) -> None:
    item = an_item(api, bookable)
    people = [await api.citizen() for _ in range(4)]
    for one in people:
        await booked(one, bookable, item, at("10:00"))
    lin = await api.citizen()
    wish: dict[str, Any] = {"hall": bookable, "item": item, "date": "2026-11-24"}
    wish |= {"from": "10:00", "to": "10:30"}
    waits = await lin.post("/waitlist", wish)
    assert waits.status_code == 201, waits.text
    [theirs] = (await people[0].get("/appointments")).json()["data"]
    await people[0].post(f"/appointments/{theirs['id']}/cancel")
    await tend(api)
    assert await told(lin) == [("appointment_offered", "waiting")]
    api.later(minutes=11)
    await tend(api)
    assert await told(lin) == [("appointment_offered", "expired")]


async def test_who_was_served_is_asked_how_it_was_and_not_when_that_is_taken_back(
    api: Api, hall: str
) -> None:
    lin, ticket = await a_ticket(api, hall)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start", "finish")
    [invited, _] = await notices_of(lin)
    assert (invited["kind"], invited["ticket_id"]) == ("rating_invited", ticket["id"])
    await done(clerk, hall, counter, "undo")
    assert ("rating_invited", "expired") in await told(lin)
