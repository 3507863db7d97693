"""Somebody else's Alipay, python-alipay-sdk, verifies what we sign and signs what we verify."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import alipay as oracle
import httpx
import pytest
import pytest_asyncio

from integrations.alipay import AlipayGateway, AlipayPay
from integrations.alipay.client import BEIJING
from integrations.ports_payment import ChannelUnavailable
from integrations.sandbox.alipay_keys import public_key_of
from tests.integrations.alipay_running import APP_ID, a_key, plain_credentials
from tests.integrations.raw_server import a_server_that_answers, ok
from tests.integrations.sandbox_running import Json
from tests.payments.playing import PAYER, SELLER, Playing, playing


@pytest_asyncio.fixture
async def at() -> AsyncIterator[Playing]:
    async with playing("alipay") as one:
        yield one


async def keys_of(at: Playing) -> Json:
    return dict((await at.sandbox.http.get("/_sandbox/alipay/keys")).json())


async def as_we(at: Playing, mode: str) -> Any:
    """The library in our place, asking the sandbox."""
    keys = await keys_of(at)
    if mode == "key":
        ours: Any = oracle.AliPay(
            appid=APP_ID,
            app_private_key_string=a_key("app"),
            alipay_public_key_string=keys["alipay_public_key"],
        )
    else:
        ours = oracle.DCAliPay(
            appid=APP_ID,
            app_notify_url=None,
            app_private_key_string=a_key("app"),
            app_public_key_cert_string=keys["app_cert"],
            alipay_public_key_cert_string=keys["alipay_cert"],
            alipay_root_cert_string=keys["alipay_root_cert"],
        )
    ours._gateway = at.sandbox.url + "/gateway.do"
    return ours


async def ask(theirs: Any, method: str, biz: Json) -> Json:
    # It dates questions by the clock of the machine, which need not be Beijing's.
    now = datetime.now(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    return dict(await asyncio.to_thread(theirs.server_api, method, biz, timestamp=now))


def as_alipay(public_key: str, private_key: str) -> Any:
    return oracle.AliPay(
        appid=APP_ID, app_private_key_string=private_key, alipay_public_key_string=public_key
    )


async def test_what_we_ask_it_takes_for_ours() -> None:
    judge = as_alipay(public_key_of(a_key("app")), a_key("alipay"))
    async with (
        a_server_that_answers(ok(b"{}")) as (url, heard),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        credentials = plain_credentials()
        channel = AlipayPay(http, AlipayGateway(http, url, credentials), credentials, SELLER)
        async with playing("alipay") as at:
            with pytest.raises(ChannelUnavailable):
                await channel.query(at.an_order().ref)
    params = dict(parse_qsl(heard[0].split(b"\r\n\r\n", 1)[1].decode()))
    signature = params.pop("sign")
    text = "&".join(f"{k}={v}" for k, v in judge._ordered_data(params))
    assert judge._verify(text, signature)
    assert not judge._verify(text.replace("P2026", "P2027"), signature)


@pytest.mark.parametrize("mode", ["key", "certificate"])
async def test_what_it_asks_the_sandbox_answers_and_it_believes(at: Playing, mode: str) -> None:
    theirs = await as_we(at, mode)
    order = await at.paid()
    told = await ask(theirs, "alipay.trade.query", {"out_trade_no": order.order_no})
    assert (told["trade_status"], told["total_amount"]) == ("TRADE_SUCCESS", "12.34")


async def test_an_order_that_it_places_is_the_one_that_we_find(at: Playing) -> None:
    theirs = await as_we(at, "key")
    order = at.an_order()
    biz = {
        "out_trade_no": order.order_no,
        "total_amount": "0.29",
        "subject": "不动产登记费",
        "product_code": "JSAPI_PAY",
        "op_app_id": APP_ID,
        "buyer_open_id": PAYER,
    }
    placed = await ask(theirs, "alipay.trade.create", biz)
    found = await at.channel.query(order.ref)
    assert (found.channel_no, found.amount_fen) == (placed["trade_no"], 29)


async def test_a_notice_that_the_sandbox_signs_it_believes(at: Playing) -> None:
    theirs = await as_we(at, "key")
    await at.pay(await at.place())
    came = (await at.listener.wait_for(1))[0]
    fields = dict(parse_qsl(came.body.decode()))
    signature = fields.pop("sign")
    assert theirs.verify(dict(fields), signature)
    assert not theirs.verify(fields | {"total_amount": "12.35"}, signature)


async def test_a_notice_that_it_signs_we_believe(at: Playing) -> None:
    await at.pay(await at.place())
    came = (await at.listener.wait_for(1))[0]
    fields = dict(parse_qsl(came.body.decode()))
    fields |= {"subject": "1+1=2 & 更多 %2B", "notify_id": "another"}
    sign_type, _ = fields.pop("sign_type"), fields.pop("sign")
    signer = as_alipay(public_key_of(a_key("app")), a_key("alipay"))
    text = "&".join(f"{k}={v}" for k, v in signer._ordered_data(fields))
    body = urlencode(fields | {"sign": signer._sign(text), "sign_type": sign_type}).encode()
    told = at.channel.read_callback({}, body)
    assert told.event_id == "another"
    assert told.order is not None
    assert told.order.amount_fen == 1234
