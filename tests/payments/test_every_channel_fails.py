"""What holds when a channel fails: nothing happens twice, and what may have happened is said so."""

import asyncio
from dataclasses import replace

import pytest

from integrations.ports_payment import ChannelUnavailable, OutcomeUnknown
from tests.payments.channels import PlayedChannel

KINDS = ["http_500", "rubbish", "wrong_signature"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_cannot_be_asked_is_not_guessed(played: PlayedChannel, kind: str) -> None:
    order = await played.paid()
    await played.break_down("query", kind)
    with pytest.raises(ChannelUnavailable) as fault:
        await played.channel.query(order.ref)
    assert fault.value.retry_after_s > 0
    await played.sandbox.mend()
    assert (await played.channel.query(order.ref)).state == "paid"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refund_of_unknown_outcome_goes_back_once(played: PlayedChannel, kind: str) -> None:
    order = await played.paid(fen=1000)
    refund = await played.new_refund(order, 300)
    await played.break_down("refund", kind)
    with pytest.raises((OutcomeUnknown, ChannelUnavailable)):
        await played.channel.refund(refund)
    await played.sandbox.mend()
    await asyncio.gather(*(played.channel.refund(refund) for _ in range(3)))
    parts = (await played.at_the_channel(order))["refunds"]
    assert [part["refund_fen"] for part in parts] == [300]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_order_of_unknown_outcome_is_placed_once(played: PlayedChannel, kind: str) -> None:
    if "create" not in played.endpoints:
        pytest.skip("this channel is not asked for an order by us")
    order = played.new_order()
    await played.break_down("create", kind)
    with pytest.raises((OutcomeUnknown, ChannelUnavailable)):
        await played.channel.create(order)
    await played.sandbox.mend()
    assert (await played.channel.create(order)).client_params
    await played.break_down("close", kind)
    with pytest.raises((OutcomeUnknown, ChannelUnavailable)):
        await played.channel.close(order.ref)
    await played.sandbox.mend()
    assert await played.channel.close(order.ref) == "closed"


async def test_a_slow_answer_is_waited_for(played: PlayedChannel) -> None:
    order = await played.paid()
    await played.break_down("query", "delay", seconds=0.3, times=1)
    assert (await played.channel.query(order.ref)).state == "paid"


async def test_an_answer_about_another_order_is_none(played: PlayedChannel) -> None:
    one, other = await played.placed(), await played.paid()
    told = await played.channel.query(one.ref)
    assert (told.order_no, told.state) == (one.order_no, "unpaid")
    odd = replace(one.ref, order_no=other.order_no.lower())
    assert (await played.channel.query(odd)).state == "absent"
