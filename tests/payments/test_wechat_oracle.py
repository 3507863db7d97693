"""Somebody else's WeChat Pay (wechatpayv3) verifies what we sign and signs what we verify."""

import asyncio
import json
import time
from typing import Any, cast

import pytest
from wechatpayv3 import WeChatPay as TheirWeChatPay
from wechatpayv3 import WeChatPayType
from wechatpayv3.utils import aes_decrypt, build_authorization, rsa_sign, rsa_verify

from integrations.sandbox.alipay_keys import public_key_of
from integrations.sandbox.payments.wechat_wire import encrypted
from integrations.wechat.pay.sealing import Sealed
from integrations.wechat.pay.signing import authorization, read_seal, sealed_text, verify
from tests.payments.channels import PlayedChannel, a_key, wechat
from tests.payments.wechat_vectors import private_key


def ours() -> Any:
    return private_key(a_key("merchant"))


def test_they_verify_what_we_sign() -> None:
    made = authorization(
        "POST",
        "/v3/x?a=1",
        b'{"a":"\xe4\xb8\xad"}',
        mch_id="1900",
        serial_no="0A",
        key=ours(),
        now=5,
    )
    facts = dict(part.split("=", 1) for part in made.partition(" ")[2].split(","))
    nonce, signature = facts["nonce_str"].strip('"'), facts["signature"].strip('"')
    # Their three lines are our last three, so the first two stand in for the time.
    assert rsa_verify("POST\n/v3/x?a=1\n5", nonce, '{"a":"中"}', signature, ours().public_key())
    assert not rsa_verify("GET\n/v3/x?a=1\n5", nonce, '{"a":"中"}', signature, ours().public_key())


def test_we_verify_what_they_sign() -> None:
    timestamp, nonce, body = str(int(time.time())), "nonce0123", '{"金额":1}'
    headers = {
        "wechatpay-timestamp": timestamp,
        "wechatpay-nonce": nonce,
        "wechatpay-serial": "0A",
        "wechatpay-signature": rsa_sign(ours(), f"{timestamp}\n{nonce}\n{body}\n"),
    }
    seal = read_seal(headers)
    assert seal is not None
    key = ours().public_key()
    assert verify(sealed_text(seal, body.encode()), seal.signature, key)
    assert not verify(sealed_text(seal, body.encode() + b" "), seal.signature, key)


def test_they_write_the_same_header_as_we() -> None:
    theirs = build_authorization(
        "/v3/x", "POST", "1900", "0A", ours(), data={"a": 1}, nonce_str="N" * 32
    )
    facts = dict(part.split("=", 1) for part in theirs.partition(" ")[2].split(","))
    made = authorization(
        "POST",
        "/v3/x",
        json.dumps({"a": 1}).encode(),
        mch_id="1900",
        serial_no="0A",
        key=ours(),
        now=int(facts["timestamp"].strip('"')),
        nonce="N" * 32,
    )
    again = dict(part.split("=", 1) for part in made.partition(" ")[2].split(","))
    assert again == facts
    assert made.partition(" ")[0] == theirs.partition(" ")[0]


def test_they_open_what_the_sandbox_seals_and_so_do_we() -> None:
    key, content = "k" * 32, '{"金额":1}'
    sealed = encrypted(content.encode(), "transaction", key)
    parts = {name: sealed[name] for name in ("nonce", "ciphertext", "associated_data")}
    assert aes_decrypt(apiv3_key=key, **parts) == content
    assert Sealed(**sealed).opened(key.encode()).decode() == content


@pytest.fixture(scope="module")
def their_class() -> type[Any]:
    return cast(type[Any], TheirWeChatPay)


async def test_their_client_pays_at_our_sandbox_and_reads_our_callbacks(
    their_class: type[Any],
) -> None:
    async with wechat() as played:
        theirs = await asyncio.to_thread(_their_client, their_class, played)
        order = played.new_order(fen=321)
        status, text = await asyncio.to_thread(
            theirs.pay,
            description="登记费",
            out_trade_no=order.order_no,
            amount={"total": 321},
            payer={"openid": played.payer},
            notify_url=played.ears.url,
        )
        assert status == 200, text
        told = await played.channel.query(order.ref)
        assert (told.state, told.amount_fen) == ("unpaid", 321)
        await played.pay(order)
        await played.ears.until(news=1)
        headers, body = played.ears.messages[0]
        read = await asyncio.to_thread(theirs.callback, headers, body.decode())
        assert read["event_type"] == "TRANSACTION.SUCCESS"
        assert read["resource"]["out_trade_no"] == order.order_no
        assert not await asyncio.to_thread(theirs.callback, headers, body.decode() + " ")
        status, text = await asyncio.to_thread(theirs.query, out_trade_no=order.order_no)
        assert (status, json.loads(text)["trade_state"]) == (200, "SUCCESS")


def _their_client(their_class: type[Any], played: PlayedChannel) -> Any:
    settings = played.sandbox.settings
    client = their_class(
        wechatpay_type=WeChatPayType.JSAPI,
        mchid=settings.wechat_mch_id,
        private_key="".join(a_key("merchant").splitlines()[1:-1]),
        cert_serial_no=settings.wechat_mch_serial,
        appid=settings.wechat_app_id,
        apiv3_key=settings.wechat_api_v3_key,
        public_key=public_key_of(a_key("wechat-pay")),
        public_key_id=settings.wechat_pay_key_id,
    )
    # Where it asks cannot be told it otherwise.
    client._core._gate_way = played.sandbox.url
    return client
