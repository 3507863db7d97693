"""What we ask a channel about, put together from our rows."""

from typing import Any, Final

from integrations.ports_payment import NewOrder, NewRefund, OrderRef, PaymentChannel, RefundRef
from server.errors import NotAvailable
from server.services import Services

# Where each channel tells us its news; the API fixes these addresses.
PATHS: Final = {"wechat": "wechatpay", "alipay": "alipay", "unionpay": "unionpay"}


def channel_of(room: Services, name: str) -> PaymentChannel:
    """A channel that the city has an account with. Raises NotAvailable."""
    found = room.platforms.payments.get(name)
    if found is None:
        raise NotAvailable
    return found


def order_ref(order: Any) -> OrderRef:
    """An order as its channel knows it."""
    return OrderRef(order["order_no"], order["placed_at"], order["channel_no"])


def new_order(order: Any, title: str, payer: str | None, public_url: str) -> NewOrder:
    """An order to be placed; the same row gives the same facts again."""
    return NewOrder(
        order_no=order["order_no"],
        placed_at=order["placed_at"],
        amount_fen=order["amount_fen"],
        subject=title,
        payer=payer,
        expires_at=order["expires_at"],
        notify_url=f"{public_url}/callbacks/{PATHS[order['channel']]}",
    )


def refund_ref(refund: Any, order: Any) -> RefundRef:
    """A refund as its channel knows it; it was sent, or is about to be."""
    return RefundRef(
        refund["refund_no"], refund["sent_at"], order_ref(order), refund["channel_refund_no"]
    )


def new_refund(refund: Any, order: Any, public_url: str) -> NewRefund:
    """A refund to be asked for; the same row gives the same facts again."""
    path = PATHS[order["channel"]] + ("/refund" if order["channel"] == "wechat" else "")
    return NewRefund(
        ref=refund_ref(refund, order),
        order_fen=order["amount_fen"],
        refund_fen=refund["amount_fen"],
        reason=refund["reason"],
        notify_url=f"{public_url}/callbacks/{path}",
    )
