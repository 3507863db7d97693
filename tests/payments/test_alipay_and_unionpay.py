"""Alipay and UnionPay behind the port of payments, each against its played self."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio

from integrations.ports_payment import (
    ChannelNews,
    ChannelRefused,
    ChannelUnavailable,
    NotGenuine,
    OutcomeUnknown,
)
from tests.payments.playing import CHANNELS, PAYER, Playing, playing, unknown


@pytest_asyncio.fixture(params=CHANNELS)
async def at(request: pytest.FixtureRequest) -> AsyncIterator[Playing]:
    async with playing(request.param) as one:
        yield one


@pytest_asyncio.fixture
async def alipay() -> AsyncIterator[Playing]:
    async with playing("alipay") as one:
        yield one


@pytest_asyncio.fixture
async def unionpay() -> AsyncIterator[Playing]:
    async with playing("unionpay") as one:
        yield one


async def news(at: Playing, count: int = 1) -> ChannelNews:
    came = (await at.listener.wait_for(count))[count - 1]
    return at.channel.read_callback(came.headers, came.body)


async def test_she_pays_and_the_channel_says_so_when_asked_and_by_itself(at: Playing) -> None:
    order = await at.place()
    assert (await at.channel.query(order.ref)).state == "unpaid"
    await at.pay(order)
    told = await news(at)
    assert told.channel == at.channel.name
    assert told.order is not None
    asked = await at.channel.query(order.ref)
    for said in (told.order, asked):
        assert (said.order_no, said.state, said.amount_fen) == (order.order_no, "paid", 1234)
        assert said.paid_at is not None
        assert abs(said.paid_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert told.order.channel_no == asked.channel_no
    assert asked.channel_no
    if at.channel.name == "alipay":
        assert asked.payer == told.order.payer == PAYER


async def test_the_same_order_placed_again_is_the_same_order(at: Playing) -> None:
    order = at.an_order()
    for _ in range(3):
        await at.hand_over(order)
    orders = await at.sandbox.http.get("/_sandbox/orders", params={"order_no": order.order_no})
    assert len(orders.json()["data"]) == 1


async def test_what_nobody_placed_is_absent(at: Playing) -> None:
    assert (await at.channel.query(unknown())).state == "absent"
    order = await at.place()
    refund = at.a_refund(order, 100)
    assert (await at.channel.query_refund(refund.ref)).state == "absent"


async def test_money_goes_back_in_parts_and_each_part_once(at: Playing) -> None:
    await at.refunds_end("success")
    order = await at.paid()
    first, second = at.a_refund(order, 1000), at.a_refund(order, 234)
    for refund in (first, first, second, first):
        told = await at.channel.refund(refund)
        assert told.state in ("done", "pending")
        found = await at.channel.query_refund(refund.ref)
        assert (found.state, found.refund_fen) == ("done", refund.refund_fen)
        assert found.done_at is not None
    with pytest.raises(ChannelRefused) as over:
        await at.channel.refund(at.a_refund(order, 1))
    assert over.value.reason == "amount_invalid"
    assert (await at.channel.query(order.ref)).state == "paid"


async def test_a_number_of_a_refund_stands_for_one_amount(at: Playing) -> None:
    order = await at.paid()
    refund = at.a_refund(order, 100)
    await at.channel.refund(refund)
    with pytest.raises(ChannelRefused, match="number_used"):
        await at.channel.refund(replace(refund, refund_fen=200))


async def test_a_refund_that_takes_its_time_is_told_when_it_is_done(at: Playing) -> None:
    await at.refunds_end("hold")
    order = await at.paid()
    refund = at.a_refund(order, 500)
    assert (await at.channel.refund(refund)).state == "pending"
    assert (await at.channel.query_refund(refund.ref)).state != "done"
    await at.end_refund(refund)
    told = await news(at)
    assert told.order is None
    assert told.refund is not None
    assert (told.refund.refund_no, told.refund.state) == (refund.ref.refund_no, "done")
    assert (await at.channel.query_refund(refund.ref)).state == "done"


async def test_repeated_news_is_the_same_news(at: Playing) -> None:
    order = await at.place()
    await at.pay(order, deliveries=4)
    await at.listener.wait_for(4)
    ids = {(await news(at, n)).event_id for n in range(1, 5)}
    assert len(ids) == 1
    other = await at.place()
    await at.pay(other)
    assert (await news(at, 5)).event_id not in ids


async def test_the_channel_comes_until_it_is_thanked(at: Playing) -> None:
    order = await at.place()
    refusing = at.channel.not_now()
    at.listener.answer = (refusing.status, refusing.body)
    await at.pay(order, until_thanked=True)
    await at.listener.wait_for(1)
    thanks = at.channel.thanks()
    at.listener.answer = (thanks.status, thanks.body)
    await at.listener.wait_for(2)
    for _ in range(400):
        if not (await _deliveries(at))["under_way"]:
            break
        await asyncio.sleep(0.05)
    assert [one["thanked"] for one in (await _deliveries(at))["data"]] == [False, True]


async def _deliveries(at: Playing) -> Any:
    return (await at.sandbox.http.get("/_sandbox/deliveries")).json()


SPOILED = {
    "merchant": "foreign_merchant",
    "currency": "foreign_currency",
    "signature": "wrong_signature",
    "body": "wrong_signature",
    "key": "wrong_signature",
    "appid": "foreign_app",
    "stale": "stale",
    "future": "stale",
}


@pytest.mark.parametrize("tamper", SPOILED)
async def test_what_is_spoiled_is_not_genuine(at: Playing, tamper: str) -> None:
    if at.channel.name == "unionpay" and tamper in ("appid", "stale", "future"):
        pytest.skip("UnionPay's notices have no app and no time of sending")
    order = await at.place()
    await at.pay(order, tamper=tamper)
    with pytest.raises(NotGenuine) as told:
        await news(at)
    assert told.value.reason == SPOILED[tamper]
    assert 400 <= at.channel.refusal(told.value).status < 500


async def test_an_amount_that_is_off_is_genuine_news_of_another_amount(at: Playing) -> None:
    order = await at.place()
    await at.pay(order, tamper="amount")
    told = await news(at)
    assert told.order is not None
    assert told.order.amount_fen == 1235


async def test_any_changed_byte_of_a_genuine_callback_is_refused(at: Playing) -> None:
    await at.pay(await at.place())
    came = (await at.listener.wait_for(1))[0]
    fields = parse_qsl(came.body.decode("latin-1"))
    for place in range(0, len(came.body), 7):
        for flip in (1, 0x20):
            spoiled = bytearray(came.body)
            spoiled[place] ^= flip
            # %2b and %2B are one byte to whoever reads the form.
            if parse_qsl(spoiled.decode("latin-1")) == fields:
                continue
            with pytest.raises(NotGenuine):
                at.channel.read_callback(came.headers, bytes(spoiled))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<xml><return_code>SUCCESS</return_code></xml>",
        b'{"id": "EV-1"}',
        b"\x1f\x8b\x08\x00" + bytes(1000),
        b"a=1",
        b"sign=%00&sign_type=RSA2",
        b"x" * 10_000_000,
    ],
)
async def test_rubbish_is_not_genuine(at: Playing, body: bytes) -> None:
    with pytest.raises(NotGenuine) as told:
        at.channel.read_callback({}, body)
    assert told.value.reason in ("malformed", "too_big")


async def test_a_field_twice_is_not_genuine(at: Playing) -> None:
    await at.pay(await at.place())
    came = (await at.listener.wait_for(1))[0]
    for more in (b"&total_amount=0.01", b"&txnAmt=1", b"&sign=AAAA"):
        name = more[1:].split(b"=")[0]
        if b"&" + name + b"=" in came.body:
            with pytest.raises(NotGenuine, match="malformed"):
                at.channel.read_callback(came.headers, came.body + more)


FAULTS = {
    "alipay": ("alipay.trade.query", "alipay.trade.refund"),
    "unionpay": ("unionpay.query", "unionpay.back"),
}


@pytest.mark.parametrize("kind", ["http_500", "rubbish", "wrong_signature"])
async def test_no_usable_answer_leaves_it_unknown_and_asking_again_settles_it(
    at: Playing, kind: str
) -> None:
    query, refund = FAULTS[at.channel.name]
    order = await at.paid()
    await at.sandbox.break_down(query, kind, times=1)
    with pytest.raises(ChannelUnavailable):
        await at.channel.query(order.ref)
    asked = at.a_refund(replace(order), 300)
    ref = replace(
        asked.ref, order=replace(order.ref, channel_no=await at.number_of(order.order_no))
    )
    asked = replace(asked, ref=ref)
    await at.refunds_end("success")
    await at.sandbox.break_down(refund, kind, times=1)
    with pytest.raises(OutcomeUnknown):
        await at.channel.refund(asked)
    await at.channel.refund(asked)
    assert (await at.channel.query_refund(asked.ref)).state == "done"
    facts = await at.sandbox.http.get("/_sandbox/orders", params={"order_no": order.order_no})
    assert [one["refund_fen"] for one in facts.json()["data"][0]["refunds"]] == [300]


@pytest.mark.parametrize(
    ("which", "code"),
    [("alipay", "20000"), ("alipay", "10003"), ("alipay", "ACQ.SYSTEM_ERROR")]
    + [("unionpay", code) for code in ("03", "04", "05", "06")],
)
async def test_a_channel_that_does_not_know_itself_is_asked_again(which: str, code: str) -> None:
    async with playing(which) as at:
        order = await at.paid()
        await at.sandbox.break_down(FAULTS[which][1], "error", errcode=code, times=1)
        with pytest.raises(OutcomeUnknown):
            await at.channel.refund(at.a_refund(order, 300))


@pytest.mark.parametrize(("which", "code"), [("alipay", "40002"), ("unionpay", "11")])
async def test_a_fault_of_ours_changes_nothing_and_refuses_nobody(which: str, code: str) -> None:
    async with playing(which) as at:
        order = await at.paid()
        await at.sandbox.break_down(FAULTS[which][1], "error", errcode=code, times=1)
        with pytest.raises(ChannelUnavailable):
            await at.channel.refund(at.a_refund(order, 300))


async def test_alipay_closes_what_waits_and_tells_of_what_is_paid(alipay: Playing) -> None:
    waits, paid = await alipay.place(), await alipay.paid()
    assert await alipay.channel.close(waits.ref) == "closed"
    assert await alipay.channel.close(waits.ref) == "closed"
    assert await alipay.channel.close(paid.ref) == "paid"
    assert await alipay.channel.close(unknown()) == "absent"
    with pytest.raises(ChannelRefused, match="order_closed"):
        await alipay.channel.create(waits)
    with pytest.raises(ChannelRefused, match="order_paid"):
        await alipay.channel.create(paid)


async def test_what_alipay_gave_back_wholly_was_paid_and_not_closed(alipay: Playing) -> None:
    await alipay.refunds_end("success")
    order = await alipay.paid()
    assert (await alipay.channel.refund(alipay.a_refund(order, 1234))).state == "done"
    assert (await alipay.channel.query(order.ref)).state == "paid"


async def test_alipay_refuses_in_our_words(alipay: Playing) -> None:
    order = await alipay.place()
    with pytest.raises(ChannelRefused, match="number_used"):
        await alipay.channel.create(replace(order, amount_fen=99))
    with pytest.raises(ChannelRefused, match="payer_unknown"):
        await alipay.channel.create(alipay.an_order(payer="nobody"))
    with pytest.raises(ChannelRefused, match="amount_invalid"):
        await alipay.channel.create(alipay.an_order(amount_fen=0))
    with pytest.raises(ChannelRefused, match="order_unknown"):
        await alipay.channel.refund(alipay.a_refund(alipay.an_order(), 1))


async def test_an_unionpay_form_can_be_posted_until_its_time_is_up(unionpay: Playing) -> None:
    order = unionpay.an_order()
    assert await unionpay.channel.close(order.ref) == "unpaid"
    await unionpay.it_is(order.placed_at + timedelta(minutes=33))
    assert await unionpay.channel.close(order.ref) == "absent"
    page = await unionpay.channel.create(order)
    form: Any = page.client_params
    told = await unionpay.http.post(form["url"], data=form["fields"])
    assert "模拟银联" not in told.text
    assert await unionpay.channel.close(order.ref) == "closed"


async def test_unionpay_refunds_without_knowing_its_own_number_of_the_order(
    unionpay: Playing,
) -> None:
    await unionpay.refunds_end("success")
    order = await unionpay.paid()
    refund = unionpay.a_refund(order, 1234)
    assert refund.ref.order.channel_no is None
    await unionpay.channel.refund(refund)
    assert (await unionpay.channel.query_refund(refund.ref)).state == "done"
    with pytest.raises(ChannelRefused, match="order_unknown"):
        await unionpay.channel.refund(unionpay.a_refund(unionpay.an_order(), 1))


async def test_a_refund_that_failed_at_unionpay_is_told(unionpay: Playing) -> None:
    await unionpay.refunds_end("fail")
    refund = unionpay.a_refund(await unionpay.paid(), 5)
    await unionpay.channel.refund(refund)
    assert (await unionpay.channel.query_refund(refund.ref)).state == "failed"


async def test_nobody_there_means_nothing_happened(at: Playing) -> None:
    order = await at.paid()
    number = await at.number_of(order.order_no)
    async with playing("alipay") as other:
        gone = other.sandbox.url
    channel: Any = at.channel
    gateway = channel._gateway
    if at.channel.name == "alipay":
        gateway._url = gone + "/gateway.do"
    else:
        gateway._host = gone
    ref = replace(at.a_refund(order, 1).ref, order=replace(order.ref, channel_no=number))
    with pytest.raises(ChannelUnavailable):
        await at.channel.refund(replace(at.a_refund(order, 1), ref=ref))
