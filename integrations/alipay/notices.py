"""What Alipay tells us of trades by itself: forms that it signs, and repeats until we thank it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from integrations.alipay.credentials import AlipayCredentials
from integrations.alipay.pay_answers import moment, state_of
from integrations.alipay.signing import notice_is_genuine, text_to_sign, verify
from integrations.forms import MOST_BYTES, NotAForm, read_form
from integrations.ports_payment import (
    ChannelNews,
    ChannelOrder,
    ChannelRefund,
    NotGenuine,
)
from integrations.yuan import fen_of

_TRADE: Final = "trade_status_sync"
_REQUIRED: Final = ("notify_id", "notify_time", "notify_type", "app_id", "sign")
_TRADE_REQUIRED: Final = ("seller_id", "out_trade_no", "trade_no", "trade_status", "total_amount")
# Eight sends in 25 hours; what is older comes from somebody else.
_OLDEST: Final = timedelta(hours=26)
_CLOCKS_MAY_DIFFER: Final = timedelta(minutes=10)


class AlipayNotices:
    """Reads notices for our app and our seller account; `now` is real time."""

    def __init__(
        self, credentials: AlipayCredentials, seller_id: str, now: Callable[[], datetime]
    ) -> None:
        self._credentials = credentials
        self._seller_id = seller_id
        self._now = now

    def read(self, body: bytes) -> ChannelNews:
        """Return a genuine notice's news, or raise NotGenuine.

        Refunds are told as changes of the trade they belong to, and never as payments.
        """
        fields = _fields(body)
        self._verify(fields)
        signed_at = self._fresh(fields["notify_time"])
        if fields["app_id"] != self._credentials.app_id:
            raise NotGenuine("foreign_app")
        news = ChannelNews(channel="alipay", event_id=fields["notify_id"], signed_at=signed_at)
        if fields["notify_type"] != _TRADE:
            return news
        if fields["seller_id"] != self._seller_id:
            raise NotGenuine("foreign_merchant")
        if fields.get("trans_currency", "CNY") != "CNY":
            raise NotGenuine("foreign_currency")
        return _about_a_trade(news, fields)

    def _verify(self, fields: Mapping[str, str]) -> None:
        # Notices name no certificate, so any of Alipay's keys that we know will do.
        is_genuine = _trade_is_genuine if fields["notify_type"] == _TRADE else notice_is_genuine
        if not any(is_genuine(fields, key) for key in self._credentials.alipay_keys.values()):
            raise NotGenuine("wrong_signature")

    def _fresh(self, text: str) -> datetime:
        told = moment(text)
        if told is None:
            raise NotGenuine("malformed")
        age = self._now() - told
        if not -_CLOCKS_MAY_DIFFER <= age <= _OLDEST:
            raise NotGenuine("stale")
        return told


def _fields(body: bytes) -> dict[str, str]:
    if len(body) > MOST_BYTES:
        raise NotGenuine("too_big")
    try:
        fields = read_form(body)
    except NotAForm:
        raise NotGenuine("malformed") from None
    is_trade = fields.get("notify_type") == _TRADE
    required = (*_REQUIRED, *_TRADE_REQUIRED) if is_trade else _REQUIRED
    if not all(fields.get(name) for name in required):
        raise NotGenuine("malformed")
    return fields


def _trade_is_genuine(fields: Mapping[str, str], key: RSAPublicKey) -> bool:
    # Of trades the text is known to leave sign_type out, so one look at the key is enough.
    text = text_to_sign(fields, without={"sign", "sign_type"})
    return fields.get("sign_type") == "RSA2" and verify(text.encode(), fields["sign"], key)


def _about_a_trade(news: ChannelNews, fields: Mapping[str, str]) -> ChannelNews:
    if "gmt_refund" in fields or "refund_fee" in fields:
        return _about_a_refund(news, fields)
    paid_at = moment(fields.get("gmt_payment"))
    state = state_of(fields["trade_status"], is_paid=paid_at is not None)
    try:
        fen = fen_of(fields["total_amount"])
    except ValueError:
        raise NotGenuine("malformed") from None
    if state is None:
        raise NotGenuine("malformed")
    order = ChannelOrder(
        order_no=fields["out_trade_no"],
        state=state,
        amount_fen=fen,
        channel_no=fields["trade_no"],
        paid_at=paid_at,
        payer=fields.get("buyer_open_id") or fields.get("buyer_id") or None,
    )
    return ChannelNews(
        channel=news.channel, event_id=news.event_id, signed_at=news.signed_at, order=order
    )


def _about_a_refund(news: ChannelNews, fields: Mapping[str, str]) -> ChannelNews:
    refund_no = fields.get("out_biz_no")
    if not refund_no:
        return news
    refund = ChannelRefund(
        refund_no=refund_no,
        state="done",
        order_no=fields["out_trade_no"],
        # `refund_fee` is what went back of the trade in all, not this once.
        done_at=moment(fields.get("gmt_refund")),
    )
    return ChannelNews(
        channel=news.channel, event_id=news.event_id, signed_at=news.signed_at, refund=refund
    )
