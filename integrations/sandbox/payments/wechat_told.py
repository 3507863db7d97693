"""What the sandbox's WeChat Pay says of an order or a refund, in answers and in callbacks."""

import msgspec

from integrations.sandbox.payments.book import Order, Refund
from integrations.sandbox.payments.clock import beijing
from integrations.sandbox.settings import SandboxSettings

_DESCRIPTIONS = {
    "SUCCESS": "支付成功",
    "REFUND": "转入退款",
    "NOTPAY": "订单未支付",
    "CLOSED": "订单已关闭",
}
_REFUND_STATES = {
    "pending": "PROCESSING",
    "done": "SUCCESS",
    "failed": "CLOSED",
    "stuck": "ABNORMAL",
}


def paid_body(
    order: Order, settings: SandboxSettings, if_unpaid: float | None, tamper: str | None = None
) -> bytes:
    """Return an order as WeChat Pay tells it.

    One that nobody paid is told as paid at the moment `if_unpaid`, where that is given.
    """
    paid_at = if_unpaid if order.paid_at is None else order.paid_at
    state = _state(order) if order.paid_at is not None or if_unpaid is None else "SUCCESS"
    fen = order.fen + 1 if tamper == "amount" else order.fen
    money = "USD" if tamper == "currency" else "CNY"
    told: dict[str, object] = {
        "appid": "wx0000000000000000" if tamper == "appid" else settings.wechat_app_id,
        "mchid": "1900000000" if tamper == "merchant" else settings.wechat_mch_id,
        "out_trade_no": order.order_no,
        "trade_state": state,
        "trade_state_desc": _DESCRIPTIONS[state],
        "attach": order.facts.get("attach", ""),
        "amount": {"total": fen, "currency": money},
    }
    if state in ("SUCCESS", "REFUND") and paid_at is not None:
        told |= {
            "transaction_id": order.channel_no,
            "trade_type": "JSAPI",
            "bank_type": "OTHERS",
            "success_time": beijing(paid_at).isoformat(timespec="seconds"),
            "payer": {"openid": order.payer},
            "amount": {
                "total": fen,
                "payer_total": fen,
                "currency": money,
                "payer_currency": money,
            },
        }
    return msgspec.json.encode(told)


def refund_answer(refund: Refund) -> dict[str, object]:
    """Return a refund as the answers tell it."""
    told: dict[str, object] = {
        "refund_id": refund.channel_no,
        "out_refund_no": refund.refund_no,
        "transaction_id": refund.order.channel_no,
        "out_trade_no": refund.order.order_no,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": beijing(refund.asked_at).isoformat(timespec="seconds"),
        "status": _REFUND_STATES[refund.state],
        "funds_account": "AVAILABLE",
        "amount": _amount(refund, refund.fen) | {"currency": "CNY"},
    }
    if refund.done_at is not None:
        told["success_time"] = beijing(refund.done_at).isoformat(timespec="seconds")
    return told


def refunded_body(refund: Refund, settings: SandboxSettings, tamper: str | None) -> bytes:
    """Return a refund as its callback tells it: with its merchant, and without an app."""
    fen = refund.fen + 1 if tamper == "amount" else refund.fen
    state = "SUCCESS" if refund.state == "pending" else _REFUND_STATES[refund.state]
    told: dict[str, object] = {
        "mchid": "1900000000" if tamper == "merchant" else settings.wechat_mch_id,
        "out_trade_no": refund.order.order_no,
        "transaction_id": refund.order.channel_no,
        "out_refund_no": refund.refund_no,
        "refund_id": refund.channel_no,
        "refund_status": state,
        "user_received_account": "支付用户零钱",
        "amount": _amount(refund, fen),
    }
    if state == "SUCCESS":
        moment = refund.asked_at if refund.done_at is None else refund.done_at
        told["success_time"] = beijing(moment).isoformat(timespec="seconds")
    return msgspec.json.encode(told)


def _amount(refund: Refund, fen: int) -> dict[str, object]:
    total = refund.order.fen
    return {"total": total, "refund": fen, "payer_total": total, "payer_refund": fen}


def _state(order: Order) -> str:
    if order.state == "paid":
        return "REFUND" if any(r.state == "done" for r in order.refunds) else "SUCCESS"
    return "NOTPAY" if order.state == "unpaid" else "CLOSED"
