"""Who does not come: marked, counted, blocked, pardoned; what she says against it is heard once."""

import pytest

from models.database import rows
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    booked,
    booking_ruled,
    code_of,
    replan,
    tend,
)
from tests.conftest import Api
from tests.identity.families import a_named_citizen
from tests.people import Person

APPEAL = "/me/booking-appeal"


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


async def a_blocked_citizen(api: Api, hall: str) -> tuple[Person, str]:
    """Who missed one where one is enough, and which."""
    lin = await a_named_citizen(api)
    mine = (await booked(lin, hall, an_item(api, hall), at("10:00")))["id"]
    with booking_ruled(api, hall, no_shows_to_block=1):
        api.turn_clock(at("10:31"))
        await tend(api)
    return lin, mine


async def test_who_does_not_come_has_missed_it_and_is_blocked_after_two(
    api: Api, hall: str
) -> None:
    lin, item = await a_named_citizen(api), an_item(api, hall)
    manager, clerk = await api.manager(hall), await api.clerk(hall)
    first = (await booked(lin, hall, item, at("10:00")))["id"]
    second = (await booked(lin, hall, an_item(api, hall, nth=1), at("10:30")))["id"]
    # What she had besides at the same time is not one more.
    beside = (await booked(lin, hall, an_item(api, hall, nth=2), at("10:30")))["id"]
    with booking_ruled(api, hall, most_late_min=20):
        api.turn_clock(at("10:19"))
        await tend(api)
        assert (await lin.get(f"/appointments/{first}")).json()["state"] == "booked"
        api.turn_clock(at("10:21"))
        await tend(api)
        assert (await lin.get(f"/appointments/{first}")).json()["state"] == "missed"
        standing_then = (await lin.get("/me/booking-standing")).json()
        assert (standing_then["missed"], standing_then["until_blocked"]) == ([at("10:00")], 1)
        api.turn_clock(at("10:51"))
        await tend(api)
    standing_now = (await lin.get("/me/booking-standing")).json()
    assert standing_now["missed"] == [at("10:30"), at("10:00")]
    assert (standing_now["until_blocked"], standing_now["granted"]) == (0, None)
    assert (standing_now["blocked_by"], standing_now["blocked_until"][:10]) == (hall, "2026-12-24")
    later = {"hall": hall, "item": item, "slot_start": at("10:00", "2026-11-25")}
    assert code_of(await lin.post("/appointments", later)) == (409, "booking_blocked")
    # She appeals, and a manager hears her out; or lets one of the two not count.
    said = await lin.post(APPEAL, {"text": "孩子发烧"})
    assert said.json()["appealed_at"] is not None
    [appeal] = (await manager.get(f"/halls/{hall}/booking-appeals")).json()["data"]
    assert (appeal["text"], appeal["name"]) == ("孩子发烧", "林**")
    assert {one["id"] for one in appeal["missed"]} == {first, second, beside}
    assert {(one["hall"], one["slot_start"]) for one in appeal["missed"]} == {
        (hall, at("10:00")),
        (hall, at("10:30")),
    }
    assert (await clerk.get(f"/halls/{hall}/booking-appeals")).status_code == 403
    refused = await manager.post(
        f"/halls/{hall}/booking-appeals/{appeal['id']}/decide", {"grant": False}
    )
    assert refused.status_code == 204
    assert code_of(await lin.post("/appointments", later)) == (409, "booking_blocked")
    pardon = f"/halls/{hall}/appointments/{second}/pardon"
    assert (await clerk.post(pardon, {"reason": "sick_child"})).status_code == 403
    pardoned = await manager.post(pardon, {"reason": "sick_child"})
    assert (pardoned.status_code, pardoned.json()["pardon"]) == (200, "sick_child")
    assert code_of(await lin.post("/appointments", later)) == (201, "")
    [row] = await rows("SELECT action FROM audit_entry WHERE subject_id = $1", second)
    assert row["action"] == "appointment.pardoned"


async def test_an_appeal_that_is_granted_ends_the_block(api: Api, hall: str) -> None:
    lin, item, manager = await api.citizen(), an_item(api, hall), await api.manager(hall)
    with booking_ruled(api, hall, no_shows_to_block=1):
        await booked(lin, hall, item, at("10:00"))
        api.turn_clock(at("10:31"))
        await tend(api)
    later = {"hall": hall, "item": item, "slot_start": at("15:00")}
    assert code_of(await lin.post("/appointments", later)) == (409, "booking_blocked")
    await lin.post(APPEAL, {"text": "堵车"})
    [appeal] = (await manager.get(f"/halls/{hall}/booking-appeals")).json()["data"]
    path = f"/halls/{hall}/booking-appeals/{appeal['id']}/decide"
    assert (await manager.post(path, {"grant": True})).status_code == 204
    assert code_of(await manager.post(path, {"grant": False})) == (409, "appeal_decided")
    assert code_of(await lin.post("/appointments", later)) == (201, "")
    assert code_of(await lin.post(APPEAL, {"text": "再说"})) == (409, "not_blocked")


async def test_who_is_not_blocked_has_nothing_to_appeal(api: Api) -> None:
    lin = await api.citizen()
    assert code_of(await lin.post(APPEAL, {"text": "…"})) == (409, "not_blocked")
    for blank in ("", "  ", "\n\t", "　"):
        reply = await lin.post(APPEAL, {"text": blank})
        assert code_of(reply) == (422, "invalid_request")
        assert reply.json()["errors"][0]["pointer"] == "/text"


async def test_what_was_said_stands_until_it_is_decided_and_is_decided_once(
    api: Api, hall: str
) -> None:
    (lin, mine), manager = await a_blocked_citizen(api, hall), await api.manager(hall)
    assert code_of(await lin.post(APPEAL, {"text": "堵车"})) == (200, "")
    again = await lin.post(APPEAL, {"text": "又想起来了"})
    assert code_of(again) == (409, "already_appealed")
    assert "2026-11-24 10:31" in again.json()["detail"]
    [appeal] = (await manager.get(f"/halls/{hall}/booking-appeals")).json()["data"]
    assert (appeal["text"], [one["id"] for one in appeal["missed"]]) == ("堵车", [mine])
    path = f"/halls/{hall}/booking-appeals/{appeal['id']}/decide"
    other = await api.manager("dg-04")
    elsewhere = path.replace(hall, "dg-04")
    assert code_of(await other.post(elsewhere, {"grant": True})) == (404, "not_found")
    assert (await manager.post(path, {"grant": False})).status_code == 204
    for grant in (True, False):
        decided = await manager.post(path, {"grant": grant})
        assert code_of(decided) == (409, "appeal_decided")
        assert "驳回" in decided.json()["detail"]
    assert code_of(await lin.post(APPEAL, {"text": "再说"})) == (409, "appeal_decided")
    assert (await manager.get(f"/halls/{hall}/booking-appeals")).json()["data"] == []
    told = (await lin.get("/me/booking-standing")).json()
    assert (told["granted"], told["until_blocked"], told["missed"]) == (False, 0, [at("10:00")])


async def test_a_block_came_of_what_was_missed_since_the_one_before(api: Api, hall: str) -> None:
    lin, first = await a_blocked_citizen(api, hall)
    api.turn_clock(at("10:00", "2026-12-25"))  # it is over
    standing = (await lin.get("/me/booking-standing")).json()
    assert (standing["blocked_until"], standing["missed"]) == (None, [])
    with booking_ruled(api, hall, no_shows_to_block=1):
        await replan(api, hall)
        second = await booked(lin, hall, an_item(api, hall), at("10:00", "2026-12-28"))
        api.turn_clock(at("10:31", "2026-12-28"))
        await tend(api)
    await lin.post(APPEAL, {"text": "堵车"})
    manager = await api.manager(hall)
    [appeal] = (await manager.get(f"/halls/{hall}/booking-appeals")).json()["data"]
    assert [one["id"] for one in appeal["missed"]] == [second["id"]]
    assert first != second["id"]
