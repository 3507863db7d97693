"""A channel of ours, the sandbox that plays it, and somebody whom it calls back."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx

from integrations.alipay import AlipayGateway, AlipayPay
from integrations.ports_payment import NewOrder, NewRefund, OrderRef, PaymentChannel, RefundRef
from integrations.sandbox import SandboxSettings
from integrations.sandbox.payments.unionpay_keys import (
    MERCHANT_PFX,
    MIDDLE,
    PASSWORD,
    ROOT,
    make_unionpay_keys,
)
from integrations.unionpay import UnionPayCredentials, UnionPayGateway, UnionPayPay
from tests.integrations.alipay_running import credentials_for, settings
from tests.integrations.sandbox_running import Json, RunningSandbox, running
from tests.payments.listening import Listener, listening

SELLER = SandboxSettings().alipay_seller_id
PAYER = "011" + "A" * 43
CHANNELS = ["alipay", "alipay by certificate", "unionpay"]
_numbers = itertools.count(1)


@cache
def unionpay_keys() -> Path:
    """UnionPay's keys, the same as long as the tests run."""
    folder = Path(mkdtemp(prefix="unionpay-"))
    make_unionpay_keys(folder)
    return folder


def unionpay_credentials(**how: Any) -> UnionPayCredentials:
    folder = unionpay_keys()
    return UnionPayCredentials.from_files(
        how.pop("merchant", SandboxSettings().unionpay_merchant),
        (folder / MERCHANT_PFX).read_bytes(),
        PASSWORD,
        root_certs=(folder / ROOT).read_text(),
        middle_certs=(folder / MIDDLE).read_text(),
        **how,
    )


class CityTime:
    """The city's clock; stands still until moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Playing:
    """One channel and short words for what happens at it."""

    channel: PaymentChannel
    sandbox: RunningSandbox
    listener: Listener
    http: httpx.AsyncClient
    city: CityTime

    def an_order(self, **other: Any) -> NewOrder:
        facts: dict[str, Any] = {
            "order_no": f"P20261123{next(_numbers):010}",
            "placed_at": self.city(),
            "amount_fen": 1234,
            "subject": "身份证 + 补办 1&2=3",
            "payer": PAYER,
            "expires_at": self.city() + timedelta(minutes=15),
            "notify_url": self.listener.url,
        }
        return NewOrder(**(facts | other))

    async def place(self, **other: Any) -> NewOrder:
        """Place an order, and let her browser go where it is sent."""
        order = self.an_order(**other)
        await self.hand_over(order)
        return order

    async def hand_over(self, order: NewOrder) -> None:
        prepared = await self.channel.create(order)
        if self.channel.name == "unionpay":
            form: Any = prepared.client_params
            page = await self.http.post(form["url"], data=form["fields"])
            assert "模拟银联" in page.text, page.text

    async def pay(self, order: NewOrder, **how: Any) -> Json:
        asked = {"order_no": order.order_no, "outcome": "success"} | how
        reply = await self.sandbox.http.post("/_sandbox/pay", json=asked)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def number_of(self, order_no: str) -> str:
        """The channel's own number of an order."""
        facts = await self.sandbox.http.get("/_sandbox/orders", params={"order_no": order_no})
        return str(facts.json()["data"][0]["channel_no"])

    async def paid(self, **other: Any) -> NewOrder:
        """An order that is paid already, and of which nobody is told."""
        order = await self.place(**other)
        await self.pay(order, deliveries=0)
        return order

    def a_refund(self, order: NewOrder, fen: int, **other: Any) -> NewRefund:
        ref = RefundRef(f"R20261123{next(_numbers):010}", self.city(), order.ref)
        facts: dict[str, Any] = {
            "ref": ref,
            "order_fen": order.amount_fen,
            "refund_fen": fen,
            "reason": "多付了",
            "notify_url": self.listener.url,
        }
        return NewRefund(**(facts | other))

    async def refunds_end(self, outcome: str, **how: Any) -> None:
        asked = {"outcome": outcome, "takes_s": 0.0, "deliveries": 0} | how
        reply = await self.sandbox.http.put("/_sandbox/refunds", json=asked)
        assert reply.status_code == 200, reply.text

    async def end_refund(self, refund: NewRefund, outcome: str = "success", **how: Any) -> None:
        asked = {"refund_no": refund.ref.refund_no, "outcome": outcome} | how
        reply = await self.sandbox.http.post("/_sandbox/refund", json=asked)
        assert reply.status_code == 200, reply.text

    async def it_is(self, moment: datetime) -> None:
        """Move the city's clock, ours and the sandbox's."""
        self.city.now = moment
        asked = {"start": moment.isoformat(), "speed": 0.001}
        reply = await self.sandbox.http.put("/_sandbox/clock", json=asked)
        assert reply.status_code == 204, reply.text

    async def plant(self, day: str, *differences: Json) -> None:
        asked = {"channel": self.channel.name, "day": day, "differences": differences}
        reply = await self.sandbox.http.put("/_sandbox/bills/differences", json=asked)
        assert reply.status_code == 204, reply.text


def unknown(order_no: str = "P20261123NEVER") -> OrderRef:
    return OrderRef(order_no, datetime.now(UTC))


@asynccontextmanager
async def playing(which: str) -> AsyncIterator[Playing]:
    """Run a sandbox of one's own with one channel of ours before it."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(running(settings(unionpay_keys=unionpay_keys())))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        listener = await stack.enter_async_context(listening())
        city = CityTime()
        channel = await _channel(which, http, sandbox, city)
        yield Playing(channel, sandbox, listener, http, city)


async def _channel(
    which: str, http: httpx.AsyncClient, sandbox: RunningSandbox, city: CityTime
) -> PaymentChannel:
    if which == "unionpay":
        files = sandbox.url + "/filedownload/"
        gateway = UnionPayGateway(http, sandbox.url, files, unionpay_credentials())
        return UnionPayPay(gateway, "https://city.example/paid", city_now=city)
    keys = (await sandbox.http.get("/_sandbox/alipay/keys")).json()
    credentials = credentials_for("key" if which == "alipay" else "certificate", keys)
    url = sandbox.url + "/gateway.do"
    alipay = AlipayGateway(http, url, credentials)
    return AlipayPay(http, alipay, credentials, SELLER, city_now=city)
