"""How managers plan slots: longer, fewer, for groups, for an item apart, one by one."""

import asyncio

import pytest

from models.database import rows, transaction
from server.appointments.planning import Replanned
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
from tests.identity.families import ELDER_BORN, a_company_of, a_named_citizen
from tests.people import a_company_code


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


async def test_a_manager_plans_a_line_and_it_is_in_the_log(api: Api, hall: str) -> None:
    manager, item = await api.manager(hall), an_item(api, hall)
    hours = [{"weekday": 1, "from": "14:00", "to": "16:00"}]
    plan = {"slot_min": 20, "places": 3, "hours": hours}
    reply = await manager.put(f"/halls/{hall}/slot-plans/E", plan)
    assert reply.status_code == 200, reply.text
    shown = await slots(api, hall, item)
    assert list(shown) == [at(f"{h}:{m}") for h in (14, 15) for m in ("00", "20", "40")]
    assert {slot["capacity"] for slot in shown.values()} == {3}
    listed = (await manager.get(f"/halls/{hall}/slot-plans")).json()["data"]
    assert [(one["line"], one["slot_min"], one["hours"]) for one in listed] == [("E", 20, hours)]
    line = api.services.directory.hall(hall).lines["E"].id
    said = "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq DESC LIMIT 1"
    [row] = await rows(said, str(line))
    assert row["action"] == "slot_plan.set"
    assert (await manager.delete(f"/halls/{hall}/slot-plans/E")).status_code == 200
    assert at("09:00") in await slots(api, hall, item)
    assert code_of(await manager.delete(f"/halls/{hall}/slot-plans/E")) == (404, "not_found")


async def test_without_a_plan_places_come_of_counters_pace_and_share(api: Api, hall: str) -> None:
    manager, item = await api.manager(hall), an_item(api, hall)
    await manager.delete(f"/halls/{hall}/slot-plans/E")
    with booking_ruled(api, hall, book_share_percent=100):
        await replan(api, hall)
        whole = (await slots(api, hall, item))[at("10:00")]["capacity"]
    with booking_ruled(api, hall, book_share_percent=50):
        await replan(api, hall)
        half = (await slots(api, hall, item))[at("10:00")]["capacity"]
    assert whole > half >= 1
    assert abs(whole - 2 * half) <= 1


async def test_nonsense_is_refused_and_only_managers_plan(api: Api, hall: str) -> None:
    manager, clerk, lin = await api.manager(hall), await api.clerk(hall), await api.citizen()
    path = f"/halls/{hall}/slot-plans/E"
    for wrong in (
        {"slot_min": 1},
        {"places": -1},
        {"elders_percent": 60, "companies_percent": 60},
        {"hours": [{"weekday": 7, "from": "09:00", "to": "10:00"}]},
        {"hours": [{"weekday": 1, "from": "10:00", "to": "09:00"}]},
        {"hours": [{"weekday": 1, "from": "10:00\n", "to": "11:00"}]},
        {"luck": 1},
    ):
        assert code_of(await manager.put(path, wrong)) == (422, "invalid_request"), wrong
    assert code_of(await manager.put(f"/halls/{hall}/slot-plans/Z", {})) == (404, "not_found")
    other = an_item(api, hall, line="A")
    assert code_of(await manager.put(path, {"item": other})) == (422, "item_not_offered")
    for who in (clerk, lin):
        assert (await who.put(path, {"places": 1})).status_code == 403
        assert (await who.get(f"/halls/{hall}/slot-plans")).status_code == 403


async def test_no_hours_at_all_is_never_and_null_is_whenever_the_hall_is_open(
    api: Api, hall: str
) -> None:
    manager, lin, item = await api.manager(hall), await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, at("10:00"))
    path, plan = f"/halls/{hall}/slot-plans/E", {"places": 4}
    reply = await manager.put(path, plan | {"hours": []})
    closed = reply.json()
    assert closed["slots_changed"] > 10
    assert closed["must_move"] == 1
    assert await slots(api, hall, item) == {}
    assert code_of(await book(lin, hall, an_item(api, hall, nth=1), at("10:00"))) == (
        409,
        "slot_closed",
    )
    assert (await lin.get(f"/appointments/{mine['id']}")).json()["must_move"] is True
    listed = (await manager.get(f"/halls/{hall}/slot-plans")).json()["data"]
    assert [one["hours"] for one in listed] == [[]]
    # Said once more nothing changes, nor does anybody have to move who did before.
    again = (await manager.put(path, plan | {"hours": []})).json()
    assert again == {"slots_changed": 0, "must_move": 0}
    opened = (await manager.put(path, plan | {"hours": None})).json()
    assert (opened["slots_changed"], opened["must_move"]) == (closed["slots_changed"], 0)
    assert at("10:00") in await slots(api, hall, item)
    assert (await lin.get(f"/appointments/{mine['id']}")).json()["must_move"] is False


async def test_an_item_with_slots_of_its_own_is_booked_in_these_alone(api: Api, hall: str) -> None:
    manager, lin = await api.manager(hall), await api.citizen()
    apart, other = an_item(api, hall), an_item(api, hall, nth=1)
    plan = {"slot_min": 60, "places": 1}
    await manager.put(f"/halls/{hall}/slot-plans/E", {**plan, "item": apart})
    assert at("09:30") not in await slots(api, hall, apart)
    assert at("09:30") in await slots(api, hall, other)
    assert code_of(await book(lin, hall, apart, at("09:30"))) == (409, "slot_closed")
    mine = await booked(lin, hall, apart, at("09:00"))
    assert mine["slot_end"] == at("10:00")
    await booked(await api.citizen(), hall, other, at("09:00"))
    full = await book(await api.citizen(), hall, apart, at("09:00"))
    assert code_of(full) == (409, "slot_full")


async def test_planning_what_is_as_planned_waits_for_nobody_who_books(api: Api, hall: str) -> None:
    hall_id, item = api.services.directory.hall(hall).id, an_item(api, hall)
    async with transaction() as tx:
        await tx.run("SELECT 1 FROM slot WHERE hall_id = $1 FOR UPDATE", hall_id)
        assert await asyncio.wait_for(replan(api, hall), 30) == Replanned()
    assert (await slots(api, hall, item))[at("10:00")]["left"] == 4


async def test_of_more_than_fit_the_last_must_move_until_they_fit_again(
    api: Api, hall: str
) -> None:
    manager, item = await api.manager(hall), an_item(api, hall)
    people = [await api.citizen() for _ in range(4)]
    mine = [await booked(one, hall, item, at("10:00")) for one in people]
    for places, told in ((2, 2), (3, 0), (4, 0), (1, 3)):
        planned = await manager.put(f"/halls/{hall}/slot-plans/E", {"places": places})
        assert planned.json()["must_move"] == told
        shown = [
            (await one.get(f"/appointments/{a['id']}")).json()["must_move"]
            for one, a in zip(people, mine, strict=True)
        ]
        assert shown == [nth >= places for nth in range(4)]
    listed = await manager.get(f"/halls/{hall}/appointments?must_move=true")
    assert {one["id"] for one in listed.json()["data"]} == {one["id"] for one in mine[1:]}


async def test_one_slot_is_given_more_places_or_closed(api: Api, hall: str) -> None:
    manager, lin, item = await api.manager(hall), await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, at("10:00"))
    path, slot = f"/halls/{hall}/slots", {"line": "E", "start": at("10:00")}
    for changed in (1, 0):  # said again it is so already
        told = await manager.put(path, slot | {"places": 9})
        assert told.json() == {"slots_changed": changed, "must_move": 0}
    await replan(api, hall)  # planning leaves alone what was said by hand
    assert (await slots(api, hall, item))[at("10:00")]["capacity"] == 9
    closed = await manager.put(path, slot | {"places": 0})
    assert closed.json() == {"slots_changed": 1, "must_move": 1}
    assert (await lin.get(f"/appointments/{mine['id']}")).json()["must_move"] is True
    assert code_of(await book(await api.citizen(), hall, item, at("10:00"))) == (
        409,
        "slot_closed",
    )
    again = await manager.put(path, slot | {"places": None})
    assert again.json() == {"slots_changed": 1, "must_move": 0}
    assert (await slots(api, hall, item))[at("10:00")]["left"] == 3
    assert (await lin.get(f"/appointments/{mine['id']}")).json()["must_move"] is False
    for wrong in (at("10:10"), at("10:00", "2026-11-20")):
        reply = await manager.put(path, {"line": "E", "start": wrong, "places": 2})
        assert code_of(reply) == (409, "slot_closed")


async def test_places_kept_for_groups_are_theirs_until_a_day_before(api: Api, hall: str) -> None:
    manager, item = await api.manager(hall), an_item(api, hall)
    hall_id, day = api.services.directory.hall(hall).id, "2026-11-26"
    plan = {"places": 3, "elders_percent": 34, "companies_percent": 34}
    await manager.put(f"/halls/{hall}/slot-plans/E", plan)
    shown = (await slots(api, hall, item, day))[at("10:00", day)]
    assert (shown["left"], shown["left_elders"], shown["left_companies"]) == (1, 1, 1)
    await booked(await api.citizen(), hall, item, at("10:00", day))
    young = await api.citizen()
    # Who she is nobody knows: verified she might find a place.
    full = await book(young, hall, item, at("10:00", day))
    assert code_of(full) == (409, "slot_full")
    assert "70" in full.json()["detail"]
    known = await book(await a_named_citizen(api, "陈明"), hall, item, at("10:00", day))
    assert code_of(known) == (409, "slot_full")
    assert "70" not in known.json()["detail"]
    old = await a_named_citizen(api, "王芳", born=ELDER_BORN)
    await booked(old, hall, item, at("10:00", day))
    gone = await book(young, hall, item, at("10:00", day))
    assert "70" not in gone.json()["detail"]
    chen = await a_named_citizen(api, "陈明")
    # The company's place is still kept; a day before it is everybody's.
    api.turn_clock(at("10:30", "2026-11-25"))
    await replan(api, hall)
    shown = (await slots(api, hall, item, day))[at("10:00", day)]
    assert (shown["left"], shown["left_companies"]) == (1, 0)
    company = await a_company_of(chen, a_company_code())
    await booked(chen, hall, item, at("10:00", day), **{"for": company["id"]})
    assert await counted(hall_id, at("10:00", day)) == (3, 3)
