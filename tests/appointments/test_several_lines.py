"""Items of several lines in one booking: places one after the other, all of them or none."""

from datetime import datetime

import pytest

from models.database import rows
from tests.appointments.days import (
    TUESDAY,
    a_bookable_hall,
    an_item,
    at,
    book,
    booked,
    code_of,
    counted,
    seen,
    slots,
)
from tests.conftest import Api
from tests.counters.halls import done, open_counters


@pytest.fixture
async def hall(api: Api) -> str:
    """A hall with two places in each slot of line E, and one in each of line A."""
    hall = await a_bookable_hall(api, places=2)
    manager = await api.manager(hall)
    await manager.put(f"/halls/{hall}/slot-plans/A", {"places": 1})
    await seen(api, hall)
    return hall


def two_items(api: Api, hall: str) -> tuple[str, str]:
    return an_item(api, hall), an_item(api, hall, line="A")


async def places_of(appointment: str) -> list[str]:
    found = await rows(
        "SELECT starts_at FROM slot JOIN appointment_place p ON p.slot_id = slot.id"
        " WHERE p.appointment_id = $1 ORDER BY starts_at",
        appointment,
    )
    return [
        f"{row['starts_at'].astimezone(datetime.fromisoformat(at('10:00')).tzinfo):%H:%M}"
        for row in found
    ]


async def test_each_line_gives_a_place_after_the_one_before(api: Api, hall: str) -> None:
    lin, (first, second) = await api.citizen(), two_items(api, hall)
    mine = await booked(lin, hall, first, at("10:00"), also=[second])
    assert (mine["slot_start"], mine["slot_end"]) == (at("10:00"), at("11:00"))
    assert [(s["line"], s["items"], s["start"], s["end"]) for s in mine["stops"]] == [
        ("E", [first], at("10:00"), at("10:30")),
        ("A", [second], at("10:30"), at("11:00")),
    ]
    assert await places_of(mine["id"]) == ["10:00", "10:30"]
    other = await api.citizen()
    assert code_of(await book(other, hall, second, at("10:30"))) == (409, "slot_full")
    assert (await lin.post(f"/appointments/{mine['id']}/cancel")).status_code == 200
    assert (await book(other, hall, second, at("10:30"))).status_code == 201


async def test_a_full_slot_of_the_second_line_makes_her_come_to_the_next(
    api: Api, hall: str
) -> None:
    first, second = two_items(api, hall)
    await booked(await api.citizen(), hall, second, at("10:30"))
    mine = await booked(await api.citizen(), hall, first, at("10:00"), also=[second])
    assert [stop["start"] for stop in mine["stops"]] == [at("10:00"), at("11:00")]
    assert mine["slot_end"] == at("11:30")


async def test_without_a_place_in_time_nothing_at_all_is_booked(api: Api, hall: str) -> None:
    first, second = two_items(api, hall)
    hall_id = api.services.directory.hall(hall).id
    for start in ("10:30", "11:00", "11:30"):
        await booked(await api.citizen(), hall, second, at(start))
    lin = await api.citizen()
    reply = await book(lin, hall, first, at("10:00"), also=[second])
    assert code_of(reply) == (409, "slot_full")
    assert await counted(hall_id, at("10:00")) == (0, 0)
    assert (await lin.get("/appointments")).json()["data"] == []
    # Nor is it shown: there the two do not go together.
    await seen(api, hall)
    query = {"item": first, "also": second, "from": TUESDAY, "to": TUESDAY}
    told = await api.http.get(f"/api/v1/halls/{hall}/slots", params=query)
    starts = [slot["start"] for slot in told.json()["data"]]
    assert at("10:00") not in starts
    assert at("09:00") in starts
    assert at("10:00") in await slots(api, hall, first)
    # The last of the day has none after it.
    last = max(await slots(api, hall, first))
    assert code_of(await book(lin, hall, first, last, also=[second])) == (409, "slot_full")


async def test_it_moves_as_a_whole_and_may_keep_what_it_has(api: Api, hall: str) -> None:
    lin, (first, second) = await api.citizen(), two_items(api, hall)
    mine = await booked(lin, hall, first, at("10:00"), also=[second])
    await booked(await api.citizen(), hall, second, at("11:30"))
    path = f"/appointments/{mine['id']}/reschedule"
    moved = await lin.post(path, {"slot_start": at("09:30")})
    assert moved.status_code == 200, moved.text
    assert await places_of(mine["id"]) == ["09:30", "10:00"]
    for start in ("14:30", "15:00", "15:30"):
        await booked(await api.citizen(), hall, second, at(start))
    refused = await lin.post(path, {"slot_start": at("14:00")})
    assert code_of(refused) == (409, "slot_full")
    assert await places_of(mine["id"]) == ["09:30", "10:00"]
    # Only she herself stands in the way there.
    assert (await lin.post(path, {"slot_start": at("09:00")})).status_code == 200
    assert await places_of(mine["id"]) == ["09:00", "09:30"]


async def test_checked_in_it_is_a_visit_of_both_lines(api: Api, hall: str) -> None:
    lin, (first, second) = await api.citizen(), two_items(api, hall)
    mine = await booked(lin, hall, first, at("10:00"), also=[second])
    api.turn_clock(at("09:50"))
    kiosk = await api.manager(hall)
    ticket = await kiosk.post(f"/halls/{hall}/check-ins", {"code": mine["check_in_code"]})
    assert ticket.status_code == 201, ticket.text
    visit = (await lin.get(f"/visits/{ticket.json()['visit']}")).json()
    assert [stop["item"] for stop in visit["stops"]] == [first, second]


async def test_each_number_counts_from_its_own_slot(api: Api, hall: str) -> None:
    lin, (first, second) = await api.citizen(), two_items(api, hall)
    mine = await booked(lin, hall, first, at("10:00"), also=[second])
    starts = {stop["items"][0]: stop["start"] for stop in mine["stops"]}
    assert starts == {first: at("10:00"), second: at("10:30")}
    clerk = await api.clerk(hall)
    api.turn_clock(at("09:50"))
    ticket = await clerk.post(f"/halls/{hall}/check-ins", {"code": mine["check_in_code"]})
    # Who came before her second slot is called before her there, though after her first.
    line = api.services.directory.hall(hall).offers[second]
    api.turn_clock(at("10:10"))
    other = (await (await api.citizen()).take(hall, api.item(hall, line))).json()
    [counter, *_] = await open_counters(clerk, hall, ticket.json()["line"])
    await done(clerk, hall, counter, "call-next", "start", "finish")
    visit = (await lin.get(f"/visits/{ticket.json()['visit']}")).json()
    next_one = visit["stops"][1]["ticket"]
    order = (await lin.get(f"/tickets/{next_one}/order")).json()
    assert order["since"] == at("10:30")
    assert [one["number"] for one in order["ahead"]] == [other["number"]]
    shown = (await lin.get(f"/tickets/{next_one}")).json()
    assert shown["appointment"] == {"id": mine["id"], "slot_start": at("10:30")}


async def test_best_slots_are_those_where_all_go_together(api: Api, hall: str) -> None:
    first, second = two_items(api, hall)
    query = {"item": first, "also": second, "hall": hall}
    best = (await api.http.get("/api/v1/slots/best", params=query)).json()["data"]
    mine = await book(await api.citizen(), hall, first, best[0]["slot"]["start"], also=[second])
    assert mine.status_code == 201, mine.text
    assert mine.json()["slot_end"] == best[0]["slot"]["end"]
    for wrong in (f"{second},{second}", first, ",".join(["a"] * 8)):
        reply = await api.http.get("/api/v1/slots/best", params=query | {"also": wrong})
        assert code_of(reply) == (422, "invalid_request")
    reply = await api.http.get("/api/v1/slots/best", params=query | {"also": "luck"})
    assert code_of(reply) == (404, "not_found")
