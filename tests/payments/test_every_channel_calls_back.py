"""What holds for every payment channel's callbacks: the genuine are read, no other is."""

import random
from urllib.parse import unquote_to_bytes

import pytest

from integrations.ports_payment import NotGenuine
from tests.payments.channels import PlayedChannel


async def test_a_payment_is_told(played: PlayedChannel) -> None:
    order = await played.placed(fen=4321)
    await played.pay(order)
    await played.ears.until(news=1)
    (news,) = played.ears.news
    assert news.channel == played.channel.name
    assert news.refund is None
    assert news.order is not None
    told = (news.order.order_no, news.order.state, news.order.amount_fen)
    assert told == (order.order_no, "paid", 4321)
    assert news.order.channel_no == (await played.channel.query(order.ref)).channel_no
    assert news.order.paid_at is not None
    (delivery,) = await played.deliveries(order.order_no, 1)
    assert delivery["thanked"]


async def test_a_refund_is_told(played: PlayedChannel) -> None:
    order = await played.paid()
    refund = await played.new_refund(order, 50)
    await played.refunds_end("success")
    await played.channel.refund(refund)
    await played.ears.until(news=1)
    (news,) = played.ears.news
    assert news.order is None
    assert news.refund is not None
    assert (news.refund.refund_no, news.refund.state) == (refund.ref.refund_no, "done")
    assert news.refund.refund_fen in (None, 50)


async def test_the_same_news_have_the_same_id_however_often_they_come(
    played: PlayedChannel,
) -> None:
    one, other = await played.placed(), await played.placed()
    for order in (one, other):
        await played.pay(order, deliveries=8, spread_s=0.1)
    await played.ears.until(news=16)
    ids = {(n.order.order_no, n.event_id) for n in played.ears.news if n.order}
    assert len(ids) == 2
    assert len({event_id for _, event_id in ids}) == 2


async def test_who_is_not_thanked_comes_again_and_who_is_stays_away(
    played: PlayedChannel,
) -> None:
    played.ears.busy = True
    order = await played.placed()
    await played.pay(order, until_thanked=True)
    first = await played.deliveries(order.order_no, 1)
    assert not first[0]["thanked"]
    assert first[0]["status"] >= 500
    played.ears.busy = False
    await played.ears.until(news=1)
    # Thanked for, it is not under way any more.
    await played.all_delivered()
    assert len(played.ears.news) == 1


async def test_what_was_tampered_with_is_not_genuine(played: PlayedChannel) -> None:
    order = await played.placed()
    for tamper in played.tampers:
        await played.pay(order, "fail", tamper=tamper)
    await played.ears.until(faults=len(played.tampers))
    assert played.ears.news == []
    for delivery in await played.deliveries(order.order_no, len(played.tampers)):
        assert 400 <= delivery["status"] < 500, delivery
        assert not delivery["thanked"]
    assert (await played.channel.query(order.ref)).state == "unpaid"


async def test_a_wrong_amount_is_told_as_it_came(played: PlayedChannel) -> None:
    order = await played.placed(fen=1000)
    for tamper in played.harmless:
        await played.pay(order, tamper=tamper)
    await played.ears.until(news=len(played.harmless))
    assert {n.order.amount_fen for n in played.ears.news if n.order} == {1001}
    assert (await played.channel.query(order.ref)).amount_fen == 1000


async def test_no_changed_byte_of_a_genuine_callback_passes(played: PlayedChannel) -> None:
    await played.pay(await played.placed())
    await played.ears.until(news=1)
    headers, body = played.ears.messages[0]
    dice = random.Random(7)
    for _ in range(150):
        at, to = dice.randrange(len(body)), dice.randrange(256)
        spoilt = body[:at] + bytes([to]) + body[at + 1 :]
        if _form(spoilt) == _form(body):
            continue  # %2b and %2B are one byte to whoever reads a form
        with pytest.raises(NotGenuine):
            played.channel.read_callback(headers, spoilt)
    for cut in (body[:-1], body[1:], b"", body + b" ", body + body):
        with pytest.raises(NotGenuine):
            played.channel.read_callback(headers, cut)
    assert played.channel.read_callback(headers, body) == played.ears.news[0]


def _form(body: bytes) -> bytes:
    return unquote_to_bytes(body.replace(b"+", b" "))


_ODD = [
    *("", "0", "-1", "é" * 9, "\ud800", "====", "A", "\x00", "%", "+"),
    *("1" * 99, "9" * 11, "x" * 5000),
]


async def test_no_odd_header_is_more_than_not_genuine(played: PlayedChannel) -> None:
    await played.pay(await played.placed())
    await played.ears.until(news=1)
    headers, body = played.ears.messages[0]
    for name in played.headers:
        was = headers[name]
        for odd in [*_ODD, was[:-1], was + "A", was[::-1]]:
            with pytest.raises(NotGenuine) as fault:
                played.channel.read_callback(headers | {name: odd}, body)
            assert str(fault.value) == fault.value.reason
            assert 400 <= played.channel.refusal(fault.value).status < 500


async def test_what_is_no_callback_at_all_is_not_genuine(played: PlayedChannel) -> None:
    for body in (
        b"<xml><return_code>SUCCESS</return_code></xml>",
        b"\x1f\x8b" + bytes(100),
        b"[" * 50_000,
        b"x" * 10_000_000,
        b"\xff\xfe",
    ):
        for headers in ({}, {"content-encoding": "gzip"}):
            with pytest.raises(NotGenuine):
                played.channel.read_callback(headers, body)
