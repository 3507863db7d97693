"""What holds for every payment channel: orders, closing, refunds."""

import asyncio
import json
from dataclasses import replace

import pytest

from integrations.ports_payment import ChannelRefused, OrderRef
from tests.payments.channels import PlayedChannel


async def test_an_order_waits_to_be_paid(played: PlayedChannel) -> None:
    order = played.new_order()
    prepared = await played.channel.create(order)
    assert json.loads(json.dumps(prepared.client_params)) == prepared.client_params
    await played.open_cashier(prepared)
    told = await played.channel.query(order.ref)
    assert (told.order_no, told.state) == (order.order_no, "unpaid")
    assert told.paid_at is None


async def test_nobody_knows_an_order_that_was_never_placed(played: PlayedChannel) -> None:
    told = await played.channel.query(played.new_order().ref)
    assert told.state == "absent"
    assert told.amount_fen is None


async def test_what_was_paid_is_told_to_the_fen(played: PlayedChannel) -> None:
    order = await played.paid(fen=100_000_001)
    told = await played.channel.query(order.ref)
    assert (told.state, told.amount_fen) == ("paid", 100_000_001)
    assert told.channel_no
    assert told.paid_at is not None
    assert told.paid_at.utcoffset() is not None
    assert abs((told.paid_at - order.placed_at).total_seconds()) < 60


async def test_who_fails_to_pay_may_try_again(played: PlayedChannel) -> None:
    order = await played.placed()
    for outcome in ("fail", "cancel"):
        await played.pay(order, outcome)
        assert (await played.channel.query(order.ref)).state == "unpaid"
    await played.pay(order, deliveries=0)
    assert (await played.channel.query(order.ref)).state == "paid"


async def test_the_same_order_twice_is_one_order(played: PlayedChannel) -> None:
    order = await played.placed()
    again = await played.channel.create(order)
    assert again.client_params
    await played.open_cashier(again)
    assert (await played.at_the_channel(order))["amount_fen"] == order.amount_fen


async def test_a_number_that_stands_for_another_order_is_refused(played: PlayedChannel) -> None:
    if not played.checks_terms:
        pytest.skip("what this channel's phones are given is not asked of the channel first")
    order = await played.placed(fen=100)
    with pytest.raises(ChannelRefused) as refused:
        await played.channel.create(replace(order, amount_fen=101))
    assert refused.value.reason in ("number_used", "request_invalid")
    await played.pay(order, deliveries=0)
    with pytest.raises(ChannelRefused) as refused:
        await played.channel.create(order)
    assert refused.value.reason == "order_paid"


async def test_a_closed_order_takes_no_money(played: PlayedChannel) -> None:
    order = await played.placed()
    state = await played.channel.close(order.ref)
    if not played.closes:
        assert state == "unpaid"
        return
    assert state == "closed"
    body = {"order_no": order.order_no, "outcome": "success"}
    refused = await played.sandbox.http.post("/_sandbox/pay", json=body)
    assert refused.status_code == 409
    assert (await played.channel.query(order.ref)).state in ("closed", "absent")
    assert await played.channel.close(order.ref) in ("closed", "absent")


async def test_closing_comes_too_late_for_what_is_paid(played: PlayedChannel) -> None:
    order = await played.paid()
    assert await played.channel.close(order.ref) == "paid"
    assert (await played.channel.query(order.ref)).state == "paid"


async def test_closing_what_nobody_placed_says_so(played: PlayedChannel) -> None:
    assert await played.channel.close(played.new_order().ref) in ("absent", "unpaid")


async def test_paying_and_closing_at_once_end_one_way(played: PlayedChannel) -> None:
    order = await played.placed()
    body = {"order_no": order.order_no, "outcome": "success", "deliveries": 0}
    pay = played.sandbox.http.post("/_sandbox/pay", json=body)
    paid, state = await asyncio.gather(pay, played.channel.close(order.ref))
    told = await played.channel.query(order.ref)
    if paid.status_code == 200:
        assert told.state == "paid"
        assert state != "closed"
    else:
        assert (state, told.state) == ("closed", "closed")


async def test_all_of_it_goes_back(played: PlayedChannel) -> None:
    order = await played.paid()
    await played.refunds_end("success")
    refund = await played.new_refund(order, order.amount_fen)
    assert (await played.channel.refund(refund)).state in ("pending", "done")
    await played.deliveries(refund.ref.refund_no, 1)
    told = await played.channel.query_refund(refund.ref)
    assert (told.state, told.refund_no) == ("done", refund.ref.refund_no)
    assert told.refund_fen in (None, order.amount_fen)
    assert (await played.channel.query(await played.known(order))).state == "paid"


async def test_many_parts_go_back_and_no_fen_more(played: PlayedChannel) -> None:
    order = await played.paid(fen=1000)
    for fen in (1, 333, 600):
        await played.channel.refund(await played.new_refund(order, fen))
    with pytest.raises(ChannelRefused) as refused:
        await played.channel.refund(await played.new_refund(order, 67))
    assert refused.value.reason in ("amount_invalid", "request_invalid")
    await played.channel.refund(await played.new_refund(order, 66))
    parts = (await played.at_the_channel(order))["refunds"]
    assert sorted(part["refund_fen"] for part in parts) == [1, 66, 333, 600]


async def test_the_same_refund_twice_goes_back_once(played: PlayedChannel) -> None:
    order = await played.paid(fen=1000)
    refund = await played.new_refund(order, 400)
    for told in await asyncio.gather(*(played.channel.refund(refund) for _ in range(5))):
        assert told.refund_no == refund.ref.refund_no
    assert len((await played.at_the_channel(order))["refunds"]) == 1


async def test_nothing_goes_back_of_what_was_not_paid(played: PlayedChannel) -> None:
    order = await played.placed()
    refund = await played.new_refund(order, 1)
    with pytest.raises(ChannelRefused):
        await played.channel.refund(refund)
    unknown = played.new_order()
    for ref in (unknown.ref, OrderRef(unknown.order_no, unknown.placed_at, "4200999")):
        with pytest.raises(ChannelRefused):
            await played.channel.refund(replace(refund, ref=replace(refund.ref, order=ref)))


async def test_nobody_knows_a_refund_that_was_never_asked_for(played: PlayedChannel) -> None:
    refund = await played.new_refund(await played.paid(), 1)
    assert (await played.channel.query_refund(refund.ref)).state == "absent"


async def test_a_refund_under_way_is_pending(played: PlayedChannel) -> None:
    await played.refunds_end("hold")
    refund = await played.new_refund(await played.paid(), 7)
    assert (await played.channel.refund(refund)).state == "pending"
    # Alipay tells only of refunds that arrived; asking it again with the same number harms nobody.
    assert (await played.channel.query_refund(refund.ref)).state in ("pending", "absent")
    await played.end_refund(refund.ref.refund_no, deliveries=0)
    assert (await played.channel.query_refund(refund.ref)).state == "done"


@pytest.mark.parametrize(("outcome", "state"), [("fail", "failed"), ("stuck", "stuck")])
async def test_a_refund_may_end_badly(played: PlayedChannel, outcome: str, state: str) -> None:
    if outcome not in played.ends_badly:
        pytest.skip("no refund of this channel ends so")
    await played.refunds_end("hold")
    refund = await played.new_refund(await played.paid(), 7)
    await played.channel.refund(refund)
    await played.end_refund(refund.ref.refund_no, outcome, deliveries=0)
    assert (await played.channel.query_refund(refund.ref)).state == state
