"""Alipay's notices as they come over the wire: those it published, and every way to spoil one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

from integrations.alipay.client import BEIJING
from integrations.alipay.credentials import AlipayCredentials
from integrations.alipay.notices import AlipayNotices
from integrations.alipay.pay_answers import moment
from integrations.alipay.signing import sign, text_to_sign
from integrations.ports_payment import ChannelNews, NotGenuine
from tests.integrations.alipay_running import APP_ID, plain_credentials, private_key
from tests.integrations.test_alipay_vectors import key_of, vector

SELLER = "2088102146225135"
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=BEIJING)
Encode = Callable[..., str]


def published(name: str, **other: str) -> tuple[AlipayNotices, dict[str, str]]:
    """A published notice, and somebody whom it is for, at the time it was sent."""
    case = vector(name)
    params: dict[str, str] = case["params"]
    sent = moment(params["notify_time"])
    assert sent is not None
    credentials = AlipayCredentials(
        other.get("app_id", params["app_id"]), private_key("app"), {None: key_of(case)}, {}
    )
    seller = other.get("seller_id", params.get("seller_id", SELLER))
    return AlipayNotices(credentials, seller, lambda: sent), params


def form(params: dict[str, str], encode: Encode = quote_plus) -> bytes:
    return "&".join(f"{k}={encode(v, safe='')}" for k, v in params.items()).encode()


TRADES = ["notify_cert_mode", "notify_trade_rsa2"]


@pytest.mark.parametrize("encode", [quote, quote_plus])
@pytest.mark.parametrize("name", TRADES)
def test_a_published_trade_notice_is_news_of_a_payment(name: str, encode: Encode) -> None:
    notices, params = published(name)
    told = notices.read(form(params, encode))
    assert told.event_id == params["notify_id"]
    assert told.order is not None
    assert told.order.state == "paid"
    assert told.order.order_no == params["out_trade_no"]
    assert told.order.amount_fen == (1 if params["total_amount"] == "0.01" else 10)
    assert told.order.payer == params["buyer_id"]


def test_a_plus_that_was_not_encoded_is_a_space_and_so_another_text() -> None:
    notices, params = published("notify_cert_mode")
    assert "+" in params["subject"]
    body = form(params)
    assert notices.read(body.replace(b"%2B%E6", b"%2b%E6"))
    with pytest.raises(NotGenuine, match="wrong_signature"):
        notices.read(body.replace(b"%2B%E6", b"+%E6"))


def test_what_was_encoded_twice_is_another_text() -> None:
    notices, params = published("notify_trade_rsa2")
    with pytest.raises(NotGenuine):
        notices.read(form({k: quote_plus(v) for k, v in params.items()}))


def test_a_published_notice_of_another_kind_is_genuine_and_no_payment() -> None:
    notices, params = published("notify_keep_sign_type")
    told = notices.read(form(params))
    assert told.order is None
    assert told.refund is None


@pytest.mark.parametrize("name", ["notify_keep_sign_type_invalid", "notify_trade_rsa2_invalid"])
def test_a_published_forgery_is_not_genuine(name: str) -> None:
    notices, params = published(name)
    with pytest.raises(NotGenuine, match="wrong_signature"):
        notices.read(form(params))


@pytest.mark.parametrize("name", TRADES)
def test_a_published_notice_for_somebody_else_is_foreign(name: str) -> None:
    for other, reason in (
        ({"app_id": "2021"}, "foreign_app"),
        ({"seller_id": "2088"}, "foreign_merchant"),
    ):
        notices, params = published(name, **other)
        with pytest.raises(NotGenuine, match=reason):
            notices.read(form(params))


@pytest.mark.parametrize("name", TRADES)
def test_any_field_of_a_published_notice_added_changed_or_missing_spoils_it(name: str) -> None:
    notices, params = published(name)
    for field in params:
        for spoiled in (
            params | {field: params[field] + "0"},
            {k: v for k, v in params.items() if k != field},
        ):
            with pytest.raises(NotGenuine):
                notices.read(form(spoiled))
    with pytest.raises(NotGenuine):
        notices.read(form(params | {"refund_fee": "0.01"}))
    with pytest.raises(NotGenuine, match="malformed"):
        notices.read(form(params) + b"&total_amount=0.01")


def notice(**other: Any) -> bytes:
    """A notice that Alipay signed, whatever it says."""
    params = {
        "notify_type": "trade_status_sync",
        "notify_id": "n-1",
        "notify_time": "2026-11-23 09:29:58",
        "app_id": APP_ID,
        "seller_id": SELLER,
        "out_trade_no": "P2026112300000001",
        "trade_no": "2026112322001",
        "trade_status": "TRADE_SUCCESS",
        "total_amount": "12.34",
        "gmt_payment": "2026-11-23 09:29:57",
        "buyer_open_id": "011AAAA",
    } | {k: v for k, v in other.items() if v is not None}
    params = {k: v for k, v in params.items() if other.get(k, v) is not None}
    signature = sign(text_to_sign(params), private_key("alipay"))
    return urlencode(params | {"sign_type": "RSA2", "sign": signature}).encode()


def ours() -> AlipayNotices:
    return AlipayNotices(plain_credentials(), SELLER, lambda: NOW)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "paid"),
        ({"trade_status": "TRADE_FINISHED"}, "paid"),
        ({"trade_status": "WAIT_BUYER_PAY", "gmt_payment": None}, "unpaid"),
        ({"trade_status": "TRADE_CLOSED", "gmt_payment": None}, "closed"),
        ({"trade_status": "TRADE_CLOSED"}, "paid"),
    ],
)
def test_a_trades_state_is_told_in_our_words(facts: dict[str, Any], state: str) -> None:
    told = ours().read(notice(**facts)).order
    assert told is not None
    assert (told.state, told.amount_fen) == (state, 1234)


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_CLOSED"])
def test_a_refund_is_never_taken_for_a_payment(status: str) -> None:
    facts = {"trade_status": status, "gmt_refund": "2026-11-23 09:29:58.123", "refund_fee": "1.00"}
    told = ours().read(notice(**facts, out_biz_no="R1"))
    assert told.order is None
    assert told.refund is not None
    assert (told.refund.refund_no, told.refund.state, told.refund.refund_fen) == (
        "R1",
        "done",
        None,
    )
    unnamed = ours().read(notice(**facts))
    assert (unnamed.order, unnamed.refund) == (None, None)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"total_amount": "12.345"}, "malformed"),
        ({"total_amount": "1e3"}, "malformed"),
        ({"trade_status": "TRADE_ODD"}, "malformed"),
        ({"notify_time": "yesterday"}, "malformed"),
        ({"notify_id": None}, "malformed"),
        ({"seller_id": None}, "malformed"),
        ({"trans_currency": "USD"}, "foreign_currency"),
        ({"notify_time": "2026-11-22 07:00:00"}, "stale"),
        ({"notify_time": "2026-11-23 10:00:00"}, "stale"),
    ],
)
def test_a_signed_notice_may_still_be_none_for_us(facts: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotGenuine, match=reason):
        ours().read(notice(**facts))


def test_a_notice_is_fresh_for_as_long_as_alipay_repeats_it() -> None:
    for hours in (0, 24, 25):
        later = NOW + timedelta(hours=hours)
        assert read_at(later, notice()).order


def read_at(moment: datetime, body: bytes) -> ChannelNews:
    return AlipayNotices(plain_credentials(), SELLER, lambda: moment).read(body)
