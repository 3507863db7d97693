"""Bills, payments and refunds."""

from typing import Any, Final

from server.web.example_values.shared import AT, ID

VALUES: Final[dict[str, Any]] = {
    "bill": ID,
    "bill_id": ID,
    "bill_no": "2026112300000042",
    "order_no": "YT202611239B2K7QH4M0XC5T",
    "refund_no": "RF20261123A7D2MX81KQ04ZB",
    "request_no": "desk-0042",
    "amount_fen": 2000,
    "refunded_fen": 0,
    "client_params": {"package": "prepay_id=wx26112209403112", "signType": "RSA"},
    "placed_at": AT,
    "paid_at": AT,
    "BillView.title": "居民身份证换领",
    "CounterBill.title": "证件工本费",
    "PaymentView.expires_at": "2026-11-23T10:10:51+08:00",
    "PreparedPayment.expires_at": "2026-11-23T10:10:51+08:00",
    "RefundView.ended_at": AT,
}
