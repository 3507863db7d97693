"""What Alipay's trades are asked, as the sandbox reads it, and the words it answers with."""

from datetime import datetime
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from integrations.sandbox.alipay_wire import Asked, Said, answer_name
from integrations.sandbox.payments.book import Order, Refund
from integrations.sandbox.payments.clock import BEIJING, beijing
from integrations.yuan import fen_of

T = TypeVar("T")

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_STATES: Final = {"unpaid": "WAIT_BUYER_PAY", "paid": "TRADE_SUCCESS", "closed": "TRADE_CLOSED"}


class Create(Struct):
    """biz_content of `alipay.trade.create`."""

    out_trade_no: str
    total_amount: str
    subject: str
    product_code: str
    op_app_id: str
    seller_id: str | None = None
    time_expire: str | None = None
    buyer_id: str | None = None
    buyer_open_id: str | None = None


class Named(Struct):
    """A trade, by our number or by Alipay's."""

    out_trade_no: str | None = None
    trade_no: str | None = None


class Return(Named):
    """biz_content of `alipay.trade.refund`."""

    refund_amount: str = ""
    out_request_no: str = ""
    refund_reason: str | None = None


class QueryReturn(Named):
    """biz_content of `alipay.trade.fastpay.refund.query`."""

    out_request_no: str = ""


class BillOf(Struct):
    """biz_content of `alipay.data.dataservice.bill.downloadurl.query`."""

    bill_type: str
    bill_date: str


def wrong_refund(order: Order, before: Refund | None, fen: int) -> str | None:
    """Return the sub_code that says why so much cannot go back, if it cannot."""
    if before is not None:
        same = before.fen == fen and before.order is order
        return None if same else "ACQ.DISCORDANT_REPEAT_REQUEST"
    if order.paid_at is None:
        return "ACQ.TRADE_STATUS_ERROR"
    if not 0 < fen <= order.fen - order.refunded_fen:
        return "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    return None


def status(order: Order) -> str:
    """Return a trade's state in Alipay's words: what wholly went back is closed."""
    back = sum(refund.fen for refund in order.refunds if refund.state == "done")
    return "TRADE_CLOSED" if order.state == "paid" and back == order.fen else _STATES[order.state]


def buyer(order: Order, user_id: str) -> dict[str, str]:
    """Return who pays, under the name that fits her id."""
    return {user_id if order.payer.startswith("2088") else "buyer_open_id": order.payer}


def text(moment: float) -> str:
    """Return a moment as Alipay writes it."""
    return f"{beijing(moment):%Y-%m-%d %H:%M:%S}"


def fen_asked(yuan: str) -> int:
    """Read an amount; -1 for what is none."""
    try:
        return fen_of(yuan)
    except ValueError:
        return -1


def expiry(text: str | None) -> float | None:
    """Read until when a trade waits; None for what is no moment."""
    try:
        return datetime.fromisoformat(text or "").replace(tzinfo=BEIJING).timestamp()
    except ValueError:
        return None


def success(method: str, **facts: str) -> Said:
    """Answer that it was done."""
    return Said(answer_name(method), {"code": "10000", "msg": "Success", **facts})


def decoded(shape: type[T], asked: Asked) -> T | str:
    """Return the biz_content, or the sub_code that says why not."""
    try:
        return msgspec.json.decode(asked["biz_content"], type=shape)
    except msgspec.ValidationError:
        return "ACQ.INVALID_PARAMETER"
    except _UNREADABLE:
        return "isv.illegal-json"
