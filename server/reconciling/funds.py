"""A channel's statement of how our account with it moved, put into the words it is compared by."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final
from uuid import UUID

from integrations.ports_bill import FundLine
from models.comparing_funds import compare_funds
from models.differing import Told

# As WeChat Pay's statements call them.
_PAID: Final = "交易"
_BACK: Final = "退款"
_FEE: Final = "手续费"


async def compare_moved(
    channel: str, day: date, lines: Iterator[FundLine], *, now: datetime
) -> UUID:
    """Compare a day's movements with the ledger; the run. Raises what reading the lines raises."""
    told = Told()
    return await compare_funds(channel, day, moved(lines, told), told, now=now)


def moved(lines: Iterator[FundLine], told: Told) -> Iterator[tuple[object, ...]]:
    """Give movements as they are compared, adding up in `told` what they say; fees are only that.

    Nothing but a payment or a refund is explained by an order, so the rest keeps its name.
    """
    for at, reference, kind, fen, _ in lines:
        told.lines += 1
        if _FEE in kind:
            told.fees_fen -= fen
        elif kind == _PAID and fen > 0:
            told.payments += 1
            told.paid_fen += fen
            yield reference, False, reference, fen, None, at
        elif kind == _BACK and fen < 0:
            told.back_fen -= fen
            yield reference, True, reference, -fen, "done", at
        else:
            yield reference, False, reference, fen, kind, at
