"""Items that are paid for first, and a line for whoever has paid."""

import asyncio
from typing import Any

import pytest

from models.database import rows
from server.admin.city_files import CITY_FILES, read_city
from server.payments.collecting import look_after_collecting
from tests.conftest import Api
from tests.payments.counter import Counter
from tests.people import Person, an_id_number


@pytest.fixture
async def collected(counter: Counter) -> Any:
    """The item of the counter's bills is to be paid for first; who has paid waits in line D."""
    code = counter.paid_item()
    here = (
        "SELECT o.id FROM offering o JOIN hall h ON h.id = o.hall_id"
        " JOIN item i ON i.id = o.item_id WHERE h.code = $1 AND i.code = $2"
    )
    await rows(
        f"UPDATE offering SET paid_line_id = (SELECT l.id FROM line l JOIN hall h"
        f" ON h.id = l.hall_id WHERE h.code = $1 AND l.code = 'D') WHERE id IN ({here})",
        counter.hall,
        code,
    )
    yield code
    await rows(f"UPDATE offering SET paid_line_id = NULL WHERE id IN ({here})", counter.hall, code)


async def paid(counter: Counter, who: Person) -> dict[str, Any]:
    """A bill of a number of hers, which she pays."""
    bill = await counter.a_bill(who)
    order_no = await counter.begun(who, bill)
    await counter.pay(order_no, deliveries=1)
    async with asyncio.timeout(30):
        while (await who.get("/bills")).json()["data"][0]["state"] != "paid":
            await counter.tend()
    return bill


async def ticket_of(bill: dict[str, Any]) -> Any:
    (found,) = await rows(
        "SELECT t.*, l.code AS line FROM ticket t JOIN line l ON l.id = t.line_id WHERE t.id = $1",
        bill["ticket"],
    )
    return found


async def goes_on(counter: Counter) -> int:
    room = counter.api.services
    return await look_after_collecting(room.feed, room.clock.now())


async def test_whoever_has_paid_waits_on_in_the_line_for_it_with_her_seniority(
    counter: Counter, collected: str
) -> None:
    who = await counter.api.citizen()
    bill = await paid(counter, who)
    before = await ticket_of(bill)
    assert before["line"] != "D"
    await asyncio.gather(*(goes_on(counter) for _ in range(3)))
    after = await ticket_of(bill)
    assert (after["line"], after["state"], after["number"][0]) == ("D", "waiting", "D")
    assert after["rank_time"] == before["rank_time"]
    moves = await rows("SELECT move FROM ticket_event WHERE ticket_id = $1", bill["ticket"])
    assert [row["move"] for row in moves].count("reroute") == 1
    assert await goes_on(counter) == 0
    seen = (await who.get(f"/tickets/{bill['ticket']}")).json()
    assert (seen["number"], seen["reason"]) == (after["number"], "sent_on")
    assert seen["reason_text"] == "已缴费"
    told = [each["kind"] for each in (await who.get("/notices")).json()["data"]]
    assert "ticket_sent_on" in told


async def test_whoever_has_given_up_or_has_no_such_line_is_left_where_she_is(
    counter: Counter, collected: str
) -> None:
    gone = await counter.api.citizen()
    bill = await paid(counter, gone)
    await gone.post(f"/tickets/{bill['ticket']}/cancel")
    assert await goes_on(counter) == 1
    assert (await ticket_of(bill))["line"] != "D"
    await rows("UPDATE offering SET paid_line_id = NULL WHERE paid_line_id IS NOT NULL")
    stays = await counter.api.citizen()
    bill = await paid(counter, stays)
    assert await goes_on(counter) == 0
    assert (await ticket_of(bill))["line"] != "D"


async def test_an_item_that_is_paid_for_first_says_so(api: Api) -> None:
    first = next(item for item in read_city(CITY_FILES).items if item.pay_first)
    told = (await api.http.get(f"/api/v1/items/{first.code}")).json()
    assert (told["pay_first"], told["fee_fen"]) == (True, first.fee_fen)
    free = next(item for item in read_city(CITY_FILES).items if not item.fee_fen)
    assert not (await api.http.get(f"/api/v1/items/{free.code}")).json()["pay_first"]
    halls = api.services.directory.halls.values()
    hall = next(hall.code for hall in halls if first.code in hall.offers)
    her_number = an_id_number()
    who = await api.citizen(her_number)
    named = await who.post("/me/real-name", {"name": "测试市民", "id_number": her_number})
    assert named.status_code == 200, named.text
    taken = await who.take(hall, first.code)
    assert taken.json().get("pay_first") is True, taken.text
