"""Checking in: early, in time, late, too late; by phone, code and card; the place in the line."""

import pytest

from models.database import rows
from tests.appointments.days import (
    TUESDAY,
    a_bookable_hall,
    an_item,
    at,
    booked,
    code_of,
)
from tests.conftest import Api
from tests.identity.families import a_named_citizen
from tests.identity.people import a_persona, real_name, through
from tests.people import Person, an_id_number
from tests.tickets.ruling import ruled, standing


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


async def an_appointment(api: Api, hall: str, start: str = "10:00") -> tuple[Person, str]:
    lin = await api.citizen()
    return lin, (await booked(lin, hall, an_item(api, hall), at(start)))["id"]


async def check_in(who: Person, mine: str, **place: object) -> tuple[int, str]:
    return code_of(await who.post(f"/appointments/{mine}/check-in", {**place}))


async def rank_of(ticket: str) -> str:
    [row] = await rows(
        "SELECT rank_time AT TIME ZONE 'Asia/Shanghai' AS rank FROM ticket WHERE id = $1", ticket
    )
    return f"{row['rank']:%H:%M}"


@pytest.mark.parametrize(
    ("come", "answer", "rank"),
    [
        ("08:59", (409, "too_early"), None),
        ("09:10", (201, ""), "10:00"),
        ("10:00", (201, ""), "10:00"),
        ("10:09", (201, ""), "10:00"),
        ("10:20", (201, ""), "10:20"),
        ("10:31", (409, "too_late"), None),
    ],
)
async def test_when_she_comes_decides_her_place(
    api: Api, hall: str, come: str, answer: tuple[int, str], rank: str | None
) -> None:
    lin, mine = await an_appointment(api, hall)
    api.turn_clock(at(come))
    assert await check_in(lin, mine) == answer
    shown = (await lin.get(f"/appointments/{mine}")).json()
    assert shown["state"] == ("checked_in" if rank else "booked")
    if rank is not None:
        assert await rank_of(shown["ticket"]) == rank
        assert await check_in(lin, mine) == (409, "wrong_state")
        ticket = (await lin.get(f"/tickets/{shown['ticket']}")).json()
        assert (ticket["state"], ticket["number"][0]) == ("waiting", "E")


async def test_who_booked_is_called_at_her_slot_between_those_who_just_came(
    api: Api, hall: str
) -> None:
    lin, mine = await an_appointment(api, hall)
    item, chen, wang = an_item(api, hall), await api.citizen(), await api.citizen()
    api.turn_clock(at("09:40"))
    await check_in(lin, mine)
    api.turn_clock(at("09:50"))
    first = (await chen.take(hall, item)).json()
    api.turn_clock(at("10:05"))
    last = (await wang.take(hall, item)).json()
    hers = (await lin.get(f"/appointments/{mine}")).json()["ticket"]
    order = (await wang.get(f"/tickets/{last['id']}/order")).json()
    assert [one["reason"] for one in order["ahead"]] == ["earlier", "earlier"]
    assert [one["number"] for one in order["ahead"]] == [first["number"], "E001"]
    order = (await lin.get(f"/tickets/{hers}/order")).json()
    assert [one["reason"] for one in order["ahead"]] == ["appointment"]
    assert "预约" in order["rule"]


async def test_where_the_phone_is_counts_where_it_says_so(api: Api, hall: str) -> None:
    lin, mine = await an_appointment(api, hall)
    api.turn_clock(at("09:50"))
    far, unsure = standing(api, hall, 900), standing(api, hall, 150, accuracy_m=300)
    assert await check_in(lin, mine, place=far) == (409, "not_at_hall")
    assert await check_in(lin, mine, place=unsure) == (409, "place_unsure")
    with ruled(api, hall, place_required=1):
        assert await check_in(lin, mine) == (409, "place_required")
    assert await check_in(lin, mine, place=standing(api, hall, 20)) == (201, "")


async def test_where_all_must_check_in_a_phone_without_a_place_is_not_here_yet(
    api: Api, hall: str
) -> None:
    lin, mine = await an_appointment(api, hall)
    api.turn_clock(at("09:50"))
    with ruled(api, hall, check_in_required=1):
        reply = await lin.post(f"/appointments/{mine}/check-in", {})
        assert (reply.status_code, reply.json()["check_in_required"]) == (201, True)


async def test_by_her_code_at_the_desk_however_it_is_typed(api: Api, hall: str) -> None:
    lin, mine = await an_appointment(api, hall)
    code = (await lin.get(f"/appointments/{mine}")).json()["check_in_code"]
    clerk, other = await api.clerk(hall), await api.clerk("dg-04")
    api.turn_clock(at("09:50"))
    path = f"/halls/{hall}/check-ins"
    assert code_of(await other.post(path, {"code": code})) == (403, "not_allowed")
    elsewhere = await other.post("/halls/dg-04/check-ins", {"code": code})
    assert code_of(elsewhere) == (409, "other_hall")
    assert api.services.directory.hall(hall).name in elsewhere.json()["detail"]
    unknown = await clerk.post(path, {"code": "YT000000000000"})
    assert code_of(unknown) == (404, "no_appointment")
    for wrong in ({}, {"code": "hello"}, {"code": f"{code}7"}, {"code": code[:-1]}, {"code": "预"}):
        assert code_of(await clerk.post(path, wrong)) == (422, "invalid_request")
    typed = f"{code[:4].lower()}-{code[4:8]} {code[8:]}"
    reply = await clerk.post(path, {"code": typed})
    assert reply.status_code == 201, reply.text
    assert reply.json()["checked_in_at"] is not None
    assert (await lin.get("/tickets")).json()["data"][0]["id"] == reply.json()["id"]
    assert code_of(await clerk.post(path, {"code": code})) == (409, "wrong_state")


async def test_by_her_card_and_it_is_in_the_log(api: Api, hall: str) -> None:
    persona = await a_persona(api, an_id_number(), name="林晓")
    lin = await through(api, "wechat", persona)
    await real_name(lin, persona)
    mine = await booked(lin, hall, an_item(api, hall), at("10:00"))
    clerk, path = await api.clerk(hall), f"/halls/{hall}/check-ins"
    api.turn_clock(at("09:50"))
    nobody = await clerk.post(path, {"id_number": an_id_number()})
    assert code_of(nobody) == (404, "no_appointment")
    wrong = await clerk.post(path, {"id_number": "441900199003070010"})
    assert code_of(wrong) == (422, "invalid_request")
    reply = await clerk.post(path, {"id_number": persona.id_number})
    assert reply.status_code == 201, reply.text
    [row] = await rows("SELECT action FROM audit_entry WHERE subject_id = $1", mine["id"])
    assert row["action"] == "appointment.checked_in"


async def test_a_line_that_is_full_or_over_for_today_takes_who_booked(api: Api, hall: str) -> None:
    lin, mine = await an_appointment(api, hall)
    line = api.services.directory.hall(hall).lines["E"].id
    api.turn_clock(at("09:50"))
    await rows(
        "UPDATE line SET waiting_limit = 0, issuing = 'stopped', issuing_on = $2 WHERE id = $1",
        line,
        api.services.clock.now().date(),
    )
    item = an_item(api, hall)
    assert code_of(await (await api.citizen()).take(hall, item))[0] == 409
    assert await check_in(lin, mine) == (201, "")
    chen, other = await an_appointment_later(api, hall)
    await rows("UPDATE line SET state = 'paused' WHERE id = $1", line)
    assert await check_in(chen, other) == (409, "line_closed")


async def an_appointment_later(api: Api, hall: str) -> tuple[Person, str]:
    chen = await api.citizen()
    return chen, (await booked(chen, hall, an_item(api, hall), at("10:30")))["id"]


async def test_several_items_become_a_visit(api: Api, hall: str) -> None:
    lin, items = await api.citizen(), [an_item(api, hall, nth=nth) for nth in (0, 1)]
    mine = await booked(lin, hall, items[0], at("10:00"), also=items[1:])
    api.turn_clock(at("10:00"))
    ticket = (await lin.post(f"/appointments/{mine['id']}/check-in", {})).json()
    assert ticket["visit"] is not None
    visit = (await lin.get(f"/visits/{ticket['visit']}")).json()
    assert [stop["item"] for stop in visit["stops"]] == items


async def test_who_has_a_number_for_it_already_gets_no_second(api: Api, hall: str) -> None:
    lin, mine = await an_appointment(api, hall)
    api.turn_clock(at("09:50"))
    await lin.take(hall, an_item(api, hall))
    assert await check_in(lin, mine) == (409, "already_in_line")
    assert (await lin.get(f"/appointments/{mine}")).json()["state"] == "booked"


async def test_the_hall_sees_who_is_expected(api: Api, hall: str) -> None:
    lin = await a_named_citizen(api)
    await booked(lin, hall, an_item(api, hall), at("10:00"))
    clerk = await api.clerk(hall)
    listed = await clerk.get(f"/halls/{hall}/appointments", params={"date": TUESDAY})
    [one] = listed.json()["data"]
    assert (one["state"], one["name"], one["slot_start"]) == ("booked", "林**", at("10:00"))
    assert (await clerk.get(f"/halls/{hall}/appointments")).json()["data"] == []
    assert (await lin.get(f"/halls/{hall}/appointments")).status_code == 403
