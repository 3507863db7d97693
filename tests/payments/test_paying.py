"""Citizens pay bills through WeChat Pay, played by the sandbox with real keys, over real HTTP."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from models import ledger
from models.orders import LASTS
from tests.conftest import MONDAY_MORNING
from tests.payments.counter import Counter, order_of, refusals
from tests.payments.money import entries_of
from tests.people import Person


@pytest.fixture
async def citizen(counter: Counter) -> Person:
    return await counter.api.citizen()


async def state_of(who: Person, order_no: str) -> str:
    reply = await who.get(f"/payments/{order_no}")
    assert reply.status_code == 200, reply.text
    return str(reply.json()["state"])


async def until_state(who: Person, order_no: str, state: str) -> None:
    async with asyncio.timeout(20):
        while True:
            if await state_of(who, order_no) == state:
                return
            await asyncio.sleep(0.02)


async def test_a_number_is_paid_for_while_waiting(counter: Counter, citizen: Person) -> None:
    bill = await counter.a_bill(citizen)
    assert (bill["state"], bill["payment"]) == ("due", None)
    again = await citizen.post("/bills", {"ticket": bill["ticket"]})
    assert again.json() == bill
    order_no = await counter.begun(citizen, bill)
    await counter.pay(order_no, deliveries=1)
    await until_state(citizen, order_no, "paid")
    (listed,) = (await citizen.get("/bills")).json()["data"]
    assert (listed["state"], listed["payment"], listed["order_no"]) == ("paid", "paid", order_no)
    assert (await citizen.get("/bills?state=due")).json()["data"] == []
    order = await order_of(order_no)
    fen = bill["amount_fen"]
    assert await entries_of(order["id"]) == [("paid", "at_wechat", "collected", fen)]


async def test_callbacks_often_and_at_once_settle_once(counter: Counter, citizen: Person) -> None:
    bill = await counter.a_bill(citizen, 4321)
    order_no = await counter.begun(citizen, bill)
    await counter.pay(order_no, deliveries=15)
    told = await counter.delivered(order_no)
    assert [each["status"] for each in told] == [204] * 15
    await until_state(citizen, order_no, "paid")
    assert len(await entries_of((await order_of(order_no))["id"])) == 1


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        ("amount", "amount_differs"),
        ("appid", "foreign_app"),
        ("merchant", "foreign_merchant"),
        ("currency", "foreign_currency"),
        ("signature", "wrong_signature"),
        ("stale", "stale"),
        ("future", "stale"),
        ("body", "wrong_signature"),
        ("key", None),
        ("probe", None),
        ("sealed", "sealed_wrongly"),
        ("no_header", "malformed"),
    ],
)
async def test_what_is_tampered_with_is_refused_audited_and_changes_nothing(
    counter: Counter, citizen: Person, tamper: str, reason: str | None
) -> None:
    order_no = await counter.begun(citizen, await counter.a_bill(citizen, 800))
    before = len(await refusals("wechat"))
    await counter.pay(order_no, "fail", tamper=tamper, deliveries=1)
    (told,) = await counter.delivered(order_no)
    assert 400 <= told["status"] < 500
    assert not told["thanked"]
    audited = (await refusals("wechat"))[before:]
    assert len(audited) == 1
    assert reason in (None, audited[0])
    assert await state_of(citizen, order_no) == "pending"
    assert await entries_of((await order_of(order_no))["id"]) == []


async def test_a_payment_that_no_callback_tells_of_is_found(
    counter: Counter, citizen: Person
) -> None:
    order_no = await counter.begun(citizen, await counter.a_bill(citizen, 800))
    await counter.pay(order_no)
    await counter.tend()
    assert await state_of(citizen, order_no) == "pending", "its first look is in 15 s"
    counter.api.turn_clock((MONDAY_MORNING + timedelta(seconds=20)).isoformat())
    await counter.tend()
    assert await state_of(citizen, order_no) == "paid"


async def test_a_lying_callback_is_a_hint_and_the_channel_is_asked(
    counter: Counter, citizen: Person
) -> None:
    order_no = await counter.begun(citizen, await counter.a_bill(citizen, 800))
    await counter.pay(order_no, deliveries=1, tamper="amount")
    (told,) = await counter.delivered(order_no)
    assert told["status"] == 401
    await counter.tend()
    assert await state_of(citizen, order_no) == "paid"
    assert await entries_of((await order_of(order_no))["id"]) == [
        ("paid", "at_wechat", "collected", 800)
    ]


async def test_what_nobody_pays_is_closed_at_the_channel_first(
    counter: Counter, citizen: Person
) -> None:
    order_no = await counter.begun(citizen, await counter.a_bill(citizen, 800))
    counter.api.turn_clock((MONDAY_MORNING + LASTS + timedelta(seconds=1)).isoformat())
    await counter.tend()
    assert await state_of(citizen, order_no) == "closed"
    assert (await counter.at_the_channel(order_no))["state"] == "closed"


async def test_what_is_paid_after_it_was_closed_goes_back_by_itself(
    counter: Counter, citizen: Person
) -> None:
    bill = await counter.a_bill(citizen, 800)
    order_no = await counter.begun(citizen, bill)
    counter.api.turn_clock((MONDAY_MORNING + LASTS + timedelta(seconds=1)).isoformat())
    await counter.tend()
    await counter.pay(order_no, even_if_closed=True, deliveries=3)
    await until_state(citizen, order_no, "refunding")
    await counter.tend()
    await until_state(citizen, order_no, "refunded")
    at_channel = await counter.at_the_channel(order_no)
    assert [each["refund_fen"] for each in at_channel["refunds"]] == [800]
    (listed,) = (await citizen.get("/bills")).json()["data"]
    assert listed["state"] == "due"
    # And she pays it with another payment.
    again = await counter.begun(citizen, bill)
    await counter.pay(again, deliveries=1)
    await until_state(citizen, again, "paid")


async def test_a_bill_paid_through_two_channels_is_given_back_once(
    counter: Counter, citizen: Person
) -> None:
    bill = await counter.a_bill(citizen, 1500)
    first = await counter.begun(citizen, bill)
    second = await counter.begun(citizen, bill, "unionpay")
    form = await citizen.post("/payments", {"bill_id": bill["id"], "channel": "unionpay"})
    await open_unionpay(counter, form.json()["client_params"])
    await asyncio.gather(counter.pay(first, deliveries=4), counter.pay(second, deliveries=4))
    paid_back = ("paid", "refunded")
    async with asyncio.timeout(30):
        while {await state_of(citizen, each) for each in (first, second)} != set(paid_back):
            await counter.tend()
            await asyncio.sleep(0.05)
    for _ in range(3):
        await counter.tend()
    books = [await counter.at_the_channel(each) for each in (first, second)]
    assert sorted(sum(r["refund_fen"] for r in book["refunds"]) for book in books) == [0, 1500]
    assert await ledger.disagreeing() == []


async def open_unionpay(counter: Counter, params: dict[str, Any]) -> None:
    """What her phone does with UnionPay's page."""
    url = params.get("url") or params.get("action")
    assert url, sorted(params)
    reply = await counter.till.post(url, data=params.get("form") or params.get("fields"))
    assert reply.status_code < 400, reply.text


async def test_a_payment_begun_again_is_the_same_payment(counter: Counter, citizen: Person) -> None:
    bill = await counter.a_bill(citizen, 800)
    body = {"bill_id": bill["id"], "channel": "wechat"}
    numbers = {
        (await citizen.post("/payments", body)).json()["order_no"],
        *(
            reply.json()["order_no"]
            for reply in await asyncio.gather(*(citizen.post("/payments", body) for _ in range(5)))
        ),
    }
    assert len(numbers) == 1
    key = str(uuid4())
    told = [await citizen.post("/payments", body, Idempotency_Key=key) for _ in range(2)]
    assert told[0].content == told[1].content
    other = await citizen.post("/payments", body | {"channel": "unionpay"}, Idempotency_Key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_what_is_paid_is_not_paid_again(counter: Counter, citizen: Person) -> None:
    bill = await counter.a_bill(citizen, 800)
    order_no = await counter.begun(citizen, bill)
    await counter.pay(order_no, deliveries=1)
    await until_state(citizen, order_no, "paid")
    reply = await citizen.post("/payments", {"bill_id": bill["id"], "channel": "unionpay"})
    assert (reply.status_code, reply.json()["code"]) == (409, "wrong_state")
    assert reply.json()["state"] == "paid"


async def test_nobody_sees_or_pays_what_is_anothers(counter: Counter, citizen: Person) -> None:
    bill = await counter.a_bill(citizen, 800)
    order_no = await counter.begun(citizen, bill)
    stranger = await counter.api.citizen()
    reply = await stranger.post("/payments", {"bill_id": bill["id"], "channel": "wechat"})
    assert reply.status_code == 404
    assert (await stranger.get(f"/payments/{order_no}")).status_code == 404
    assert (await stranger.post("/bills", {"ticket": bill["ticket"]})).status_code == 404
    assert (await stranger.get("/bills")).json()["data"] == []


async def test_who_is_unknown_to_a_channel_is_told_to_sign_in_there(
    counter: Counter, citizen: Person
) -> None:
    bill = await counter.a_bill(citizen, 800)
    reply = await citizen.post("/payments", {"bill_id": bill["id"], "channel": "alipay"})
    assert (reply.status_code, reply.json()["code"]) == (422, "payer_unknown")


async def test_rubbish_at_the_callbacks_is_turned_away(counter: Counter) -> None:
    http = counter.api.http
    for path in ("wechatpay", "wechatpay/refund", "alipay", "unionpay"):
        for body in (b"", b"\0", b"<xml/>", b"{}", b"a=1&a=2", b"\x1f\x8b\x08" * 40, b"x" * 60_000):
            for headers in ({}, {"Wechatpay-Nonce": "1", "Wechatpay-Signature": "%%%"}):
                reply = await http.post(f"/callbacks/{path}", content=body, headers=headers)
                assert 400 <= reply.status_code < 500, (path, body[:20])
        huge = await http.post(f"/callbacks/{path}", content=b"x" * 10_000_000)
        assert huge.status_code == 413


async def test_money_goes_back_once_a_request_and_in_parts(
    counter: Counter, citizen: Person
) -> None:
    bill = await counter.a_bill(citizen, 1000)
    order_no = await counter.begun(citizen, bill)
    clerk = await counter.api.clerk(counter.hall)
    refunds = f"/halls/{counter.hall}/bills/{bill['id']}/refunds"
    ask = {"request_no": "desk-1", "amount_fen": 400, "reason": "overcharged"}
    early = await clerk.post(refunds, ask)
    assert (early.status_code, early.json()["state"]) == (409, "due")
    await counter.pay(order_no, deliveries=1)
    await until_state(citizen, order_no, "paid")
    asked = await asyncio.gather(*(clerk.post(refunds, ask) for _ in range(4)))
    assert {reply.status_code for reply in asked} == {201}
    assert len({reply.json()["refund_no"] for reply in asked}) == 1
    other = await clerk.post(refunds, ask | {"amount_fen": 401})
    assert (other.status_code, other.json()["code"]) == (422, "request_no_reused")
    over = await clerk.post(refunds, ask | {"request_no": "desk-2", "amount_fen": 601})
    assert (over.status_code, over.json()["code"]) == (409, "refund_too_much")
    await counter.tend()
    await until_state(citizen, order_no, "partly_refunded")
    rest = await clerk.post(refunds, {"request_no": "desk-3", "reason": "withdrawn"})
    assert rest.json()["amount_fen"] == 600
    await counter.tend()
    await until_state(citizen, order_no, "refunded")
    book = await counter.at_the_channel(order_no)
    assert sorted(each["refund_fen"] for each in book["refunds"]) == [400, 600]
    assert await ledger.disagreeing() == []


async def test_much_money_goes_back_when_a_manager_approves(
    counter: Counter, citizen: Person
) -> None:
    bill = await counter.a_bill(citizen, 50_000)
    order_no = await counter.begun(citizen, bill)
    await counter.pay(order_no, deliveries=1)
    await until_state(citizen, order_no, "paid")
    clerk, manager = await counter.api.clerk(counter.hall), await counter.api.manager(counter.hall)
    base = f"/halls/{counter.hall}"
    asked = (
        await clerk.post(
            f"{base}/bills/{bill['id']}/refunds", {"request_no": "big", "reason": "not_served"}
        )
    ).json()
    assert asked["state"] == "asked"
    await counter.tend()
    assert (await counter.at_the_channel(order_no))["refunds"] == []
    approve = f"{base}/refunds/{asked['refund_no']}/approve"
    assert (await clerk.post(approve)).status_code == 403
    listed = (await manager.get(f"{base}/refunds?state=asked")).json()["data"]
    assert asked["refund_no"] in [each["refund_no"] for each in listed]
    assert (await manager.post(approve)).json()["state"] == "approved"
    assert (await manager.post(approve)).json()["code"] == "wrong_state"
    await counter.tend()
    await until_state(citizen, order_no, "refunded")


async def test_a_cancelled_bill_closes_what_was_begun(counter: Counter, citizen: Person) -> None:
    bill = await counter.a_bill(citizen, 800)
    order_no = await counter.begun(citizen, bill)
    clerk = await counter.api.clerk(counter.hall)
    cancelled = await clerk.post(f"/halls/{counter.hall}/bills/{bill['id']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    await counter.tend()
    assert (await counter.at_the_channel(order_no))["state"] == "closed"
    assert await state_of(citizen, order_no) == "closed"


async def test_what_a_dead_process_stored_is_settled_by_the_worker(
    counter: Counter, citizen: Person
) -> None:
    order_no = await counter.begun(citizen, await counter.a_bill(citizen, 800))
    settler = counter.api.app.ctx.settler
    told, settler.told = settler.told, lambda _: None
    try:
        await counter.pay(order_no, deliveries=2)
        assert [each["status"] for each in await counter.delivered(order_no)] == [204, 204]
        assert await state_of(citizen, order_no) == "pending"
        async with asyncio.timeout(20):
            while await state_of(citizen, order_no) != "paid":
                await counter.tend()
                await asyncio.sleep(0.1)
    finally:
        settler.told = told
