"""Plain bookings of one moment are decided together, and by no other rules than any."""

from asyncio import gather, sleep

import pytest

from models.database import StatementCount, rows, transaction
from tests.appointments.days import (
    a_bookable_hall,
    an_item,
    at,
    book,
    booking_ruled,
    code_of,
    counted,
    slots,
)
from tests.conftest import Api

STARTS = ("09:00", "09:30", "10:00", "10:30")


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


@pytest.mark.parametrize("per_week", [0, 5])
async def test_bookings_of_one_moment_share_their_statements(
    api: Api, hall: str, per_week: int
) -> None:
    people = [await api.citizen() for _ in range(16)]
    item = an_item(api, hall)
    await slots(api, hall, item)
    with booking_ruled(api, hall, book_per_week=per_week, book_per_month=per_week):
        before = StatementCount.total
        replies = await gather(
            *(book(one, hall, item, at(STARTS[nth % 4])) for nth, one in enumerate(people))
        )
        statements = StatementCount.total - before
    assert [r.status_code for r in replies] == [201] * 16
    assert statements < 2 * 16  # each by herself asks five times
    hall_id = api.services.directory.hall(hall).id
    assert [await counted(hall_id, at(start)) for start in STARTS] == [(4, 4)] * 4
    for one, reply in zip(people, replies, strict=True):
        assert (await one.get("/appointments")).json()["data"] == [reply.json()]


async def test_who_comes_first_has_the_places_and_the_others_none(api: Api, hall: str) -> None:
    people = [await api.citizen() for _ in range(9)]
    item, hall_id = an_item(api, hall), api.services.directory.hall(hall).id
    body = {"hall": hall, "item": item, "slot_start": at("10:00")}
    replies = await gather(
        *(one.post("/appointments", body, Idempotency_Key=f"k{n}") for n, one in enumerate(people))
    )
    assert sorted(r.status_code for r in replies) == [201] * 4 + [409] * 5
    assert await counted(hall_id, at("10:00")) == (4, 4)
    again = await gather(
        *(one.post("/appointments", body, Idempotency_Key=f"k{n}") for n, one in enumerate(people))
    )
    made = [r.json() for r in replies if r.is_success]
    assert [r.json() for r in again if r.is_success] == made
    assert {code_of(r) for r in again if r.is_error} == {(409, "slot_full")}
    reused = await people[0].post("/appointments", body | {"hold": True}, Idempotency_Key="k0")
    assert reused.status_code in {422, 409}
    kept = await rows("SELECT count(*) FROM answer WHERE key LIKE 'k_' AND body IS NULL")
    assert kept[0][0] == 0


async def test_caps_hold_though_all_is_asked_at_once(api: Api, hall: str) -> None:
    lin = await api.citizen()
    items = [an_item(api, hall, nth=nth) for nth in range(3)]
    with booking_ruled(api, hall, book_per_week=2, book_per_month=9):
        replies = await gather(
            *(
                book(lin, hall, item, at(start))
                for item, start in zip(items, STARTS[:3], strict=True)
            )
        )
    assert sorted(r.status_code for r in replies) == [201, 201, 409]
    assert {code_of(r) for r in replies if r.is_error} == {(409, "too_many_bookings")}


async def test_a_slot_that_somebody_holds_keeps_no_other_waiting(api: Api, hall: str) -> None:
    people = [await api.citizen() for _ in range(6)]
    item, hall_id = an_item(api, hall), api.services.directory.hall(hall).id
    await slots(api, hall, item)
    async with transaction() as tx:
        await tx.run(
            "SELECT 1 FROM slot WHERE hall_id = $1 AND starts_at = '2026-11-24 09:00+08'"
            " FOR UPDATE",
            hall_id,
        )
        waiting = gather(*(book(one, hall, item, at("09:00")) for one in people[:3]))
        free = await gather(*(book(one, hall, item, at("10:00")) for one in people[3:]))
        assert [r.status_code for r in free] == [201] * 3
        await sleep(0)
        assert not waiting.done()
    assert [r.status_code for r in await waiting] == [201] * 3
    assert await counted(hall_id, at("09:00")) == (3, 3)


async def test_who_has_missed_is_told_at_once_how_often_she_still_may(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    rules = {"no_shows_to_block": 3, "no_show_days": 90}
    with booking_ruled(api, hall, **rules):
        mine = (await book(lin, hall, item, at("10:00"))).json()
        assert mine["until_blocked"] == 3
        await rows(
            "UPDATE appointment SET state = 'missed', ended_at = slot_start WHERE id = $1",
            mine["id"],
        )
        await rows("DELETE FROM appointment_place WHERE appointment_id = $1", mine["id"])
        await rows("DELETE FROM appointment_once WHERE appointment_id = $1", mine["id"])
        await rows(
            "UPDATE appointment_event SET step = 'miss', state = 'missed'"
            " WHERE appointment_id = $1",
            mine["id"],
        )
        next_one = (await book(lin, hall, item, at("10:00", "2026-11-25"))).json()
    with booking_ruled(api, hall, **rules):
        shown = (await lin.get(f"/appointments/{next_one['id']}")).json()
        assert next_one == shown
    assert next_one["until_blocked"] == 2
