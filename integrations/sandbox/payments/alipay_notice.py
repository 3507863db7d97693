"""Alipay's notices of trades, as the sandbox signs them, and as somebody else would."""

import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from integrations.sandbox.alipay_keys import AlipayKeys
from integrations.sandbox.alipay_wire import rsa2
from integrations.sandbox.payments.alipay_questions import buyer, text
from integrations.sandbox.payments.book import Order
from integrations.sandbox.payments.courier import Callback
from integrations.sandbox.payments.strangers import stranger_key
from integrations.sandbox.payments.till import Tamper
from integrations.yuan import yuan_of

_DAY_S: Final = 86_400.0
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


async def notice(
    keys: AlipayKeys,
    whose: tuple[str, str],
    order: Order,
    event: str,
    told: Mapping[str, str],
    *,
    tamper: Tamper | None,
    now: float,
) -> Callback:
    """Write a notice of what is told about an order, signed `now` (real time, Unix seconds).

    `whose` are the app and the seller; one event has the same notify_id however often it is told.
    """
    app_id, seller_id = whose
    late = {"stale": -3 * _DAY_S, "future": _DAY_S}.get(tamper or "", 0.0)
    fields = {
        "notify_type": "trade_status_sync",
        "notify_id": hashlib.sha256(event.encode()).hexdigest()[:34],
        "notify_time": text(now + late),
        "charset": "utf-8",
        "version": "1.0",
        "app_id": "2021009999999999" if tamper == "appid" else app_id,
        "auth_app_id": app_id,
        "seller_id": "2088999999999999" if tamper == "merchant" else seller_id,
        "out_trade_no": order.order_no,
        "trade_no": order.channel_no,
        "subject": order.subject,
        "total_amount": yuan_of(order.fen + (tamper == "amount")),
        "gmt_create": text(order.placed_at),
        "fund_bill_list": f'[{{"amount":"{yuan_of(order.fen)}","fundChannel":"PCREDIT"}}]',
        **buyer(order, "buyer_id"),
        **({"trans_currency": "USD"} if tamper == "currency" else {}),
        **told,
    }
    covered = "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if v)
    key = await stranger_key() if tamper == "key" else keys.alipay
    sign = rsa2(covered.encode() + (b" " if tamper == "signature" else b""), key)
    if tamper == "body":
        fields["subject"] += "。"
    body = urlencode({**fields, "sign_type": "RSA2", "sign": sign}).encode()
    return Callback(order.notify_url, _FORM, body)
