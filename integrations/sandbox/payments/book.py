"""The book of all channels: orders, what was paid and what went back. Amounts are fen."""

import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from integrations.sandbox.payments.clock import CityClock, beijing

OrderState = Literal["unpaid", "paid", "closed"]
RefundState = Literal["pending", "done", "failed", "stuck"]

FEE_PER_MILLE: Final = 6


@dataclass(slots=True)
class Refund:
    """Money on its way back. `facts` are whatever its channel wants to remember of it."""

    refund_no: str
    order: "Order" = field(repr=False)
    fen: int
    channel_no: str
    asked_at: float
    notify_url: str
    state: RefundState = "pending"
    done_at: float | None = None
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Order:
    """One order at one channel. `terms` is all that was asked, to know a repeated question by.

    `facts` are whatever its channel wants to remember of it; moments are Unix seconds.
    """

    channel: str
    order_no: str
    fen: int
    subject: str
    payer: str
    notify_url: str
    placed_at: float
    expires_at: float | None
    channel_no: str
    terms: object
    state: OrderState = "unpaid"
    paid_at: float | None = None
    refunds: list[Refund] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def refunded_fen(self) -> int:
        """What went back, or is on its way."""
        return sum(refund.fen for refund in self.refunds if refund.state != "failed")


@dataclass(frozen=True, slots=True)
class Booked:
    """One line of a day's bill: a payment, or a refund when `refund_no` is there."""

    order_no: str
    channel_no: str
    fen: int
    at: float
    subject: str = ""
    payer: str = ""
    refund_no: str | None = None
    channel_refund_no: str | None = None
    refund_state: RefundState | None = None

    @property
    def fee_fen(self) -> int:
        """The channel's fee, rounded to a fen; given back with a refund."""
        fee = (self.fen * FEE_PER_MILLE + 500) // 1000
        return fee if self.refund_no is None else -fee


class Book:
    """Every order of every channel; past `most`, the oldest are forgotten."""

    def __init__(self, clock: CityClock, most: int) -> None:
        self.clock = clock
        self._most = most
        self._orders: OrderedDict[tuple[str, str], Order] = OrderedDict()
        self._by_channel_no: dict[tuple[str, str], Order] = {}
        self._refunds: dict[tuple[str, str], Refund] = {}
        self.entered = 0  # payments and refunds, so that a bill knows whether it is the latest

    def place(self, order: Order) -> None:
        """Write down a new order."""
        self._orders[order.channel, order.order_no] = order
        self._by_channel_no[order.channel, order.channel_no] = order
        if len(self._orders) > self._most:
            key, old = self._orders.popitem(last=False)
            self._by_channel_no.pop((old.channel, old.channel_no), None)
            for refund in old.refunds:
                self._refunds.pop((key[0], refund.refund_no), None)

    def order(self, channel: str, order_no: str) -> Order | None:
        """Return a channel's order, closed if its time ran out."""
        return self._timely(self._orders.get((channel, order_no)))

    def order_by_channel_no(self, channel: str, channel_no: str) -> Order | None:
        """Return the order that the channel itself calls so."""
        return self._timely(self._by_channel_no.get((channel, channel_no)))

    def refund(self, channel: str, refund_no: str) -> Refund | None:
        """Return a channel's refund."""
        return self._refunds.get((channel, refund_no))

    def pay(self, order: Order) -> bool:
        """Take the money, once; False when it was taken before."""
        if order.state == "paid":
            return False
        order.state, order.paid_at = "paid", self.clock.now()
        self.entered += 1
        return True

    def ask_refund(self, order: Order, refund_no: str, fen: int, notify_url: str) -> Refund:
        """Write down that money shall go back; who calls has looked whether there is so much."""
        now = self.clock.now()
        number = f"50{beijing(now):%Y%m%d}{secrets.randbelow(10**16):016d}"
        refund = Refund(refund_no, order, fen, number, now, notify_url)
        order.refunds.append(refund)
        self._refunds[order.channel, refund_no] = refund
        return refund

    def end_refund(self, refund: Refund, state: RefundState) -> None:
        """Write down how it ended."""
        refund.state = state
        refund.done_at = self.clock.now() if state == "done" else None
        self.entered += 1

    def day(self, channel: str, day: date) -> Iterator[Booked]:
        """Yield what a channel's bill of a day in Beijing says, by the order's age."""
        for order in list(self._orders.values()):
            if order.channel != channel or order.paid_at is None:
                continue
            if beijing(order.paid_at).date() == day:
                yield Booked(
                    order.order_no,
                    order.channel_no,
                    order.fen,
                    order.paid_at,
                    order.subject,
                    order.payer,
                )
            for refund in order.refunds:
                if refund.state != "failed" and beijing(refund.asked_at).date() == day:
                    yield _refunded(order, refund)

    def _timely(self, order: Order | None) -> Order | None:
        if (
            order is not None
            and order.state == "unpaid"
            and order.expires_at is not None
            and self.clock.now() > order.expires_at
        ):
            order.state = "closed"
        return order


def _refunded(order: Order, refund: Refund) -> Booked:
    return Booked(
        order.order_no,
        order.channel_no,
        refund.fen,
        refund.asked_at,
        order.subject,
        order.payer,
        refund.refund_no,
        refund.channel_no,
        refund.state,
    )
