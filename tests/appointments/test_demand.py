"""What managers read of bookings: who does not come, and where longer hours are worth it."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from models.database import rows, transaction
from scheduler.calendar import business_day
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    book,
    booked,
    booking_ruled,
    code_of,
    tend,
)
from tests.conftest import Api


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api, places=1)


async def kept(api: Api, hall: str, item: str, start: str, *, state: str, many: int) -> None:
    """So many appointments of nobody's that ended so."""
    entry, moment = api.services.directory.hall(hall), datetime.fromisoformat(start)
    item_id = api.services.directory.item(item).id
    line_id = entry.lines[entry.offers[item]].id
    async with transaction() as tx:
        for _ in range(many):
            await tx.run(
                """
                INSERT INTO appointment (id, hall_id, line_id, item_id, items, part, day,
                    slot_start, slot_end, state, made_at, ended_at, check_in_code, version)
                VALUES ($1, $2, $3, $4, ARRAY[$4::uuid], 'everybody', $5, $6, $7, $8, $6, $6, $9, 1)
                """,
                uuid7(),
                entry.id,
                line_id,
                item_id,
                business_day(moment),
                moment,
                moment + timedelta(minutes=30),
                state,
                uuid4().hex[:16],
            )


async def test_rates_lean_on_wider_ones_where_little_is_known(api: Api, hall: str) -> None:
    manager = await api.manager(hall)
    often, once = an_item(api, hall), an_item(api, hall, nth=1)
    await kept(api, hall, often, at("10:00", "2026-11-17"), state="checked_in", many=60)
    await kept(api, hall, often, at("10:00", "2026-11-17"), state="missed", many=20)
    await kept(api, hall, once, at("14:00", "2026-11-18"), state="missed", many=1)
    told = (await manager.get(f"/halls/{hall}/no-shows")).json()
    assert (told["expected"], told["missed"]) == (81, 21)
    by_item = {one["item"]: one for one in told["data"]}
    assert (by_item[often]["expected"], by_item[often]["missed"]) == (80, 20)
    assert 0.15 < by_item[often]["rate"] < 0.26
    # One of one stayed away: that says nearly nothing.
    assert by_item[once]["missed"] == 1
    assert by_item[once]["rate"] < 0.4
    cells = (await manager.get(f"/halls/{hall}/no-shows?item={often}")).json()["data"]
    assert [(c["weekday"], c["hour"], c["expected"], c["missed"]) for c in cells] == [
        (1, 10, 80, 20)
    ]
    first = (await manager.get(f"/halls/{hall}/no-shows?limit=1")).json()
    more = await manager.get(f"/halls/{hall}/no-shows?limit=1&cursor={first['next_cursor']}")
    listed = [first["data"][0]["item"], more.json()["data"][0]["item"]]
    assert (listed, more.json()["next_cursor"]) == (sorted([often, once]), None)


async def test_who_may_see_them_and_what_is_refused(api: Api, hall: str) -> None:
    manager, clerk = await api.manager(hall), await api.clerk(hall)
    for path in ("no-shows", "hours-proposals"):
        assert (await clerk.get(f"/halls/{hall}/{path}")).status_code == 403
        assert (await (await api.citizen()).get(f"/halls/{hall}/{path}")).status_code == 403
        assert (await manager.get(f"/halls/{hall}/{path}")).status_code == 200
    assert code_of(await manager.get(f"/halls/{hall}/no-shows?item=luck")) == (404, "not_found")
    reply = await manager.get(f"/halls/{hall}/no-shows?limit=0")
    assert code_of(reply) == (422, "invalid_request")


async def test_longer_hours_are_proposed_where_people_wait_in_vain(api: Api, hall: str) -> None:
    manager, item = await api.manager(hall), an_item(api, hall)
    entry = api.services.directory.hall(hall)
    before = (await manager.get(f"/halls/{hall}/hours-proposals")).json()["data"]
    assert [one for one in before if one["line"] == "E"] == []
    [row] = await rows(
        "SELECT sum(serves) AS serves FROM slot WHERE line_id = $1 AND day = '2026-11-24'",
        entry.lines["E"].id,
    )
    await kept(api, hall, item, at("10:00"), state="missed", many=round(row["serves"]) + 3)
    await kept(
        api, hall, item, at("10:00", "2026-11-17"), state="missed", many=3
    )  # without slots: no day
    found = (await manager.get(f"/halls/{hall}/hours-proposals")).json()
    [longer] = [one for one in found["data"] if one["line"] == "E"]
    assert (longer["kind"], longer["weekday"], longer["days_over"]) == ("longer", 1, 1)
    assert longer["first_day"] == "2026-11-24"
    assert longer["short"] == pytest.approx(
        longer["booked"] + longer["unmet"] + longer["walk_ins"] - longer["serves"], abs=0.1
    )
    start, end = (datetime.fromisoformat(longer[name]) for name in ("start", "end"))
    assert end - start == timedelta(minutes=longer["minutes"])


async def test_a_booking_says_how_many_more_missed_block(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    with booking_ruled(api, hall, no_shows_to_block=2, block_days=14):
        mine = await booked(lin, hall, item, at("09:00"))
        assert (mine["until_blocked"], mine["block_days"]) == (2, 14)
        api.turn_clock(at("10:00"))
        await tend(api)
        missed = (await lin.get(f"/appointments/{mine['id']}")).json()
        assert (missed["state"], missed["until_blocked"]) == ("missed", None)
        again = await booked(lin, hall, item, at("09:00", "2026-11-25"))
        assert again["until_blocked"] == 1
        [listed] = [
            one
            for one in (await lin.get("/appointments")).json()["data"]
            if one["id"] == again["id"]
        ]
        assert listed["until_blocked"] == 1
        manager = await api.manager(hall)
        await manager.post(f"/halls/{hall}/appointments/{mine['id']}/pardon", {"reason": "illness"})
        shown = (await lin.get(f"/appointments/{again['id']}")).json()
        assert shown["until_blocked"] == 2
    with booking_ruled(api, hall, no_shows_to_block=0):
        shown = (await lin.get(f"/appointments/{again['id']}")).json()
        assert shown["until_blocked"] is None
    assert UUID(again["id"])
    assert (await book(lin, hall, item, at("09:00", "2026-11-25"))).status_code == 409
