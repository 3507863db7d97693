"""What happens to a bill is told to whose it is, each once."""

import asyncio

from server.notices.reminding import remind_what_is_due
from tests.payments.counter import Counter
from tests.people import Person


async def told(who: Person) -> list[tuple[str, str]]:
    """What she was told of money, the oldest first."""
    found = (await who.get("/notices")).json()["data"]
    return [(one["kind"], one["state"]) for one in found if one["kind"].startswith("bill_")][::-1]


async def until_told(counter: Counter, who: Person, kind: str) -> None:
    """Wait until the worker has done what brings this about."""
    async with asyncio.timeout(30):
        while kind not in [one for one, _ in await told(who)]:
            await counter.tend()
            counter.api.later(seconds=10)


async def test_what_a_clerk_asks_for_is_told_and_so_is_that_it_was_paid_and_went_back(
    counter: Counter,
) -> None:
    lin = await counter.api.citizen()
    bill = await counter.a_bill(lin, 4321)
    assert await told(lin) == [("bill_due", "waiting")]
    [due, *_] = (await lin.get("/notices")).json()["data"]
    assert due["subject_id"] == bill["id"]
    assert "证件工本费" in due["body"]
    assert "¥43.21" in due["body"]
    order_no = await counter.begun(lin, bill)
    await counter.pay(order_no, deliveries=3)
    await counter.delivered(order_no)
    await until_told(counter, lin, "bill_paid")
    assert await told(lin) == [("bill_due", "expired"), ("bill_paid", "waiting")]
    clerk = await counter.api.clerk(counter.hall)
    wish = {"request_no": "1", "amount_fen": 321, "reason": "overcharged"}
    asked = await clerk.post(f"/halls/{counter.hall}/bills/{bill['id']}/refunds", wish)
    assert asked.status_code == 201, asked.text
    await until_told(counter, lin, "bill_refunded")
    assert [kind for kind, _ in await told(lin)][2:] == ["bill_refunded"]
    [back, *_] = (await lin.get("/notices")).json()["data"]
    assert "¥3.21" in back["body"]


async def test_a_payment_begun_and_not_made_is_told_of_once_before_it_ends(
    counter: Counter,
) -> None:
    lin = await counter.api.citizen()
    await counter.begun(lin, await counter.a_bill(lin))
    room = counter.api.services
    await remind_what_is_due(room.clock, lambda: room.directory)
    assert await told(lin) == []
    counter.api.later(minutes=21)
    for _ in range(2):
        await remind_what_is_due(room.clock, lambda: room.directory)
    assert await told(lin) == [("bill_expiring", "waiting")]


async def test_an_items_fee_has_the_items_name_in_english_too(counter: Counter) -> None:
    lin = await counter.api.citizen()
    item = counter.api.services.directory.item(counter.paid_item())
    bill = await counter.a_bill(lin)
    assert (bill["title"], bill["title_en"]) == (item.name, item.name_en)
    await lin.put("/me/notice-preferences", {"language": "en", "channels": []})
    await counter.pay(await counter.begun(lin, bill), deliveries=1)
    await until_told(counter, lin, "bill_paid")
    english = {**lin.headers, "Accept-Language": "en"}
    [paid] = (await lin.http.get("/api/v1/notices", headers=english)).json()["data"]
    assert paid["body"].startswith(f"{item.name_en}: ¥")
    other = await counter.a_bill(await counter.api.citizen(), 4321)
    assert (other["title"], other["title_en"]) == ("证件工本费", "证件工本费")
