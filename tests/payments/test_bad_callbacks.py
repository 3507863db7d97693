"""Each channel end to end through the city, and everything that may be wrong with a callback.

Whatever is not genuine to the byte is answered with 4xx, and changes nothing.
"""

import asyncio
import gzip
import random
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import pytest
from sanic.compat import Header

from integrations.ports_payment import NotGenuine
from integrations.sandbox.payments.alipay import AlipayTrades
from integrations.sandbox.payments.unionpay import UnionPay
from integrations.sandbox.payments.wechat_pay import WeChatPay
from models import ledger
from models.database import rows
from server.payments.channels import PATHS
from tests.identity.people import a_persona, through
from tests.payments.counter import Counter, order_of, refusals
from tests.payments.listening import Came, listening
from tests.payments.money import entries_of
from tests.payments.test_paying import open_unionpay, state_of, until_state
from tests.people import Person

CHANNELS = ("wechat", "alipay", "unionpay")
TAMPERS = {
    "wechat": WeChatPay.tampers,
    "alipay": AlipayTrades.tampers,
    "unionpay": UnionPay.tampers,
}
THANKS = {"wechat": (204, b""), "alipay": (200, b"success"), "unionpay": (200, b"ok")}
# What sending adds is no part of what a channel says.
OF_THE_WIRE = {"host", "connection", "content-length", "accept", "accept-encoding", "user-agent"}


async def a_payer(counter: Counter, channel: str) -> Person:
    """Somebody whom the channel knows."""
    door = "alipay" if channel == "alipay" else "wechat"
    return await through(counter.api, door, await a_persona(counter.api))


async def begun(counter: Counter, who: Person, channel: str, fen: int) -> str:
    """The number of a payment that she has begun, up to where her phone asks whether to pay."""
    bill = await counter.a_bill(who, fen)
    order_no = await counter.begun(who, bill, channel)
    if channel == "unionpay":
        again = await who.post("/payments", {"bill_id": bill["id"], "channel": channel})
        await open_unionpay(counter, again.json()["client_params"])
    return order_no


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_payment_goes_all_the_way_and_back(counter: Counter, channel: str) -> None:
    lin = await a_payer(counter, channel)
    order_no = await begun(counter, lin, channel, 1500)
    await counter.pay(order_no, deliveries=3)
    told = await counter.delivered(order_no)
    assert [each["thanked"] for each in told] == [True] * 3
    await until_state(lin, order_no, "paid")
    (bill,) = (await lin.get("/bills")).json()["data"]
    assert (bill["state"], bill["order_no"]) == ("paid", order_no)
    clerk = await counter.api.clerk(counter.hall)
    for nth, fen in enumerate((600, 900)):
        body = {"request_no": str(nth), "amount_fen": fen, "reason": "withdrawn"}
        asked = await clerk.post(f"/halls/{counter.hall}/bills/{bill['id']}/refunds", body)
        assert asked.status_code == 201, asked.text
    async with asyncio.timeout(30):
        while await state_of(lin, order_no) != "refunded":
            await counter.tend()
            counter.api.later(seconds=30)
    at_channel = await counter.at_the_channel(order_no)
    assert sorted(each["refund_fen"] for each in at_channel["refunds"]) == [600, 900]
    order = await order_of(order_no)
    kinds = sorted(kind for kind, *_ in await entries_of(order["id"]))
    assert kinds == ["paid", "promised", "promised", "returned", "returned"]
    assert await ledger.disagreeing() == []


@pytest.mark.parametrize("channel", ["alipay", "unionpay"])
async def test_what_is_tampered_with_is_refused_audited_and_changes_nothing(
    counter: Counter, channel: str
) -> None:
    lin = await a_payer(counter, channel)
    order_no = await begun(counter, lin, channel, 800)
    before = len(await refusals(channel))
    tampers = sorted(TAMPERS[channel])
    for tamper in tampers:
        await counter.pay(order_no, "fail", tamper=tamper, deliveries=1)
    told = await counter.delivered(order_no)
    assert {each["tamper"]: 400 <= each["status"] < 500 for each in told} == dict.fromkeys(
        tampers, True
    )
    assert not any(each["thanked"] for each in told)
    assert len(await refusals(channel)) - before == len(tampers)
    assert await nothing_changed(order_no)


async def nothing_changed(order_no: str) -> bool:
    """Whether an order is as it was placed, and nothing is kept of what was told of it."""
    order = await order_of(order_no)
    kept = await rows("SELECT 1 FROM callback_inbox WHERE order_id = $1", order["id"])
    return order["state"] == "pending" and not kept and not await entries_of(order["id"])


async def a_genuine_one(counter: Counter, channel: str) -> tuple[str, Came]:
    """An order, and the callback about it that is still on its way to us."""
    room = counter.api.services
    was = room.settings
    async with listening() as on_its_way:
        elsewhere = on_its_way.url.removesuffix("/callback")
        room.settings = was.model_copy(update={"public_url": elsewhere})
        try:
            order_no = await begun(counter, await a_payer(counter, channel), channel, 800)
        finally:
            room.settings = was
        await counter.pay(order_no, deliveries=1)
        (came,) = await on_its_way.wait_for(1)
    headers = {name: told for name, told in came.headers.items() if name not in OF_THE_WIRE}
    return order_no, Came(headers, came.body)


def spoilt(channel: str, came: Came, dice: random.Random) -> Iterator[tuple[dict[str, str], bytes]]:
    """A genuine callback, wrong in one way after another."""
    headers, body = came.headers, came.body
    for _ in range(40):
        at = dice.randrange(len(body))
        other = body[:at] + bytes([body[at] ^ (1 << dice.randrange(8))]) + body[at + 1 :]
        if _read(other) != _read(body):  # %2b and %2B are one letter to whoever reads a form
            yield headers, other
    for cut in (b"", body[:-1], body[1:], body + b"\n", body + body, b"<xml>%s</xml>" % body):
        yield headers, cut
    yield headers | {"content-encoding": "gzip"}, gzip.compress(bytes(20_000_000))
    yield headers | {"content-type": "text/xml"}, b"<xml><result_code>SUCCESS</result_code></xml>"
    if channel == "wechat":
        for name in [each for each in headers if each.startswith("wechatpay-")]:
            if name != "wechatpay-signature-type":
                yield {each: told for each, told in headers.items() if each != name}, body
            for odd in ("", "0", "=", "%%%%", "WECHATPAY/SIGNTEST/AAAA", "A" * 5000):
                yield headers | {name: odd}, body
        yield headers | {"wechatpay-nonce": headers["wechatpay-nonce"][0]}, body
        return
    sign = b"&sign=" if channel == "alipay" else b"signature="
    assert sign in body
    front, _, rest = body.partition(sign)
    for no_base64 in (b"", b"====", b"%00", b"%E4%B8%AD", b"A" * 5000):
        yield headers, front + sign + no_base64 + b"&was=" + rest
    field = b"total_amount=" if channel == "alipay" else b"txnAmt="
    yield headers, body + b"&" + field + b"1"
    yield headers, field + b"1&" + body
    if b"%2B" in body:
        yield headers, body.replace(b"%2B", b"+")
    yield headers, body.replace(b"%", b"%25")


def _read(body: bytes) -> bytes:
    return unquote_to_bytes(body.replace(b"+", b" "))


@pytest.mark.parametrize("channel", CHANNELS)
async def test_any_byte_of_a_genuine_callback_counts(counter: Counter, channel: str) -> None:
    order_no, came = await a_genuine_one(counter, channel)
    http, path = counter.api.http, f"/callbacks/{PATHS[channel]}"
    ours = counter.api.services.platforms.payments[channel]
    for headers, body in spoilt(channel, came, random.Random(11)):
        reply = await http.post(path, content=body, headers=headers)
        assert 400 <= reply.status_code < 500, (reply.status_code, headers, body[:200])
        with pytest.raises(NotGenuine):
            ours.read_callback(Header(headers), body)
        assert b"Traceback" not in reply.content
    huge = await http.post(path, content=bytes(10_000_000), headers=came.headers)
    assert huge.status_code == 413
    assert await nothing_changed(order_no)
    # It is genuine: but for its bytes nothing was wrong with it.
    reply = await http.post(path, content=came.body, headers=came.headers)
    assert (reply.status_code, reply.content) == THANKS[channel]
    async with asyncio.timeout(20):
        while not await entries_of((await order_of(order_no))["id"]):
            await counter.tend()
    # Once more by the same hand is a thief's, where each delivery has a nonce of its own.
    again = await http.post(path, content=came.body, headers=came.headers)
    assert again.is_success == (channel != "wechat")
    assert len(await entries_of((await order_of(order_no))["id"])) == 1
