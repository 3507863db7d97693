"""What Alipay says about trades and refunds, and what its refusals mean to us."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from integrations.alipay.client import BEIJING
from integrations.ports_payment import ChannelOrder, OrderState, RefusedReason
from integrations.yuan import fen_of

# By sub_code, without the `ACQ.` before it.
REFUSALS: Final[Mapping[str, RefusedReason]] = {
    "TRADE_HAS_SUCCESS": "order_paid",
    "TRADE_HAS_CLOSE": "order_closed",
    "TRADE_NOT_EXIST": "order_unknown",
    "CONTEXT_INCONSISTENT": "number_used",
    "DISCORDANT_REPEAT_REQUEST": "number_used",
    "BUYER_NOT_EXIST": "payer_unknown",
    "TRADE_BUYER_NOT_MATCH": "payer_unknown",
    "BUYER_ENABLE_STATUS_FORBID": "account_blocked",
    "BUYER_SELLER_EQUAL": "account_blocked",
    "TOTAL_FEE_EXCEED": "amount_invalid",
    "REFUND_AMT_NOT_EQUAL_TOTAL": "amount_invalid",
    "REFUND_AMT_RESTRICTION": "amount_invalid",
    "REASON_TRADE_REFUND_FEE_ERR": "amount_invalid",
    "TRADE_STATUS_ERROR": "order_closed",
    "SELLER_BALANCE_NOT_ENOUGH": "balance_short",
    "TRADE_HAS_FINISHED": "too_late",
    "TRADE_NOT_ALLOW_REFUND": "too_late",
}

# Nobody knows whether it happened, whatever code it comes under.
UNKNOWN: Final = frozenset({"SYSTEM_ERROR", "TRADE_SETTLE_ERROR"})


class Created(Struct):
    """Answer of `alipay.trade.create`."""

    out_trade_no: str
    trade_no: str


class Trade(Struct):
    """Answer of `alipay.trade.query`; `send_pay_date` is there only when somebody has paid."""

    out_trade_no: str
    trade_no: str
    trade_status: str
    total_amount: str
    send_pay_date: str | None = None
    buyer_open_id: str | None = None
    buyer_user_id: str | None = None

    def told(self) -> ChannelOrder | None:
        """Return it in our words; None when it makes no sense."""
        paid_at = moment(self.send_pay_date)
        state = state_of(self.trade_status, is_paid=paid_at is not None)
        try:
            fen = fen_of(self.total_amount)
        except ValueError:
            return None
        if state is None:
            return None
        return ChannelOrder(
            order_no=self.out_trade_no,
            state=state,
            amount_fen=fen,
            channel_no=self.trade_no,
            paid_at=paid_at,
            payer=self.buyer_open_id or self.buyer_user_id,
        )


class Refunded(Struct):
    """Answer of `alipay.trade.refund`; `fund_change` says whether this very request moved money."""

    out_trade_no: str
    trade_no: str
    fund_change: str = "N"
    gmt_refund_pay: str | None = None


class RefundFound(Struct):
    """Answer of `alipay.trade.fastpay.refund.query`, which succeeds for unknown refunds too."""

    out_trade_no: str | None = None
    trade_no: str | None = None
    out_request_no: str | None = None
    refund_amount: str | None = None
    refund_status: str | None = None
    gmt_refund_pay: str | None = None


def state_of(trade_status: str, *, is_paid: bool) -> OrderState | None:
    """Return a trade's state in our words; None for a status that Alipay has not.

    A trade is closed when its time ran out, and also when all that was paid went back: only
    whether somebody paid tells the two apart.
    """
    states: dict[str, OrderState] = {
        "WAIT_BUYER_PAY": "unpaid",
        "TRADE_SUCCESS": "paid",
        "TRADE_FINISHED": "paid",
        "TRADE_CLOSED": "paid" if is_paid else "closed",
    }
    return states.get(trade_status)


def moment(text: str | None) -> datetime | None:
    """Read a moment as Alipay writes it, in Beijing; None when there is none or it is odd."""
    if not text or len(text) < len("2026-11-23 09:30:00"):
        return None
    try:
        return datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
