"""What is asked wrongly gets the right problem, and changes nothing."""

from asyncio import gather
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from models.database import rows
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    book,
    booked,
    code_of,
    counted,
    seen,
    tend,
)
from tests.conftest import MONDAY_MORNING, Api

CLOSED = (409, "slot_closed")
# What is asked instead of Tuesday at ten, and what is answered.
WRONG: list[tuple[str, dict[str, Any], tuple[int, str]]] = [
    ("a past slot", {"slot_start": at("09:00", "2026-11-23")}, CLOSED),
    ("a slot of years ago", {"slot_start": "0001-01-02T00:00:00+08:00"}, CLOSED),
    ("a slot too soon", {"slot_start": at("09:45", "2026-11-23")}, CLOSED),
    ("a slot beyond the horizon", {"slot_start": at("10:00", "2026-12-22")}, CLOSED),
    ("the last moment there is", {"slot_start": "9999-12-31T23:59:59+00:00"}, CLOSED),
    ("a slot at night", {"slot_start": at("03:00")}, CLOSED),
    ("a slot on a Sunday", {"slot_start": at("10:00", "2026-11-29")}, CLOSED),
    ("a slot at lunch", {"slot_start": at("12:30")}, CLOSED),
    ("a moment within a slot", {"slot_start": at("10:07")}, CLOSED),
    ("a second off", {"slot_start": "2026-11-24T10:00:01+08:00"}, CLOSED),
    ("the same clock time elsewhere", {"slot_start": "2026-11-24T10:00:00+00:00"}, CLOSED),
    ("a moment of no place", {"slot_start": "2026-11-24T10:00:00"}, (422, "invalid_request")),
    ("a day there is not", {"slot_start": "2026-02-30T10:00:00+08:00"}, (422, "invalid_request")),
    ("an hour there is not", {"slot_start": "2026-11-24T25:00:00+08:00"}, (422, "invalid_request")),
    ("no moment", {"slot_start": "tomorrow"}, (422, "invalid_request")),
    ("a number", {"slot_start": 1795485600}, (422, "invalid_request")),
    ("nothing", {"slot_start": None}, (422, "invalid_request")),
    ("an unknown hall", {"hall": "dg-99"}, (404, "not_found")),
    ("an unknown item", {"item": "no-such-item"}, (404, "not_found")),
    ("an unknown proxy", {"for": "0199c0de-0000-7000-8000-000000000000"}, (404, "not_found")),
    ("what nobody knows", {"slot": 3}, (422, "invalid_request")),
]


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api, places=1)


async def kept(api: Api, hall: str) -> list[Any]:
    """All that is kept of a hall's bookings."""
    hall_id = api.services.directory.hall(hall).id
    found = await rows(
        "SELECT id, state, slot_start, version, (SELECT count(*) FROM appointment_event e"
        " WHERE e.appointment_id = a.id) AS events FROM appointment a WHERE hall_id = $1"
        " ORDER BY id",
        hall_id,
    )
    taken = await rows(
        "SELECT id, taken, taken_elders, taken_companies FROM slot WHERE hall_id = $1 ORDER BY id",
        hall_id,
    )
    return [dict(row) for row in (*found, *taken)]


async def test_whatever_is_asked_wrongly_is_named_rightly_and_nothing_changes(
    api: Api, hall: str
) -> None:
    lin, right = await api.citizen(), {"hall": hall, "item": an_item(api, hall)}
    await booked(await api.citizen(), **right, start=at("11:00"))
    before = await kept(api, hall)
    # By itself, and by the other way that a key takes.
    for nth, (name, wrong, expected) in enumerate(WRONG):
        body = right | {"slot_start": at("10:00")} | wrong
        for headers in ({}, {"Idempotency_Key": f"wrong-{nth}"}):
            assert code_of(await lin.post("/appointments", body, **headers)) == expected, name
    assert await kept(api, hall) == before


async def test_of_another_hall_or_item_no_slot_is_booked(api: Api, hall: str) -> None:
    lin, manager = await api.citizen(), await api.manager(hall)
    apart, other = an_item(api, hall), an_item(api, hall, nth=1)
    plan = {"slot_min": 20, "places": 1, "item": apart}
    assert (await manager.put(f"/halls/{hall}/slot-plans/E", plan)).is_success
    await seen(api, hall)
    before = await kept(api, hall)
    assert code_of(await book(lin, hall, apart, at("10:30"))) == CLOSED
    assert code_of(await book(lin, hall, other, at("10:20"))) == CLOSED
    offers = api.services.directory.hall(hall).offers
    foreign = next(code for code in api.services.directory.items if code not in offers)
    assert code_of(await book(lin, hall, foreign, at("10:00"))) == (422, "item_not_offered")
    assert await kept(api, hall) == before


async def test_one_moment_is_one_slot_however_its_offset_is_written(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, "2026-11-24T02:00:00Z")
    assert mine["slot_start"] == at("10:00")
    for same in (at("10:00"), "2026-11-23T21:00:00-05:00", "2026-11-24T02:00:00.000+00:00"):
        assert code_of(await book(lin, hall, item, same)) == (409, "already_booked")
        assert code_of(await book(await api.citizen(), hall, item, same)) == (409, "slot_full")


async def test_a_hold_is_confirmed_once_however_often_and_not_when_its_time_is_over(
    api: Api, hall: str
) -> None:
    lin, mei, item = await api.citizen(), await api.citizen(), an_item(api, hall)
    hall_id = api.services.directory.hall(hall).id
    mine = await booked(lin, hall, item, at("10:00"), hold=True)
    confirm = f"/appointments/{mine['id']}/confirm"
    assert code_of(await mei.post(confirm)) == (404, "not_found")
    both = await gather(lin.post(confirm), lin.post(confirm))
    assert [code_of(reply) for reply in both] == [(200, "")] * 2
    assert both[0].json() == both[1].json()
    said = "SELECT step FROM appointment_event WHERE appointment_id = $1 ORDER BY id"
    assert [row["step"] for row in await rows(said, mine["id"])] == ["hold", "confirm"]
    hers = await booked(mei, hall, item, at("11:00"), hold=True)
    late = f"/appointments/{hers['id']}/confirm"
    api.turn_clock(hers["held_until"])
    assert code_of(await mei.post(late)) == (409, "hold_expired")
    # Her place is hers until somebody ends the hold, and then the next one's, once.
    assert await counted(hall_id, at("11:00")) == (1, 1)
    await tend(api)
    assert code_of(await mei.post(late)) == (409, "hold_expired")
    assert await counted(hall_id, at("11:00")) == (0, 0)
    await booked(lin, hall, an_item(api, hall, nth=1), at("11:00"))
    assert code_of(await mei.post(late)) == (409, "hold_expired")


async def test_a_clock_put_back_neither_ends_a_hold_nor_opens_what_is_over(
    api: Api, hall: str
) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, at("10:00"), hold=True)
    api.turn_clock(at("09:00", "2026-11-23"))
    await tend(api)
    assert (await lin.post(f"/appointments/{mine['id']}/confirm")).json()["state"] == "booked"
    api.turn_clock(at("10:31"))
    assert code_of(await lin.post(f"/appointments/{mine['id']}/cancel")) == (
        409,
        "too_late_to_cancel",
    )
    await tend(api)
    assert (await lin.get(f"/appointments/{mine['id']}")).json()["state"] == "missed"
    api.turn_clock(MONDAY_MORNING.isoformat())
    await tend(api)
    for step in ("confirm", "cancel", "check-in"):
        body: dict[str, Any] | None = {} if step == "check-in" else None
        reply = await lin.post(f"/appointments/{mine['id']}/{step}", body)
        assert code_of(reply) == (409, "wrong_state"), step


async def test_a_move_that_is_refused_leaves_the_old_place_hers(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, at("10:00"))
    await booked(await api.citizen(), hall, item, at("11:00"))
    before = await kept(api, hall)

    def move(to: str) -> Callable[[], Awaitable[httpx.Response]]:
        body = {"slot_start": to}
        return lambda: lin.post(f"/appointments/{mine['id']}/reschedule", body)

    wrong = {
        at("11:00"): (409, "slot_full"),
        at("10:00"): (409, "same_slot"),
        at("09:00", "2026-11-23"): CLOSED,
        at("03:00"): CLOSED,
        at("10:07"): CLOSED,
        at("10:00", "2026-11-29"): CLOSED,
        at("10:00", "2026-12-22"): CLOSED,
        "2026-11-24T10:00:00": (422, "invalid_request"),
        "soon": (422, "invalid_request"),
    }
    for to, expected in wrong.items():
        assert code_of(await move(to)()) == expected, to
    strange = await (await api.citizen()).post(
        f"/appointments/{mine['id']}/reschedule", {"slot_start": at("11:30")}
    )
    assert code_of(strange) == (404, "not_found")
    assert await kept(api, hall) == before
    hall_id = api.services.directory.hall(hall).id
    assert await counted(hall_id, at("10:00")) == (1, 1)
    shown = (await lin.get(f"/appointments/{mine['id']}")).json()
    assert (shown["state"], shown["slot_start"]) == ("booked", at("10:00"))
    assert datetime.fromisoformat(shown["slot_end"]) > datetime.fromisoformat(shown["slot_start"])
