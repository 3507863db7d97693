"""What is WeChat Pay's own: keys that change, probes, a spare host, refusals in its words."""

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from integrations.ports_payment import (
    ChannelRefused,
    ChannelUnavailable,
    NotGenuine,
    OutcomeUnknown,
    RefusedReason,
)
from integrations.wechat.pay import WeChatPay, WeChatPayCredentials
from tests.payments.channels import PlayedChannel, a_key, wechat, wechat_credentials


@pytest_asyncio.fixture(scope="module")
async def running() -> AsyncIterator[PlayedChannel]:
    async with wechat() as one:
        yield one


@pytest_asyncio.fixture
async def own() -> AsyncIterator[PlayedChannel]:
    """One whose keys may change: in certificate mode."""
    async with wechat("certificate") as one:
        yield one


@pytest_asyncio.fixture
async def played(running: PlayedChannel) -> PlayedChannel:
    await running.start_afresh()
    return running


async def rotate(played: PlayedChannel, to: str, *, anew: bool) -> dict[str, Any]:
    reply = await played.sandbox.http.post(
        "/_sandbox/wechatpay/rotate", json={"to": to, "anew": anew}
    )
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def a_new_channel(
    http: httpx.AsyncClient, played: PlayedChannel, *hosts: str, **keys: str
) -> WeChatPay:
    credentials = wechat_credentials(played.sandbox.settings, keys)
    return WeChatPay(http, hosts or [played.sandbox.url], credentials, budget_s=3.0)


async def test_certificates_are_fetched_when_the_first_answer_needs_them(
    own: PlayedChannel,
) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        before = await own.sandbox.calls("wechatpay.certificates")
        channel = a_new_channel(http, own)
        assert (await channel.query(own.new_order().ref)).state == "absent"
        assert (await channel.query(own.new_order().ref)).state == "absent"
        assert await own.sandbox.calls("wechatpay.certificates") == before + 1


async def test_a_new_certificate_counts_once_it_is_fetched_and_the_old_one_still_does(
    own: PlayedChannel,
) -> None:
    first, second = await own.placed(), await own.placed()
    await own.pay(first)
    await own.ears.until(news=1)
    await rotate(own, "certificate", anew=True)
    await own.pay(second)
    await own.ears.until(faults=1)
    assert own.ears.faults == ["unknown_key"]
    async with httpx.AsyncClient(trust_env=False) as http:
        fresh = a_new_channel(http, own)
        await fresh.refresh_keys()
        for headers, body in own.ears.messages:
            assert fresh.read_callback(headers, body).order
        # Whoever asked less than a minute ago does not ask again, so forgers make us ask nobody.
        before = await own.sandbox.calls("wechatpay.certificates")
        for _ in range(5):
            await fresh.refresh_keys()
        assert await own.sandbox.calls("wechatpay.certificates") == before


async def test_while_keys_change_over_both_kinds_count(own: PlayedChannel) -> None:
    orders = [await own.placed(), await own.placed()]
    told = await rotate(own, "certificate", anew=False)
    async with httpx.AsyncClient(trust_env=False) as http:
        channel = a_new_channel(http, own, **{told["public_key_id"]: told["public_key"]})
        await channel.refresh_keys()
        own.ears.channel = channel
        for number, (to, order) in enumerate(zip(("certificate", "key"), orders, strict=True), 1):
            await rotate(own, to, anew=False)
            await own.pay(order)
            await own.ears.until(news=number)
            assert (await channel.query(order.ref)).state == "paid"
    serials = [headers["wechatpay-serial"] for headers, _ in own.ears.messages]
    assert serials[0] != told["public_key_id"]
    assert serials[1] == told["public_key_id"]


async def test_a_probe_in_an_answer_is_not_believed_and_asked_again(played: PlayedChannel) -> None:
    order = await played.paid()
    await played.break_down("query", "wrong_signature", times=1)
    before = await played.sandbox.calls("wechatpay.query")
    assert (await played.channel.query(order.ref)).state == "paid"
    assert await played.sandbox.calls("wechatpay.query") == before + 2


async def test_the_spare_host_is_asked_where_the_first_does_not_answer(
    played: PlayedChannel,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    told = (await played.sandbox.http.get("/_sandbox/wechatpay/keys")).json()
    keys = {told["public_key_id"]: told["public_key"]}
    order = await played.paid()
    async with httpx.AsyncClient(trust_env=False) as http:
        channel = a_new_channel(http, played, nobody, played.sandbox.url, **keys)
        assert (await channel.query(order.ref)).state == "paid"
        with pytest.raises(ChannelUnavailable):
            await a_new_channel(http, played, nobody, **keys).query(order.ref)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("ORDERPAID", "order_paid"),
        ("ORDER_CLOSED", "order_closed"),
        ("ORDERNOTEXIST", "order_unknown"),
        ("ORDER_NOT_EXIST", "order_unknown"),
        ("OUT_TRADE_NO_USED", "number_used"),
        ("OPENID_MISMATCH", "payer_unknown"),
        ("USER_ACCOUNT_ABNORMAL", "account_blocked"),
        ("NOT_ENOUGH", "balance_short"),
        ("PARAM_ERROR", "request_invalid"),
        ("INVALID_REQUEST", "request_invalid"),
    ],
)
async def test_a_refusal_is_told_in_our_words(
    played: PlayedChannel, word: str, reason: RefusedReason
) -> None:
    refund = await played.new_refund(await played.paid(), 1)
    await played.break_down("refund", "error", errcode=word, times=1)
    with pytest.raises(ChannelRefused) as refused:
        await played.channel.refund(refund)
    assert refused.value.reason == reason


@pytest.mark.parametrize("word", ["SIGN_ERROR", "NO_AUTH", "MCH_NOT_EXISTS", "FREQUENCY_LIMITED"])
async def test_what_we_must_mend_changes_nothing(played: PlayedChannel, word: str) -> None:
    refund = await played.new_refund(await played.paid(), 1)
    await played.break_down("refund", "error", errcode=word, times=1)
    before = await played.sandbox.calls("wechatpay.refund")
    with pytest.raises(ChannelUnavailable):
        await played.channel.refund(refund)
    assert await played.sandbox.calls("wechatpay.refund") == before + 1


async def test_a_busy_bank_is_asked_again_with_the_same_number(played: PlayedChannel) -> None:
    order = await played.paid(fen=900)
    refund = await played.new_refund(order, 100)
    await played.break_down("refund", "error", errcode="BANK_ERROR", times=2)
    assert (await played.channel.refund(refund)).state in ("pending", "done")
    other = await played.new_refund(order, 100)
    await played.break_down("refund", "error", errcode="SYSTEM_ERROR")
    with pytest.raises(OutcomeUnknown):
        await played.channel.refund(other)
    parts = (await played.at_the_channel(order))["refunds"]
    assert [part["refund_no"] for part in parts] == [refund.ref.refund_no]


async def test_nobody_pays_without_a_payer(played: PlayedChannel) -> None:
    with pytest.raises(ChannelRefused, match="payer_unknown"):
        await played.channel.create(played.new_order(payer=None))


async def test_an_odd_subject_breaks_no_bill(played: PlayedChannel, tmp_path: Path) -> None:
    order = await played.placed(subject="登记费\n,`0.01,`行\x00" + "长" * 300)
    await played.pay(order, deliveries=0)
    day = order.placed_at.astimezone(UTC) + timedelta(hours=8)
    bill = await played.channel.fetch_bill(day.date(), tmp_path)
    assert bill is not None
    assert order.order_no in {line.order_no for line in played.channel.read_bill(bill)}


async def test_the_fund_bill_says_how_our_account_moved(
    played: PlayedChannel, tmp_path: Path
) -> None:
    channel = played.channel
    assert isinstance(channel, WeChatPay)
    order = await played.paid(fen=100_000)
    refund = await played.new_refund(order, 50_000)
    await played.refunds_end("success")
    await channel.refund(refund)
    await played.ears.until(news=1)
    day = (datetime.now(UTC) + timedelta(hours=8)).date()
    bill = await channel.fetch_funds(day, tmp_path)
    assert bill is not None
    number = (await played.known(order)).channel_no
    back = (await channel.query_refund(refund.ref)).channel_refund_no
    moved = [(x.kind, x.moved_fen) for x in channel.read_funds(bill) if x.reference == number]
    assert moved == [("交易", 100_000), ("扣除交易手续费", -600)]
    moved = [(x.kind, x.moved_fen) for x in channel.read_funds(bill) if x.reference == back]
    assert moved == [("退款", -50_000), ("退还手续费", 300)]


def test_a_bad_key_is_told_without_quoting_it() -> None:
    good: dict[str, Any] = {
        "app_id": "wx0",
        "mch_id": "1900",
        "serial_no": "0A1B",
        "private_key": a_key("merchant"),
        "api_v3_key": "k" * 32,
    }
    assert "BEGIN" not in repr(WeChatPayCredentials.from_texts(**good))
    changes: list[dict[str, Any]] = [
        {"private_key": "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"},
        {"api_v3_key": "secret"},
        {"serial_no": "secret"},
        {"public_keys": {"secret": a_key("merchant")}},
        {"public_keys": {"PUB_KEY_ID_1": "secret"}},
    ]
    for change in changes:
        with pytest.raises(ValueError) as fault:
            WeChatPayCredentials.from_texts(**(good | change))
        assert "secret" not in str(fault.value)


async def test_a_callback_of_another_account_does_not_open(played: PlayedChannel) -> None:
    await played.pay(await played.placed(), tamper="sealed")
    await played.ears.until(faults=1)
    assert played.ears.faults == ["sealed_wrongly"]
    with pytest.raises(NotGenuine, match="malformed"):
        played.channel.read_callback({}, b"{}")
