"""The desk of the sandbox's WeChat Pay: orders placed, asked after, closed, paid back."""

import secrets
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta, Struct
from sanic import Request

from integrations.sandbox.payments.book import Order
from integrations.sandbox.payments.clock import beijing
from integrations.sandbox.payments.till import Till
from integrations.sandbox.payments.wechat_told import paid_body, refund_answer
from integrations.sandbox.payments.wechat_wire import Told, refuse, say
from integrations.sandbox.settings import SandboxSettings

_CHANNEL: Final = "wechat"
_MOST_REFUNDS: Final = 50
_LEAST_AHEAD_S: Final = 50  # WeChat says a minute; questions are under way for a while

_OrderNo = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_\-|*]{6,32}\Z")]
_RefundNo = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_\-|*@]{1,64}\Z")]
_Fen = Annotated[int, Meta(ge=1, le=1_000_000_000)]
_Url = Annotated[str, Meta(pattern=r"^https?://[^?#]+\Z", max_length=255)]


class _Amount(Struct):
    total: _Fen
    currency: Literal["CNY"] = "CNY"


class _Payer(Struct):
    openid: Annotated[str, Meta(pattern=r"^o[0-9A-Za-z_\-]{10,63}\Z")]


class _Prepay(Struct):
    appid: str
    mchid: str
    description: Annotated[str, Meta(min_length=1, max_length=127)]
    out_trade_no: _OrderNo
    notify_url: _Url
    amount: _Amount
    payer: _Payer
    time_expire: datetime | None = None
    attach: Annotated[str, Meta(max_length=128)] = ""


class _Close(Struct):
    mchid: str


class _RefundAmount(Struct):
    refund: _Fen
    total: _Fen
    currency: Literal["CNY"]


class _Refund(Struct):
    out_refund_no: _RefundNo
    amount: _RefundAmount
    out_trade_no: str = ""
    transaction_id: str = ""
    reason: Annotated[str, Meta(max_length=80)] = ""
    notify_url: _Url = ""


_prepay = msgspec.json.Decoder(_Prepay)
_close = msgspec.json.Decoder(_Close)
_refund = msgspec.json.Decoder(_Refund)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Desk:
    """Answers what was found to be authentic."""

    def __init__(self, settings: SandboxSettings, till: Till) -> None:
        self._settings = settings
        self._till = till

    def place(self, request: Request) -> Told:
        """Place an order, or answer the same question as before."""
        try:
            asked = _prepay.decode(request.body)
        except _UNREADABLE:
            return refuse("PARAM_ERROR")
        if asked.mchid != self._settings.wechat_mch_id:
            return refuse("MCH_NOT_EXISTS")
        if asked.appid != self._settings.wechat_app_id:
            return refuse("APPID_MCHID_NOT_MATCH")
        order = self._till.book.order(_CHANNEL, asked.out_trade_no)
        return self._new_order(asked) if order is None else _same_order(order, asked)

    def _new_order(self, asked: _Prepay) -> Told:
        now = self._till.clock.now()
        expires_at = None
        if asked.time_expire is not None:
            if asked.time_expire.tzinfo is None:
                return refuse("PARAM_ERROR")
            expires_at = asked.time_expire.timestamp()
            if expires_at < now + _LEAST_AHEAD_S:
                return refuse("PARAM_ERROR")
        moment = beijing(now)
        order = Order(
            channel=_CHANNEL,
            order_no=asked.out_trade_no,
            fen=asked.amount.total,
            subject=asked.description,
            payer=asked.payer.openid,
            notify_url=asked.notify_url,
            placed_at=now,
            expires_at=expires_at,
            channel_no=f"4200{moment:%Y%m%d}{secrets.randbelow(10**16):016d}",
            terms=asked,
            facts={
                "prepay_id": f"wx{moment:%d%H%M%S}{secrets.token_hex(13)}",
                "attach": asked.attach,
            },
        )
        self._till.book.place(order)
        return say({"prepay_id": order.facts["prepay_id"]})

    def query(self, request: Request) -> Told:
        """Tell of an order by our number."""
        order = self._till.book.order(_CHANNEL, _number(request))
        return self._about(request, order)

    def query_id(self, request: Request) -> Told:
        """Tell of an order by WeChat's number."""
        order = self._till.book.order_by_channel_no(_CHANNEL, _number(request))
        return self._about(request, order)

    def _about(self, request: Request, order: Order | None) -> Told:
        if request.args.get("mchid") != self._settings.wechat_mch_id:
            return refuse("MCH_NOT_EXISTS" if "mchid" in request.args else "PARAM_ERROR")
        if order is None:
            return refuse("ORDER_NOT_EXIST")
        return Told(paid_body(order, self._settings, None))

    def close(self, request: Request) -> Told:
        """Close an order that nobody paid."""
        try:
            asked = _close.decode(request.body)
        except _UNREADABLE:
            return refuse("PARAM_ERROR")
        if asked.mchid != self._settings.wechat_mch_id:
            return refuse("MCH_NOT_EXISTS")
        order = self._till.book.order(_CHANNEL, _number(request, below=-2))
        if order is None:
            return refuse("ORDER_NOT_EXIST")
        if order.state != "unpaid":
            return refuse("ORDERPAID" if order.state == "paid" else "ORDER_CLOSED")
        order.state = "closed"
        return say(None, 204)

    def ask_refund(self, request: Request) -> Told:
        """Take a refund on; the same again is the same refund."""
        try:
            asked = _refund.decode(request.body)
        except _UNREADABLE:
            return refuse("PARAM_ERROR")
        book = self._till.book
        order = (
            book.order(_CHANNEL, asked.out_trade_no)
            if asked.out_trade_no
            else book.order_by_channel_no(_CHANNEL, asked.transaction_id)
        )
        if order is None or order.state != "paid":
            return refuse("RESOURCE_NOT_EXISTS")
        refund = book.refund(_CHANNEL, asked.out_refund_no)
        if refund is not None:
            same = (refund.order, refund.fen) == (order, asked.amount.refund)
            return say(refund_answer(refund)) if same else refuse("INVALID_REQUEST")
        if (
            asked.amount.total != order.fen
            or asked.amount.refund > order.fen - order.refunded_fen
            or len(order.refunds) >= _MOST_REFUNDS
        ):
            return refuse("INVALID_REQUEST")
        url = asked.notify_url or order.notify_url
        refund = book.ask_refund(order, asked.out_refund_no, asked.amount.refund, url)
        self._till.refund_asked(refund)
        return say(refund_answer(refund))

    def query_refund(self, request: Request) -> Told:
        """Tell of a refund."""
        refund = self._till.book.refund(_CHANNEL, _number(request))
        return refuse("RESOURCE_NOT_EXISTS") if refund is None else say(refund_answer(refund))


def _same_order(order: Order, asked: _Prepay) -> Told:
    if order.terms != asked:
        return refuse("OUT_TRADE_NO_USED")
    if order.state != "unpaid":
        return refuse("ORDERPAID" if order.state == "paid" else "ORDER_CLOSED")
    return say({"prepay_id": order.facts["prepay_id"]})


def _number(request: Request, below: int = -1) -> str:
    """Return the number in the path, as the merchant wrote it."""
    return unquote(urlsplit(request.raw_url.decode()).path.split("/")[below])
