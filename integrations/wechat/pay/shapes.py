"""Transactions and refunds as WeChat Pay tells them, in answers and callbacks alike."""

import re
from datetime import datetime
from typing import Final

from msgspec import Struct

from integrations.ports_bill import RefundState
from integrations.ports_payment import ChannelOrder, ChannelRefund, OrderState

CHANNEL: Final = "wechat"

_STATES: Final[dict[str, OrderState]] = {
    "SUCCESS": "paid",
    "REFUND": "paid",  # some or all of it went back since
    "NOTPAY": "unpaid",
    "USERPAYING": "unpaid",
    "PAYERROR": "unpaid",  # she may try again until the order is closed
    "ACCEPT": "unpaid",
    "CLOSED": "closed",
    "REVOKED": "closed",
}
_REFUND_STATES: Final[dict[str, RefundState]] = {
    "PROCESSING": "pending",
    "SUCCESS": "done",
    "CLOSED": "failed",
    "ABNORMAL": "stuck",
}
_NUMBER: Final = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}", re.ASCII)


class NoSense(ValueError):
    """What was told has the right fields and no sense."""


class Payer(Struct):
    """Who paid."""

    openid: str | None = None


class Amount(Struct):
    """Fen, in `currency`."""

    total: int
    currency: str = "CNY"


class Transaction(Struct):
    """An order, of a query's answer or a payment's callback."""

    mchid: str
    appid: str
    out_trade_no: str
    trade_state: str
    transaction_id: str | None = None
    success_time: str | None = None
    payer: Payer | None = None
    amount: Amount | None = None


class RefundAmount(Struct):
    """Fen: what goes back, of an order of `total`."""

    refund: int
    total: int
    currency: str = "CNY"


class RefundTold(Struct):
    """A refund. Callbacks say `refund_status` and whose it is; answers say `status`."""

    out_refund_no: str
    amount: RefundAmount
    mchid: str = ""
    status: str = ""
    refund_status: str = ""
    out_trade_no: str | None = None
    refund_id: str | None = None
    success_time: str | None = None


def order_of(told: Transaction) -> ChannelOrder:
    """Put an order into our words, or raise NoSense."""
    state = _STATES.get(told.trade_state)
    amount = told.amount.total if told.amount else None
    if state is None or not _NUMBER.fullmatch(told.out_trade_no):
        raise NoSense
    if state == "paid" and not (amount and amount > 0 and told.transaction_id):
        raise NoSense
    return ChannelOrder(
        order_no=told.out_trade_no,
        state=state,
        amount_fen=amount,
        channel_no=told.transaction_id,
        paid_at=_moment(told.success_time),
        payer=told.payer.openid if told.payer else None,
    )


def refund_of(told: RefundTold) -> ChannelRefund:
    """Put a refund into our words, or raise NoSense."""
    state = _REFUND_STATES.get(told.refund_status or told.status)
    numbered = _NUMBER.fullmatch(told.out_refund_no)
    if state is None or not numbered or told.amount.refund <= 0:
        raise NoSense
    return ChannelRefund(
        refund_no=told.out_refund_no,
        state=state,
        order_no=told.out_trade_no,
        refund_fen=told.amount.refund,
        channel_refund_no=told.refund_id,
        done_at=_moment(told.success_time) if state == "done" else None,
    )


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NoSense from None
    if moment.tzinfo is None:
        raise NoSense
    return moment
