"""What a payment channel writes down of a day: its bill, and how our account with it moved.

Amounts are whole fen, moments know their zone, and a day is a day in Beijing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

# absent: never heard of. pending: accepted, nothing moved for sure. done: the money went back.
# failed: it did not and will not under this number. stuck: it could not reach her account, and
# only a person can say where it shall go.
RefundState = Literal["absent", "pending", "done", "failed", "stuck"]


@dataclass(frozen=True, slots=True)
class DayBill:
    """A channel's bill for one day, on our disk, its hash verified. None of it is in memory."""

    channel: str
    day: date
    file: Path
    size: int


class BillLine(NamedTuple):
    """One line of a bill: a payment, or a refund when `refund_no` is there.

    A tuple, since a day may have a million. `amount_fen` is what was paid, or what went back, and
    `fee_fen` what the channel keeps of it: negative where it gives its fee back. `refund_state`
    is None for a payment, which a bill names only when it was paid. `at` is when that happened.
    """

    order_no: str
    refund_no: str | None
    channel_no: str
    channel_refund_no: str | None
    amount_fen: int
    fee_fen: int
    refund_state: RefundState | None
    at: datetime


class FundLine(NamedTuple):
    """One movement on our account at the channel. `moved_fen` is negative for what went out.

    `reference` is the channel's number of the payment or refund that moved it.
    """

    at: datetime
    reference: str
    kind: str
    moved_fen: int
    balance_fen: int


@runtime_checkable
class FundsChannel(Protocol):
    """A payment channel that also tells how our account with it moved."""

    async def fetch_funds(self, day: date, folder: Path) -> DayBill | None:
        """Download and verify the day's movements, as `fetch_bill` does a day's business."""
        ...

    def read_funds(self, bill: DayBill) -> Iterator[FundLine]:
        """Read its movements, one at a time, as `read_bill` does."""
        ...


class BillDamaged(Exception):
    """A bill's file has a line without sense, or does not add up. `line` counts from 1."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why, line)
        self.why = why
        self.line = line
