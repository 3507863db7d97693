"""Booking a place: at once or first held, by the rules, and never one too many."""

from asyncio import gather
from datetime import date, datetime
from typing import Any

import pytest

from models.database import rows
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    book,
    book_of,
    booked,
    booking_ruled,
    code_of,
    counted,
    replan,
    seen,
    slots,
    tend,
)
from tests.conftest import Api, until
from tests.identity.families import a_child_of, a_company_of, a_named_citizen
from tests.people import Person, a_company_code


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


async def test_a_citizen_books_and_is_told_what_to_bring(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    reply = await book(lin, hall, item, at("10:00"))
    assert reply.status_code == 201, reply.text
    mine = reply.json()
    assert (mine["state"], mine["slot_end"]) == ("booked", at("10:30"))
    assert (mine["cancel_until"], mine["check_in_from"]) == (at("08:00"), at("09:00"))
    guide = (await api.http.get(f"/api/v1/items/{item}")).json()
    assert {one["name"] for one in mine["materials"]} == {m["name"] for m in guide["materials"]}
    assert (await lin.get(f"/appointments/{mine['id']}")).json() == mine
    assert (await lin.get("/appointments")).json()["data"] == [mine]
    stranger = await api.citizen()
    assert (await stranger.get(f"/appointments/{mine['id']}")).status_code == 404
    assert (await stranger.post(f"/appointments/{mine['id']}/cancel")).status_code == 404
    events = await rows("SELECT step FROM appointment_event WHERE appointment_id = $1", mine["id"])
    assert [row["step"] for row in events] == ["book"]


async def test_booking_costs_few_statements_and_looking_none(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    await slots(api, hall, item)
    _, statements = await api.statements(book(lin, hall, item, at("10:00")))
    assert statements <= 7  # with BEGIN and COMMIT, and the look that tells her what she got
    looked = [(await api.statements(slots(api, hall, item)))[1] for _ in range(4)]
    assert min(looked) == 0


async def test_the_slot_shows_one_place_less(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, at("10:00"))
    shown = (await slots(api, hall, item))[at("10:00")]
    assert (shown["capacity"], shown["left"], shown["bookable"]) == (4, 3, True)
    await lin.post(f"/appointments/{mine['id']}/cancel")
    assert (await slots(api, hall, item))[at("10:00")]["left"] == 4


async def test_twenty_four_at_once_get_the_four_places(api: Api, hall: str) -> None:
    people = await gather(*(api.citizen() for _ in range(24)))
    item, hall_id = an_item(api, hall), api.services.directory.hall(hall).id
    for start in (at("10:00"), at("10:30"), at("11:00")):
        replies = await gather(*(book(one, hall, item, start, hold=True) for one in people))
        assert sorted(r.status_code for r in replies) == [201] * 4 + [409] * 20
        assert {r.json()["code"] for r in replies if r.status_code == 409} == {"slot_full"}
        assert await counted(hall_id, start) == (4, 4)
        held = [(p, r.json()) for p, r in zip(people, replies, strict=True) if r.is_success]
        await gather(*(p.post(f"/appointments/{one['id']}/cancel") for p, one in held))
        assert await counted(hall_id, start) == (0, 0)


async def test_no_way_leads_past_the_slots_row(api: Api, hall: str) -> None:
    hall_id = api.services.directory.hall(hall).id
    add = """
        INSERT INTO appointment_place (appointment_id, slot_id, part)
        SELECT gen_random_uuid(), slot.id, 'everybody' FROM slot, generate_series(1, $2)
        WHERE hall_id = $1 AND starts_at = '2026-11-24 10:00+08' AND capacity = 4
    """
    with pytest.raises(Exception, match="slot_room"):
        await rows(add, hall_id, 5)
    with pytest.raises(Exception, match="slot_room"):
        await rows("UPDATE slot SET taken = 5 WHERE hall_id = $1 AND capacity = 4", hall_id)
    assert await counted(hall_id, at("10:00")) == (0, 0)


async def test_one_appointment_for_an_item_on_a_day(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    replies = await gather(*(book(lin, hall, item, at(f"{h}:00")) for h in ("09", "10", "11")))
    assert sorted(r.status_code for r in replies) == [201, 409, 409]
    assert {r.json()["code"] for r in replies if not r.is_success} == {"already_booked"}
    assert (await book(lin, hall, item, at("10:00", "2026-11-25"))).status_code == 201
    assert (await book(lin, hall, an_item(api, hall, nth=1), at("10:00"))).status_code == 201


async def used_up(who: Person, hall: str) -> list[str]:
    """The weekdays on which she is told that she may book no more."""
    told = (await who.get(f"/me/booking-standing?hall={hall}")).json()["limits"]
    assert told["hall"] == hall
    return [day for day in told["used_up"] if date.fromisoformat(day).weekday() < 5]


async def test_so_many_a_week_and_a_month(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    with booking_ruled(api, hall, book_per_week=2, book_per_month=3, book_working_days=10):
        await replan(api, hall)
        await booked(lin, hall, item, at("10:00"))
        await booked(lin, hall, item, at("10:00", "2026-11-25"))
        third = await book(lin, hall, item, at("10:00", "2026-11-26"))
        assert code_of(third) == (409, "too_many_bookings")
        assert "2" in third.json()["detail"]
        assert await used_up(lin, hall) == [f"2026-11-{day}" for day in range(23, 28)]
        await booked(lin, hall, item, at("10:00", "2026-11-30"))
        full = await used_up(lin, hall)
        assert full == [f"2026-11-{day}" for day in (*range(23, 28), 30)]
        await booked(lin, hall, item, at("10:00", "2026-12-01"))
    with booking_ruled(api, hall, book_per_week=0, book_per_month=0):
        assert await used_up(lin, hall) == []
    with booking_ruled(api, hall, book_per_week=0, book_per_month=3):
        fourth = await book(lin, hall, item, at("10:00", "2026-11-27"))
        assert code_of(fourth) == (409, "too_many_bookings")


async def test_what_cannot_be_booked_is_said(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    for start, code in {
        at("10:00", "2026-11-20"): (409, "slot_closed"),
        at("09:30", "2026-11-23"): (409, "slot_closed"),
        at("10:00", "2027-01-05"): (409, "slot_closed"),
        at("10:10"): (409, "slot_closed"),
        at("12:30"): (409, "slot_closed"),
        "9999-12-31T23:59:59Z": (409, "slot_closed"),
        "2026-11-24T10:00:00": (422, "invalid_request"),
        "tomorrow": (422, "invalid_request"),
    }.items():
        assert code_of(await book(lin, hall, item, start)) == code, start
    assert code_of(await book(lin, "dg-99", item, at("10:00"))) == (404, "not_found")
    assert code_of(await book(lin, hall, "nothing", at("10:00"))) == (404, "not_found")
    sure = an_item(api, hall, level=2, line=None)
    assert code_of(await book(lin, hall, sure, at("10:00"))) == (403, "level_too_low")
    twice = await book(lin, hall, item, at("10:00"), also=[item])
    assert code_of(twice) == (422, "invalid_request")
    assert await counted(api.services.directory.hall(hall).id, at("10:00")) == (0, 0)


async def test_before_the_slot_booking_ends_and_the_list_says_so(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    soon = at("10:00", "2026-11-23")
    with booking_ruled(api, hall, book_before_min=45):
        assert code_of(await book(lin, hall, item, soon)) == (409, "slot_closed")
        shown = await slots(api, hall, item, "2026-11-23")
        assert (shown[soon]["bookable"], shown[soon]["left"]) == (False, 4)
        assert at("09:30", "2026-11-23") not in shown
    with booking_ruled(api, hall, book_before_min=20):
        await booked(lin, hall, item, soon)


async def test_what_is_held_ends_by_itself_or_is_confirmed_once(api: Api, hall: str) -> None:
    lin, chen, item = await api.citizen(), await api.citizen(), an_item(api, hall)
    kept = await booked(lin, hall, item, at("10:00"), hold=True)
    lost = await booked(chen, hall, item, at("10:00"), hold=True)
    assert (kept["state"], kept["held_until"][:16]) == ("held", "2026-11-23T09:35")
    replies = await gather(*(lin.post(f"/appointments/{kept['id']}/confirm") for _ in range(4)))
    assert {(r.status_code, r.json()["version"]) for r in replies} == {
        (200, replies[0].json()["version"])
    }
    api.turn_clock("2026-11-23T09:35:30+08:00")
    late = await chen.post(f"/appointments/{lost['id']}/confirm")
    assert code_of(late) == (409, "hold_expired")
    assert await tend(api) >= 1
    assert (await chen.get(f"/appointments/{lost['id']}")).json()["state"] == "expired"
    later = await chen.post(f"/appointments/{lost['id']}/confirm")
    assert code_of(later) == (409, "hold_expired")
    assert (await lin.get(f"/appointments/{kept['id']}")).json()["state"] == "booked"
    assert await counted(api.services.directory.hall(hall).id, at("10:00")) == (1, 1)
    again = await book(chen, hall, item, at("10:00"))
    assert again.status_code == 201  # what expired stands in nobody's way


async def test_the_same_request_twice_books_once(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    body = {"hall": hall, "item": item, "slot_start": at("10:00")}
    replies = await gather(
        *(lin.post("/appointments", body, Idempotency_Key="once") for _ in range(4))
    )
    assert {r.status_code for r in replies} == {201}
    assert len({r.json()["id"] for r in replies}) == 1
    other = await lin.post("/appointments", body | {"hold": True}, Idempotency_Key="once")
    assert code_of(other) == (422, "idempotency_key_reused")


async def test_what_takes_longer_than_a_slot_takes_several(api: Api, hall: str) -> None:
    lin, hall_id = await api.citizen(), api.services.directory.hall(hall).id
    items = [an_item(api, hall, nth=nth) for nth in range(4)]
    minutes = [api.services.directory.item(item).minutes for item in items]
    assert 30 < sum(minutes) <= 60
    mine = await booked(lin, hall, items[0], at("10:00"), also=items[1:])
    assert (mine["slot_end"], mine["items"]) == (at("11:00"), items)
    for start in ("10:00", "10:30"):
        assert await counted(hall_id, at(start)) == (1, 1)
    # The last slot before noon has none after it.
    late = await book(await api.citizen(), hall, items[0], at("11:30"), also=items[1:])
    assert code_of(late) == (409, "slot_closed")
    # Each of them is booked for that day.
    single = await book(lin, hall, items[2], at("15:00"))
    assert code_of(single) == (409, "already_booked")
    await lin.post(f"/appointments/{mine['id']}/cancel")
    assert await counted(hall_id, at("10:30")) == (0, 0)


async def test_for_a_child_and_a_company_whoever_books(api: Api, hall: str) -> None:
    lin, item = await a_named_citizen(api), an_item(api, hall)
    chen, child = await a_named_citizen(api, "陈明"), await a_child_of(lin)
    hers = await booked(lin, hall, item, at("10:00"))
    his = await booked(lin, hall, item, at("10:00"), **{"for": child["id"]})
    assert (hers["for"], his["for"]["relation"]) == (None, "child")
    company = await a_company_of(chen, a_company_code())
    theirs = await booked(chen, hall, item, at("10:00"), **{"for": company["id"]})
    assert theirs["for"]["relation"] == "company"
    twice = await book(lin, hall, item, at("11:00"), **{"for": child["id"]})
    assert code_of(twice) == (409, "already_booked")
    foreign = await book(lin, hall, item, at("11:00"), **{"for": company["id"]})
    assert code_of(foreign) == (404, "not_found")
    [row] = await rows("SELECT action FROM audit_entry WHERE subject_id = $1", his["id"])
    assert row["action"] == "appointment.booked"
    cancelled = await lin.post(f"/appointments/{his['id']}/cancel")
    assert cancelled.json()["state"] == "cancelled"


async def best(api: Api, **query: Any) -> list[dict[str, Any]]:
    reply = await api.http.get("/api/v1/slots/best", params=query)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["data"]
    return found


async def test_a_slot_is_proposed_as_emptier_where_it_clearly_is(api: Api, hall: str) -> None:
    item = an_item(api, hall)
    query = {"item": item, "hall": hall, "after": at("00:00")}
    [alone] = await best(api, **query)
    assert (alone["why"], alone["slot"]["start"]) == ("sooner", at("09:00"))
    for _ in range(3):
        await booked(await api.citizen(), hall, item, at("09:00"))
    await seen(api, hall)
    first, second = await best(api, **query)
    assert (first["why"], first["slot"]["start"]) == ("sooner", at("09:00"))
    assert (second["why"], second["slot"]["start"]) == ("emptier", at("09:30"))


async def test_a_hall_is_proposed_as_nearer_where_it_is(api: Api, hall: str) -> None:
    item, place = an_item(api, hall), api.services.directory.hall(hall).place
    assert place is not None
    where = {"item": item, "lat": place.lat, "lng": place.lng, "datum": "wgs84"}
    at_hers = await best(api, **where, hall=hall)
    assert [one["why"] for one in at_hers] == ["sooner"]
    everywhere = await best(api, **where)
    assert len({(one["hall"], one["slot"]["start"]) for one in everywhere}) == len(everywhere)
    soonest, *others = everywhere
    nearer = [one for one in others if one["why"] == "nearer"]
    assert all(one["distance_m"] < soonest["distance_m"] for one in nearer)
    assert (soonest["hall"] == hall) is not bool(nearer)
    assert {soonest["distance_m"], *(one["distance_m"] for one in nearer)} & {0}
    half = await api.http.get("/api/v1/slots/best", params={"item": item, "lat": 22.8})
    assert half.status_code == 422
    for after in (
        "2026-11-24T10:00:00",
        "soon",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
    ):
        reply = await api.http.get("/api/v1/slots/best", params={"item": item, "after": after})
        assert reply.status_code == (422 if after in {"soon", "2026-11-24T10:00:00"} else 200)


async def test_no_slots_are_shown_of_what_is_not_booked(api: Api, hall: str) -> None:
    directory = api.services.directory
    offers = directory.hall(hall).offers
    walk_in = next(code for code in offers if not directory.item(code).bookable)
    item, refused = an_item(api, hall), (422, "item_not_bookable")
    for path in (f"/api/v1/halls/{hall}/slots", "/api/v1/slots/best"):
        for query in ({"item": walk_in}, {"item": item, "also": walk_in}):
            assert code_of(await api.http.get(path, params=query)) == refused


async def test_what_one_process_books_the_others_hear(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    directory, start = api.services.directory, datetime.fromisoformat(at("10:00"))
    entry, wanted = directory.hall(hall), directory.item(item)

    def room() -> int | None:
        slot = book_of(api).at(entry, wanted, start)
        return slot.room if slot else None

    assert room() == 4
    await booked(lin, hall, item, at("10:00"))
    await until(lambda: room() == 3)
