"""The hall books for who comes to its desk or telephones, by the number of her card."""

import json
from typing import Any

import pytest

from models.database import rows
from models.identifiers import mask_name
from server.sessions.purging import purge
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    booked,
    code_of,
    counted,
    seen,
    slots,
)
from tests.conftest import Api
from tests.identity.families import ELDER_BORN, a_named_citizen
from tests.people import Person, an_id_number


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api, places=2)


async def book_for(clerk: Person, hall: str, item: str, start: str, **who: Any) -> Any:
    body = {"item": item, "slot_start": start, "id_number": an_id_number()} | who
    return await clerk.post(f"/halls/{hall}/appointments", body)


async def test_who_has_no_account_is_booked_found_and_checked_in_by_her_card(
    api: Api, hall: str
) -> None:
    clerk, item, number = await api.clerk(hall), an_item(api, hall), an_id_number()
    said = {"id_number": number, "name": "陈大文", "phone": "13812345678"}
    reply = await book_for(clerk, hall, item, at("10:00"), **said)
    assert reply.status_code == 201, reply.text
    mine = reply.json()
    assert (mine["state"], mine["for"]) == ("booked", None)
    twice = await book_for(clerk, hall, item, at("11:00"), id_number=number)
    assert code_of(twice) == (409, "already_booked")
    found = await clerk.post(f"/halls/{hall}/appointments/find", {"id_number": number})
    assert [one["id"] for one in found.json()["data"]] == [mine["id"]]
    listed = (await clerk.get(f"/halls/{hall}/appointments?date=2026-11-24")).json()["data"]
    assert [(one["name"], one["items"]) for one in listed] == [(mask_name("陈大文"), [item])]
    api.turn_clock(at("09:50"))
    ticket = await clerk.post(f"/halls/{hall}/check-ins", {"id_number": number})
    assert ticket.status_code == 201, ticket.text
    [row] = await rows("SELECT shown_as FROM ticket WHERE id = $1", ticket.json()["id"])
    assert row["shown_as"] == mask_name("陈大文")


async def test_what_she_said_is_sealed_recorded_and_forgotten(api: Api, hall: str) -> None:
    clerk, item = await api.clerk(hall), an_item(api, hall)
    number = an_id_number()
    said = {"id_number": number, "name": "陈大文", "phone": "13812345678"}
    mine = (await book_for(clerk, hall, item, at("10:00"), **said)).json()
    [row] = await rows("SELECT * FROM appointment WHERE id = $1", mine["id"])
    assert "陈大文".encode() not in row["name"]
    assert b"13812345678" not in row["phone"]
    entries = await rows("SELECT action, detail FROM audit_entry WHERE subject_id = $1", mine["id"])
    assert [entry["action"] for entry in entries] == ["appointment.booked"]
    assert number not in json.dumps(entries[0]["detail"])
    await rows(
        "UPDATE appointment SET state = 'cancelled', ended_at = now() - interval '8 days'"
        " WHERE id = $1",
        mine["id"],
    )
    await purge()
    [row] = await rows("SELECT shown_as, name, phone FROM appointment WHERE id = $1", mine["id"])
    assert (row["shown_as"], row["name"], row["phone"]) == (None, None, None)


async def test_who_has_an_account_finds_it_on_her_phone_and_moves_it(api: Api, hall: str) -> None:
    clerk, item = await api.clerk(hall), an_item(api, hall, line=None, level=2)
    line = api.services.directory.hall(hall).offers[item]
    await (await api.manager(hall)).put(f"/halls/{hall}/slot-plans/{line}", {"places": 2})
    await seen(api, hall)
    number = an_id_number()
    wang = await a_named_citizen(api, "王芳", number=number)
    mine = (await book_for(clerk, hall, item, at("10:00"), id_number=number)).json()
    [shown] = (await wang.get("/appointments")).json()["data"]
    assert shown["id"] == mine["id"]
    moved = await clerk.post(
        f"/halls/{hall}/appointments/{mine['id']}/reschedule", {"slot_start": at("11:00")}
    )
    assert moved.status_code == 200, moved.text
    path = f"/halls/{hall}/appointments/{mine['id']}/cancel"
    other = next(code for code in api.services.directory.halls if code != hall)
    assert (await (await api.clerk(other)).post(path)).status_code == 403
    wrong = f"/halls/{other}/appointments/{mine['id']}/cancel"
    assert (await (await api.clerk(other)).post(wrong)).status_code == 404
    assert (await clerk.post(path)).json()["state"] == "cancelled"
    assert code_of(await clerk.post(path)) == (409, "wrong_state")
    found = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", mine["id"]
    )
    assert [row["action"] for row in found] == [
        "appointment.booked",
        "appointment.moved",
        "appointment.cancelled",
    ]


async def test_places_kept_for_the_desk_are_booked_by_the_hall_alone(api: Api, hall: str) -> None:
    manager, clerk, item = await api.manager(hall), await api.clerk(hall), an_item(api, hall)
    day, hall_id = "2026-11-26", api.services.directory.hall(hall).id
    plan = {"places": 2, "desk_percent": 50}
    assert (await manager.put(f"/halls/{hall}/slot-plans/E", plan)).status_code == 200
    shown = (await slots(api, hall, item, day))[at("10:00", day)]
    assert (shown["left"], shown["left_desk"]) == (1, 1)
    await booked(await api.citizen(), hall, item, at("10:00", day))
    lin = await api.citizen()
    body = {"hall": hall, "item": item, "slot_start": at("10:00", day)}
    assert code_of(await lin.post("/appointments", body)) == (409, "slot_full")
    assert (await book_for(clerk, hall, item, at("10:00", day))).status_code == 201
    full = await book_for(clerk, hall, item, at("10:00", day))
    assert code_of(full) == (409, "slot_full")
    assert await counted(hall_id, at("10:00", day)) == (2, 2)


async def test_an_elder_who_telephones_gets_the_place_kept_for_elders(api: Api, hall: str) -> None:
    manager, clerk, item = await api.manager(hall), await api.clerk(hall), an_item(api, hall)
    day = "2026-11-26"
    await manager.put(f"/halls/{hall}/slot-plans/E", {"places": 2, "elders_percent": 50})
    await seen(api, hall)
    await booked(await api.citizen(), hall, item, at("10:00", day))
    assert code_of(await book_for(clerk, hall, item, at("10:00", day))) == (409, "slot_full")
    old = an_id_number(born=ELDER_BORN)
    assert (await book_for(clerk, hall, item, at("10:00", day), id_number=old)).status_code == 201


async def test_nonsense_and_strangers_are_refused(api: Api, hall: str) -> None:
    clerk, item = await api.clerk(hall), an_item(api, hall)
    for wrong in (
        {"id_number": "441900199003070017"},
        {"id_number": None},
        {"phone": "12"},
        {"slot_start": "2026-11-24T10:00:00"},
        {"also": [item]},
    ):
        reply = await book_for(clerk, hall, item, at("10:00"), **wrong)
        assert code_of(reply) == (422, "invalid_request"), wrong
    assert (await book_for(await api.citizen(), hall, item, at("10:00"))).status_code == 403
    nobody = await clerk.post(f"/halls/{hall}/appointments/find", {"id_number": an_id_number()})
    assert nobody.json() == {"data": [], "next_cursor": None}
    past = await book_for(clerk, hall, item, at("10:00", "2026-11-20"))
    assert code_of(past) == (409, "slot_closed")
