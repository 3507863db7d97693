"""UnionPay's words: kinds of transactions, moments and amounts as it writes them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from integrations.ports_payment import RefusedReason
from integrations.unionpay.client import from_beijing

CONSUME: Final = "01"
REFUND: Final = "04"
VOID: Final = "31"
CURRENCY: Final = "156"  # CNY, by ISO 4217

# By respCode. What is not listed will not be had, however often it is asked.
REFUSALS: Final[Mapping[str, RefusedReason]] = {
    "12": "number_used",
    "33": "amount_invalid",
    "34": "order_unknown",
    "35": "order_closed",
    "36": "amount_invalid",
    "38": "account_blocked",
    "39": "too_late",
    "61": "account_blocked",
    "64": "balance_short",
}


def fen_in(text: str) -> int:
    """Read an amount, which UnionPay writes in fen; ValueError for what is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise ValueError("not an amount of UnionPay's")
    return int(text)


def traced_at(text: str, after: datetime) -> datetime | None:
    """Read `MMddHHmmss`, which leaves the year out: the first such moment about or after another.

    None when there is none or it is odd.
    """
    for year in (after.year, after.year + 1):
        try:
            moment = from_beijing(f"{year}{text}")
        except ValueError:
            continue
        if moment >= after - timedelta(days=2):
            return moment
    return None
