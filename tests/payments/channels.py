"""Every payment channel over real HTTP to its part of the sandbox, behind the same few words.

To add a channel, write a context manager as `wechat` is and name it in `CHANNELS`: the tests of
`test_every_channel*.py` then hold for it too.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import httpx

from integrations.ports_payment import (
    NewOrder,
    NewRefund,
    OrderRef,
    PaymentChannel,
    Prepared,
    RefundRef,
)
from integrations.sandbox import SandboxSettings
from integrations.sandbox.alipay_keys import make_private_key, public_key_of
from integrations.sandbox.payments.till import Tamper
from integrations.wechat.pay import WeChatPay, WeChatPayCredentials
from tests.integrations.sandbox_running import Json, RunningSandbox, running
from tests.payments.ears import Ears, listening
from tests.payments.playing import PAYER, CityTime, playing


async def _nothing(_: Prepared) -> None:
    """Most channels know an order as soon as we place it."""


@dataclass(frozen=True)
class PlayedChannel:
    """A channel, who plays it, who hears of it, and what it can do.

    `endpoints` name its parts to break: query, create, refund, download. `harmless` are the
    tampers that it signs and that only comparing amounts can find. Where `closes` is False, the
    channel closes no orders by request; where `ends_badly` is empty, refunds always arrive.
    `open_cashier` is what her phone does with what `create` returned.
    """

    channel: PaymentChannel
    sandbox: RunningSandbox
    ears: Ears
    endpoints: Mapping[str, str]
    tampers: tuple[Tamper, ...]
    harmless: tuple[Tamper, ...] = ("amount",)
    # The headers that its callbacks are read by; some channels have everything in the body.
    headers: tuple[str, ...] = ()
    payer: str | None = None
    closes: bool = True
    checks_terms: bool = True
    ends_badly: tuple[str, ...] = ("fail", "stuck")
    open_cashier: Callable[[Prepared], Awaitable[None]] = _nothing
    # The clock that our side dates payments with, where it needs one.
    city: CityTime = field(default_factory=CityTime)

    def new_order(self, fen: int = 1250, **other: Any) -> NewOrder:
        now = self.city.now
        order = NewOrder(
            order_no=f"P{now:%Y%m%d}{secrets.token_hex(8)}",
            placed_at=now,
            amount_fen=fen,
            subject="不动产登记费",
            payer=self.payer,
            expires_at=now + timedelta(minutes=30),
            notify_url=self.ears.url,
        )
        return replace(order, **other)

    async def placed(self, fen: int = 1250, **other: Any) -> NewOrder:
        order = self.new_order(fen, **other)
        await self.open_cashier(await self.channel.create(order))
        return order

    async def paid(self, fen: int = 1250) -> NewOrder:
        order = await self.placed(fen)
        assert (await self.pay(order, deliveries=0))["state"] == "paid"
        return order

    async def pay(self, order: NewOrder, outcome: str = "success", **how: Any) -> Json:
        body = {"order_no": order.order_no, "outcome": outcome} | how
        reply = await self.sandbox.http.post("/_sandbox/pay", json=body)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def known(self, order: NewOrder) -> OrderRef:
        """The order as we know it once the channel told us its own number."""
        told = await self.channel.query(order.ref)
        return OrderRef(order.order_no, order.placed_at, told.channel_no)

    async def new_refund(self, order: NewOrder, fen: int) -> NewRefund:
        now = self.city.now
        return NewRefund(
            ref=RefundRef(f"R{secrets.token_hex(12)}", now, await self.known(order)),
            order_fen=order.amount_fen,
            refund_fen=fen,
            reason="重复缴费",
            notify_url=self.ears.url,
        )

    async def refunds_end(self, outcome: str, **how: Any) -> None:
        body = {"outcome": outcome, "takes_s": 0} | how
        reply = await self.sandbox.http.put("/_sandbox/refunds", json=body)
        assert reply.status_code == 200, reply.text

    async def end_refund(self, refund_no: str, outcome: str = "success", **how: Any) -> None:
        body = {"refund_no": refund_no, "outcome": outcome} | how
        reply = await self.sandbox.http.post("/_sandbox/refund", json=body)
        assert reply.status_code == 200, reply.text

    async def at_the_channel(self, order: NewOrder) -> Json:
        """What the channel's book says."""
        reply = await self.sandbox.http.get("/_sandbox/orders", params={"order_no": order.order_no})
        (found,) = reply.json()["data"]
        return dict(found)

    async def deliveries(self, about: str, at_least: int) -> list[Json]:
        """What came of the callbacks about a number, once there are so many."""
        async with asyncio.timeout(60):
            while True:
                reply = await self.sandbox.http.get("/_sandbox/deliveries", params={"about": about})
                if len(found := reply.json()["data"]) >= at_least:
                    return list(found)
                await asyncio.sleep(0.02)

    async def all_delivered(self) -> None:
        """Wait until no callback is still to come."""
        async with asyncio.timeout(60):
            while True:
                reply = await self.sandbox.http.get("/_sandbox/deliveries", params={"limit": 1})
                if not reply.json()["under_way"]:
                    return
                await asyncio.sleep(0.02)

    async def start_afresh(self) -> None:
        """Leave nothing of one test to the next."""
        await self.sandbox.mend()
        await self.it_is(datetime.now(UTC).replace(microsecond=0))
        await self.refunds_end("success")
        await self.all_delivered()
        self.ears.forget()

    async def it_is(self, moment: datetime) -> None:
        """Turn the city's clock, ours and the sandbox's; it runs on from there."""
        self.city.now = moment
        reply = await self.sandbox.http.put("/_sandbox/clock", json={"start": moment.isoformat()})
        assert reply.status_code == 204, reply.text

    async def break_down(self, part: str, kind: str, **how: Any) -> None:
        await self.sandbox.break_down(self.endpoints[part], kind, **how)


@cache
def a_key(whose: str) -> str:
    """A private key in PEM, the same for the same owner as long as the tests run."""
    return make_private_key()


def wechat_settings(**other: Any) -> SandboxSettings:
    return SandboxSettings(
        wechat_mch_public_key=public_key_of(a_key("merchant")),
        wechat_pay_private_key=a_key("wechat-pay"),
        **other,
    )


def wechat_credentials(settings: SandboxSettings, keys: Mapping[str, str]) -> WeChatPayCredentials:
    return WeChatPayCredentials.from_texts(
        app_id=settings.wechat_app_id,
        mch_id=settings.wechat_mch_id,
        serial_no=settings.wechat_mch_serial,
        private_key=a_key("merchant"),
        api_v3_key=settings.wechat_api_v3_key,
        public_keys=keys,
    )


WECHAT_ENDPOINTS = {
    "create": "wechatpay.prepay",
    "query": "wechatpay.query",
    "close": "wechatpay.close",
    "refund": "wechatpay.refund",
    "query_refund": "wechatpay.query_refund",
    "bill": "wechatpay.tradebill",
    "download": "wechatpay.billdownload",
}
WECHAT_HEADERS = tuple(
    f"wechatpay-{part}" for part in ("timestamp", "nonce", "serial", "signature", "signature-type")
)
WECHAT_TAMPERS: tuple[Tamper, ...] = (
    *("appid", "merchant", "currency", "signature", "stale", "future"),
    *("body", "key", "probe", "sealed", "no_header"),
)


@asynccontextmanager
async def wechat(mode: str = "key", budget_s: float = 3.0) -> AsyncIterator[PlayedChannel]:
    """WeChat Pay, in public-key or in certificate mode."""
    settings = wechat_settings(wechat_pay_signs_with=mode)
    async with (
        running(settings) as sandbox,
        httpx.AsyncClient(trust_env=False) as http,
        listening() as ears,
    ):
        keys = {settings.wechat_pay_key_id: (await _wechat_keys(sandbox))["public_key"]}
        credentials = wechat_credentials(settings, keys if mode == "key" else {})
        channel = WeChatPay(http, [sandbox.url], credentials, budget_s=budget_s)
        await channel.refresh_keys()
        ears.channel = channel
        person = await sandbox.persona()
        yield PlayedChannel(
            channel,
            sandbox,
            ears,
            WECHAT_ENDPOINTS,
            WECHAT_TAMPERS,
            headers=WECHAT_HEADERS,
            payer=person["openid"],
        )


async def _wechat_keys(sandbox: RunningSandbox) -> Json:
    return dict((await sandbox.http.get("/_sandbox/wechatpay/keys")).json())


ALIPAY_ENDPOINTS = {
    "create": "alipay.trade.create",
    "query": "alipay.trade.query",
    "close": "alipay.trade.close",
    "refund": "alipay.trade.refund",
    "query_refund": "alipay.trade.fastpay.refund.query",
    "bill": "alipay.data.dataservice.bill.downloadurl.query",
}
ALIPAY_TAMPERS: tuple[Tamper, ...] = (
    *("appid", "merchant", "currency", "signature", "stale", "future", "body", "key"),
)
UNIONPAY_ENDPOINTS = {
    "query": "unionpay.query",
    "refund": "unionpay.back",
    "query_refund": "unionpay.query",
}


@asynccontextmanager
async def alipay(which: str = "alipay") -> AsyncIterator[PlayedChannel]:
    """Alipay, with plain keys or with certificates."""
    async with playing(which) as at, listening() as ears:
        ears.channel = at.channel
        yield PlayedChannel(
            at.channel,
            at.sandbox,
            ears,
            ALIPAY_ENDPOINTS,
            ALIPAY_TAMPERS,
            payer=PAYER,
            ends_badly=(),
            city=at.city,
        )


@asynccontextmanager
async def unionpay() -> AsyncIterator[PlayedChannel]:
    """UnionPay, whose form her browser has to post before it knows an order."""
    async with playing("unionpay") as at, listening() as ears:
        ears.channel = at.channel

        async def post_the_form(prepared: Prepared) -> None:
            form: Any = prepared.client_params
            page = await at.http.post(form["url"], data=form["fields"])
            assert page.status_code == 200, page.text

        yield PlayedChannel(
            at.channel,
            at.sandbox,
            ears,
            UNIONPAY_ENDPOINTS,
            ("merchant", "currency", "signature", "body", "key"),
            closes=False,
            checks_terms=False,
            ends_badly=("fail",),
            open_cashier=post_the_form,
            city=at.city,
        )


CHANNELS: dict[str, Callable[[], AbstractAsyncContextManager[PlayedChannel]]] = {
    "wechat": wechat,
    "wechat-certificates": partial(wechat, "certificate"),
    "alipay": alipay,
    "alipay-certificates": partial(alipay, "alipay by certificate"),
    "unionpay": unionpay,
}
