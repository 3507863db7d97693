"""An appointment moved, given up, or made to move by hours that changed."""

from asyncio import gather
from dataclasses import replace
from datetime import date, time

import pytest

from models.database import rows
from scheduler.calendar import SpecialDay, Timetable
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    book,
    booked,
    booking_ruled,
    code_of,
    counted,
    replan,
    slots,
)
from tests.conftest import Api
from tests.people import Person

WEDNESDAY = "2026-11-25"


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


async def move(who: Person, mine: str, start: str) -> tuple[int, str]:
    return code_of(await who.post(f"/appointments/{mine}/reschedule", {"slot_start": start}))


async def test_she_moves_and_her_old_place_is_free(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    hall_id = api.services.directory.hall(hall).id
    mine = (await booked(lin, hall, item, at("10:00")))["id"]
    assert await move(lin, mine, at("10:00")) == (409, "same_slot")
    assert await move(lin, mine, at("15:00", WEDNESDAY)) == (200, "")
    shown = (await lin.get(f"/appointments/{mine}")).json()
    assert (shown["slot_start"], shown["slot_end"]) == (
        at("15:00", WEDNESDAY),
        at("15:30", WEDNESDAY),
    )
    assert await counted(hall_id, at("10:00")) == (0, 0)
    assert await counted(hall_id, at("15:00", WEDNESDAY)) == (1, 1)
    # Her day has moved with it: Tuesday is free again, Wednesday is not.
    await booked(lin, hall, item, at("11:00"))
    assert code_of(await book(lin, hall, item, at("09:00", WEDNESDAY))) == (409, "already_booked")
    assert await move(lin, mine, at("09:00")) == (409, "already_booked")


async def test_moving_to_a_full_slot_keeps_the_old_place(api: Api, hall: str) -> None:
    people = await gather(*(api.citizen() for _ in range(5)))
    item, hall_id = an_item(api, hall), api.services.directory.hall(hall).id
    for one in people[:4]:
        await booked(one, hall, item, at("10:00"))
    mine = (await booked(people[4], hall, item, at("11:00")))["id"]
    assert await move(people[4], mine, at("10:00")) == (409, "slot_full")
    for start in (at("10:10"), at("12:30"), at("10:00", "2026-11-22")):
        assert await move(people[4], mine, start) == (409, "slot_closed")
    assert (await people[4].get(f"/appointments/{mine}")).json()["slot_start"] == at("11:00")
    assert await counted(hall_id, at("10:00")) == (4, 4)
    assert await counted(hall_id, at("11:00")) == (1, 1)


async def test_people_who_exchange_their_slots_at_once_lose_no_place(api: Api, hall: str) -> None:
    people = await gather(*(api.citizen() for _ in range(6)))
    item, hall_id = an_item(api, hall), api.services.directory.hall(hall).id
    starts = [at("10:00"), at("11:00")]
    mine = [
        (await booked(one, hall, item, starts[nth % 2]))["id"] for nth, one in enumerate(people)
    ]
    both = list(zip(people, mine, strict=True))
    for turn in range(3):
        replies = await gather(
            *(move(p, m, starts[(n + turn + 1) % 2]) for n, (p, m) in enumerate(both))
        )
        assert {status for status, _ in replies} <= {200, 409}
        taken = [await counted(hall_id, start) for start in starts]
        assert all(said == there <= 4 for said, there in taken)
        assert sum(said for said, _ in taken) == 6


async def test_giving_up_has_a_deadline_but_for_who_has_just_booked(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    today = "2026-11-23"
    soon = (await booked(lin, hall, item, at("11:00", today)))["id"]
    api.turn_clock(at("09:34", today))
    assert code_of(await lin.post(f"/appointments/{soon}/cancel")) == (200, "")
    again = (await booked(lin, hall, item, at("11:00", today)))["id"]
    api.turn_clock(at("09:40", today))
    late = await lin.post(f"/appointments/{again}/cancel")
    assert code_of(late) == (409, "too_late_to_cancel")
    assert "120" in late.json()["detail"]
    assert await move(lin, again, at("15:00", today)) == (409, "too_late_to_cancel")
    with booking_ruled(api, hall, cancel_before_min=60):
        assert code_of(await lin.post(f"/appointments/{again}/cancel")) == (200, "")
    assert code_of(await lin.post(f"/appointments/{again}/cancel")) == (409, "wrong_state")
    assert await move(lin, again, at("15:00", today)) == (409, "wrong_state")


async def test_planning_again_changes_nothing(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    await booked(lin, hall, item, at("10:00"))
    before = await slots(api, hall, item)
    found = await replan(api, hall)
    assert (found.slots, found.must_move) == (0, ())
    assert await slots(api, hall, item) == before


async def test_when_a_hall_closes_its_bookings_are_listed_and_offered_a_move(
    api: Api, hall: str
) -> None:
    lin, item, manager = await api.citizen(), an_item(api, hall), await api.manager(hall)
    mine = (await booked(lin, hall, item, at("10:00")))["id"]
    room = api.services
    before, entry = room.directory, room.directory.hall(hall)
    closed = SpecialDay(date(2026, 11, 24), ((time(14), time(17)),), reason="停电检修")
    timetable = Timetable(entry.timetable.weekly, {**entry.timetable.special, closed.date: closed})
    room.directory = replace(
        before, halls={**before.halls, hall: replace(entry, timetable=timetable)}
    )
    try:
        found = await replan(api, hall)
        assert [str(one) for one in found.must_move] == [mine]
        shown = (await lin.get(f"/appointments/{mine}")).json()
        assert (shown["state"], shown["must_move"]) == ("booked", True)
        await replan(api, hall)
        told = (await lin.get("/notices")).json()["data"]
        assert [one["kind"] for one in told] == ["appointment_must_move", "appointment_booked"]
        assert at("10:00") not in await slots(api, hall, item)
        listed = await manager.get(f"/halls/{hall}/appointments", params={"must_move": "true"})
        assert [one["id"] for one in listed.json()["data"]] == [mine]
        # Both see where else there is room, closest to what she had.
        assert shown["move_to"] == [at("14:00"), at("14:30"), at("15:00")]
        assert (await lin.get("/appointments")).json()["data"][0]["move_to"] == shown["move_to"]
        proposed = (await lin.get(f"/appointments/{mine}/proposals")).json()["data"]
        assert [one["why"] for one in proposed] == ["sooner"]
        # Whatever time it is, for it was not her who changed it.
        api.turn_clock(at("09:30"))
        assert await move(lin, mine, at("10:00", WEDNESDAY)) == (200, "")
        assert (await lin.get(f"/appointments/{mine}")).json()["must_move"] is False
    finally:
        room.directory = before
    api.turn_clock(at("09:30", "2026-11-23"))
    await replan(api, hall)
    assert (await slots(api, hall, item))[at("10:00")]["left"] == 4


async def test_fewer_places_than_booked_ask_the_last_to_move_and_take_nobodys(
    api: Api, hall: str
) -> None:
    people = await gather(*(api.citizen() for _ in range(3)))
    item, entry = an_item(api, hall), api.services.directory.hall(hall)
    mine = [(await booked(one, hall, item, at("10:00")))["id"] for one in people]
    await rows("UPDATE slot_plan SET places = 2 WHERE hall_id = $1", entry.id)
    found = await replan(api, hall)
    assert [str(one) for one in found.must_move] == mine[2:]
    assert await counted(entry.id, at("10:00")) == (3, 3)
    shown = (await slots(api, hall, item))[at("10:00")]
    assert (shown["capacity"], shown["left"]) == (3, 0)
    # What is given up goes to nobody until it fits.
    assert await move(people[2], mine[2], at("11:00")) == (200, "")
    assert code_of(await book(await api.citizen(), hall, item, at("10:00"))) == (409, "slot_full")
    await people[0].post(f"/appointments/{mine[0]}/cancel")
    await booked(await api.citizen(), hall, item, at("10:00"))
    assert code_of(await book(await api.citizen(), hall, item, at("10:00"))) == (409, "slot_full")
