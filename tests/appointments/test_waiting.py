"""Who waits for a place is offered what becomes free: in order, one at a time, for a while."""

import json
from asyncio import gather
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
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
    replan,
    tend,
)
from tests.conftest import Api
from tests.identity.families import a_child_of, a_named_citizen
from tests.people import Person


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api, places=1)


async def wait(
    who: Person, hall: str, item: str, start: str = "09:00", end: str = "12:00", **more: Any
) -> httpx.Response:
    body = {"hall": hall, "item": item, "date": TUESDAY, "from": start, "to": end, **more}
    return await who.post("/waitlist", body)


async def waits(who: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await who.get("/waitlist")).json()["data"]
    return found


async def a_full_morning(api: Api, hall: str, item: str) -> list[tuple[Person, str]]:
    """Every slot from nine to noon is booked."""
    starts = [at(f"{hour:02d}:{minute:02d}") for hour in (9, 10, 11) for minute in (0, 30)]
    people = await gather(*(api.citizen() for _ in starts))
    made = await gather(
        *(booked(one, hall, item, start) for one, start in zip(people, starts, strict=True))
    )
    return [(one, mine["id"]) for one, mine in zip(people, made, strict=True)]


async def test_what_is_given_up_goes_to_the_first_who_waits(api: Api, hall: str) -> None:
    item = an_item(api, hall)
    morning = await a_full_morning(api, hall, item)
    lin, chen, wang = [await api.citizen() for _ in range(3)]
    first = await wait(lin, hall, item)
    assert (first.status_code, first.json()["state"]) == (201, "waiting"), first.text
    assert (await wait(chen, hall, item)).json()["ahead"] == 1
    await wait(wang, hall, item, "11:00", "12:00")
    who, mine = morning[2]
    await who.post(f"/appointments/{mine}/cancel")
    [hers] = await waits(lin)
    assert (hers["state"], hers["offer_start"]) == ("offered", at("10:00"))
    assert [one["state"] for one in await waits(chen) + await waits(wang)] == ["waiting"] * 2
    # Nobody comes between, and nobody else accepts it.
    assert code_of(await book(await api.citizen(), hall, item, at("10:00"))) == (409, "slot_full")
    accept = f"/offers/{hers['offer']}/accept"
    assert code_of(await chen.post(accept)) == (404, "not_found")
    accepted = await lin.post(accept)
    assert (accepted.status_code, accepted.json()["state"]) == (200, "booked")
    # A phone that asks again is told the same.
    assert (await lin.post(accept)).json() == accepted.json()
    assert [one["state"] for one in await waits(lin)] == ["booked"]


async def test_what_is_not_accepted_goes_to_the_next(api: Api, hall: str) -> None:
    item = an_item(api, hall)
    morning = await a_full_morning(api, hall, item)
    people = [await api.citizen() for _ in range(3)]
    for one in people:
        await wait(one, hall, item)
    who, mine = morning[0]
    await who.post(f"/appointments/{mine}/cancel")
    [offer] = await waits(people[0])
    assert offer["offer_until"][:16] == "2026-11-23T09:40"
    api.turn_clock("2026-11-23T09:41:00+08:00")
    late = await people[0].post(f"/offers/{offer['offer']}/accept")
    assert code_of(late) == (409, "hold_expired")
    await tend(api)
    states = [(await waits(one))[0]["state"] for one in people]
    assert states == ["passed", "offered", "waiting"]
    [offer] = await waits(people[1])
    declined = await people[1].post(f"/offers/{offer['offer']}/decline")
    assert declined.status_code == 200
    states = [(await waits(one))[0]["state"] for one in people]
    assert states == ["passed", "passed", "offered"]
    [offer] = await waits(people[2])
    assert (await people[2].post(f"/offers/{offer['offer']}/accept")).status_code == 200
    assert await counted(api.services.directory.hall(hall).id, at("09:00")) == (1, 1)


async def test_no_place_is_offered_to_two_however_many_become_free_at_once(
    api: Api, hall: str
) -> None:
    item = an_item(api, hall)
    morning = await a_full_morning(api, hall, item)
    people = [await api.citizen() for _ in range(8)]
    for one in people:
        await wait(one, hall, item)
    await gather(*(who.post(f"/appointments/{mine}/cancel") for who, mine in morning))
    await tend(api)  # what two who gave up at once passed over
    offers = [entry for one in people for entry in await waits(one)]
    assert [entry["state"] for entry in offers] == ["offered"] * 6 + ["waiting"] * 2
    assert len({entry["offer_start"] for entry in offers[:6]}) == 6
    [row] = await rows(
        "SELECT count(*) FROM appointment_place p JOIN slot s ON s.id = p.slot_id"
        " WHERE s.hall_id = $1",
        api.services.directory.hall(hall).id,
    )
    assert row["count"] == 6


async def test_who_begins_to_wait_is_offered_what_is_free_now(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    reply = await wait(lin, hall, item, "10:00", "11:00")
    assert (reply.json()["state"], reply.json()["offer_start"]) == ("offered", at("10:00"))


async def test_more_places_planned_go_to_who_waits(api: Api, hall: str) -> None:
    item, hall_id = an_item(api, hall), api.services.directory.hall(hall).id
    await a_full_morning(api, hall, item)
    lin = await api.citizen()
    await wait(lin, hall, item, "10:00", "10:30")
    await rows("UPDATE slot_plan SET places = 2 WHERE hall_id = $1", hall_id)
    await replan(api, hall)
    await tend(api)
    assert [one["state"] for one in await waits(lin)] == ["offered"]
    assert await counted(hall_id, at("10:00")) == (2, 2)


async def test_what_needs_two_slots_waits_for_two(api: Api, hall: str) -> None:
    directory, hall_id = api.services.directory, api.services.directory.hall(hall).id
    some = [an_item(api, hall, nth=nth) for nth in range(8)]
    item = next(one for one in some if 10 < directory.item(one).minutes <= 20)
    short = next(one for one in some if directory.item(one).minutes <= 10)
    await rows("UPDATE slot_plan SET slot_min = $2 WHERE hall_id = $1", hall_id, 10)
    await replan(api, hall)
    people = await gather(*(api.citizen() for _ in range(6)))
    starts = [at(f"09:{minute}") for minute in ("00", "10", "20")]
    made = [
        (await booked(one, hall, short, start))["id"]
        for one, start in zip(people, starts, strict=False)
    ]
    lin = people[5]
    await wait(lin, hall, item, "09:00", "09:30")
    await people[0].post(f"/appointments/{made[0]}/cancel")
    assert [one["state"] for one in await waits(lin)] == ["waiting"]
    await people[1].post(f"/appointments/{made[1]}/cancel")
    [offer] = await waits(lin)
    assert (offer["state"], offer["offer_start"]) == ("offered", at("09:00"))
    assert [await counted(hall_id, start) for start in starts] == [(1, 1)] * 3


async def test_she_waits_once_for_an_item_on_a_day_and_may_stop(api: Api, hall: str) -> None:
    item = an_item(api, hall)
    await a_full_morning(api, hall, item)
    lin = await a_named_citizen(api)
    child = await a_child_of(lin)
    mine = (await wait(lin, hall, item)).json()
    replies = await gather(*(wait(lin, hall, item) for _ in range(3)))
    assert {code_of(reply) for reply in replies} == {(409, "already_waiting")}
    his = (await wait(lin, hall, item, **{"for": child["id"]})).json()
    assert (his["for"]["relation"], his["ahead"]) == ("child", 1)
    stranger = await api.citizen()
    assert (await stranger.delete(f"/waitlist/{mine['id']}")).status_code == 404
    left = await lin.delete(f"/waitlist/{mine['id']}")
    assert (left.status_code, left.json()["state"]) == (200, "left")
    assert (await wait(lin, hall, item)).status_code == 201


async def test_who_may_not_book_may_not_wait(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    for start, end, code in (
        ("12:00", "09:00", (422, "invalid_request")),
        ("09:00Z", "12:00", (422, "invalid_request")),
        ("09:00\n", "12:00", (422, "invalid_request")),
        ("soon", "12:00", (422, "invalid_request")),
        # The hall is closed at noon and at night, and no slot is as short as this.
        ("12:00", "14:00", (409, "slot_closed")),
        ("18:00", "00:00", (409, "slot_closed")),
        ("00:00", "09:00", (409, "slot_closed")),
        ("10:05", "10:25", (409, "slot_closed")),
    ):
        reply = await wait(lin, hall, item, start, end)
        assert code_of(reply) == code, reply.text
    # The format is told in words, in either language.
    for language, words in ((None, "09:30"), ("en", "time of day")):
        headers = lin.headers | ({"Accept-Language": language} if language else {})
        body = {"hall": hall, "item": item, "date": TUESDAY, "from": "9", "to": "12:00"}
        reply = await api.http.post("/api/v1/waitlist", json=body, headers=headers)
        [fault] = reply.json()["errors"]
        assert fault["pointer"] == "/from"
        assert words in fault["detail"]
        assert "[0-9]" not in fault["detail"]
    # None of it bars a real one.
    assert (await wait(lin, hall, item, "11:30", "14:30")).status_code == 201
    lin = await api.citizen()
    past = {"hall": hall, "item": item, "date": "2026-11-20", "from": "09:00", "to": "10:00"}
    assert code_of(await lin.post("/waitlist", past)) == (409, "slot_closed")
    far = past | {"date": "2027-11-23"}
    assert code_of(await lin.post("/waitlist", far)) == (409, "slot_closed")
    await booked(lin, hall, an_item(api, hall, nth=1), at("10:00"))
    again = await wait(lin, hall, an_item(api, hall, nth=1))
    assert code_of(again) == (409, "already_booked")


async def test_when_the_time_has_passed_the_waiting_is_over(api: Api, hall: str) -> None:
    item = an_item(api, hall)
    await a_full_morning(api, hall, item)
    lin = await api.citizen()
    await wait(lin, hall, item)
    api.turn_clock(at("12:00"))
    await tend(api)
    assert [one["state"] for one in await waits(lin)] == ["over"]


@pytest.mark.parametrize("rule", ["book_per_week", "book_per_month"])
async def test_who_has_booked_as_often_as_she_may_is_passed_over_meanwhile(
    api: Api, hall: str, rule: str
) -> None:
    item, other = an_item(api, hall), an_item(api, hall, nth=1)
    morning = await a_full_morning(api, hall, item)
    lin, chen = await api.citizen(), await api.citizen()
    for one in (lin, chen):
        assert (await wait(one, hall, item)).status_code == 201
    hers = await booked(lin, hall, other, at("10:00", "2026-11-25"))
    async with ruled(api, hall, {rule: 1}):
        await given_up(*morning.pop())
        await tend(api)
        assert [one["state"] for one in await waits(lin)] == ["waiting"]
        assert [one["state"] for one in await waits(chen)] == ["offered"]
        await given_up(lin, hers["id"])
        await given_up(*morning.pop())
        assert [one["state"] for one in await waits(lin)] == ["offered"]


async def given_up(who: Person, appointment: str) -> None:
    assert (await who.post(f"/appointments/{appointment}/cancel")).is_success


@asynccontextmanager
async def ruled(api: Api, hall: str, rules: dict[str, int]) -> AsyncIterator[None]:
    """The hall's row has these rules meanwhile."""
    hall_id, change = api.services.directory.hall(hall).id, "UPDATE hall SET rules = $2"
    [before] = await rows("SELECT rules FROM hall WHERE id = $1", hall_id)
    await rows(f"{change} WHERE id = $1", hall_id, json.dumps(rules))
    try:
        yield
    finally:
        await rows(f"{change} WHERE id = $1", hall_id, before["rules"])
