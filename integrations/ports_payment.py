"""What we ask of those who take money, in our own words; each channel's folder answers.

Amounts are whole fen, never anything else, and always CNY: a client turns away every other
currency before it speaks to us. Moments know their zone. A bill's day is a day in Beijing.

Numbers are ours: 8 to 32 of `0-9 A-Z a-z`, which every channel takes. The same number again is
the same order or the same refund, never a second one, so whoever lost an answer asks again with
the same number and the same facts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Literal, Protocol

from integrations.ports_bill import BillLine, DayBill, RefundState

# absent: the channel knows no such number, so nothing was ever paid under it.
# unpaid: may still be paid. closed: never paid, and never will be.
# paid: she has paid; it stays so when some or all of it went back.
OrderState = Literal["absent", "unpaid", "paid", "closed"]

RefusedReason = Literal[
    "order_paid",
    "order_closed",
    "order_unknown",
    "number_used",  # this number stands for something else at the channel
    "payer_unknown",  # not a payer of this app
    "account_blocked",  # hers, by the channel
    "amount_invalid",  # nothing, too much, or more than is left to refund
    "balance_short",  # ours at the channel: works after it is topped up
    "too_late",  # longer ago than the channel refunds
    "request_invalid",  # the channel will not have it so, however often it is asked
]

NotGenuineReason = Literal[
    "malformed",  # a header or field is missing, or none of the channel's
    "too_big",
    "stale",  # signed too long ago, or in the future
    "unknown_key",  # signed with a key that we do not hold: see `refresh_keys`
    "wrong_signature",
    "sealed_wrongly",  # signed, and its content does not open with our key
    "foreign_merchant",
    "foreign_app",
    "foreign_currency",
    # What the core finds beyond what a client can know:
    "replayed",  # this very delivery was here before
    "unknown_number",  # genuine, about an order or refund that is none of ours
    "amount_differs",  # and about one of ours, over another amount
]


@dataclass(frozen=True, slots=True)
class OrderRef:
    """One order at a channel, however we know it.

    `placed_at` is when we placed it, the same in every question: UnionPay knows an order by its
    number and that second. `channel_no` is the channel's own number, from its news, if known.
    """

    order_no: str
    placed_at: datetime
    channel_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """One attempt to pay through one channel.

    `payer` is the channel's word for who pays, as `Visitor.subject` is; a channel that lets
    anybody pay does without. `subject` is what she sees that she pays for; clients cut it to what
    the channel takes. `expires_at` is the last moment to pay, at least a minute ahead.
    """

    order_no: str
    placed_at: datetime
    amount_fen: int
    subject: str
    payer: str | None = field(default=None, repr=False)
    expires_at: datetime
    notify_url: str

    @property
    def ref(self) -> OrderRef:
        """This order, for later questions."""
        return OrderRef(self.order_no, self.placed_at)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order waits at the channel. `client_params` is JSON that her phone hands to it.

    They hold nothing secret to her, and go to nobody else.
    """

    client_params: Mapping[str, object] = field(repr=False)
    channel_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOrder:
    """What a channel surely says about an order; what it does not tell is None.

    `amount_fen` is what the order is over, which is to be compared with what we asked.
    """

    order_no: str
    state: OrderState
    amount_fen: int | None = None
    channel_no: str | None = None
    paid_at: datetime | None = None
    payer: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RefundRef:
    """One refund at a channel; `asked_at` is when we first asked for it, the same ever after."""

    refund_no: str
    asked_at: datetime
    order: OrderRef
    channel_refund_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRefund:
    """So much of what was paid shall go back. `order_fen` is the whole order's amount.

    Of one order there may be many, together at most what was paid, with a number each.
    """

    ref: RefundRef
    order_fen: int
    refund_fen: int
    reason: str
    notify_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRefund:
    """What a channel surely says about a refund; what it does not tell is None."""

    refund_no: str
    state: RefundState
    order_no: str | None = None
    refund_fen: int | None = None
    channel_refund_no: str | None = None
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelNews:
    """A genuine callback: for our merchant, our app, in CNY; its amounts nobody compared yet.

    `event_id` is the same whenever the channel repeats the same news, so it is the key under which
    news happen once. `nonce` is what no two deliveries share, where the channel sends one.
    Exactly one of `order` and `refund` is there, or neither where it is about something else.
    """

    channel: str
    event_id: str
    signed_at: datetime
    nonce: str | None = None
    order: ChannelOrder | None = None
    refund: ChannelRefund | None = None


@dataclass(frozen=True, slots=True)
class CallbackReply:
    """What a channel wants to read, byte for byte."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


class PaymentChannel(Protocol):
    """Somebody who takes money for us and tells us so.

    Every question may raise ChannelUnavailable; those that change something also OutcomeUnknown
    and, finally, ChannelRefused.
    """

    @property
    def name(self) -> str:
        """The channel's name, as in the API: wechat, alipay, unionpay."""
        ...

    async def create(self, order: NewOrder) -> Prepared:
        """Place an order and return what her phone needs; again for the same order, anew."""
        ...

    async def query(self, order: OrderRef) -> ChannelOrder:
        """Return what the channel knows of an order."""
        ...

    async def close(self, order: OrderRef) -> OrderState:
        """See to it that nobody can pay any more, and return how the order stands now.

        `closed` or `absent`: nobody has paid and nobody can. `paid`: too late. `unpaid`: this
        channel closes no orders by request; ask again after the order's `expires_at`.
        """
        ...

    async def refund(self, refund: NewRefund) -> ChannelRefund:
        """Ask for money to go back, and return how that stands: `pending` is to be asked after."""
        ...

    async def query_refund(self, refund: RefundRef) -> ChannelRefund:
        """Return what the channel knows of a refund."""
        ...

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> ChannelNews:
        """Read a callback from its raw bytes, or raise NotGenuine. Asks nobody, costs little.

        `headers` are found by lower-case names.
        """
        ...

    def thanks(self) -> CallbackReply:
        """What to answer once the news is stored: the channel then stops repeating it."""
        ...

    def refusal(self, fault: "NotGenuine") -> CallbackReply:
        """What to answer to what is not genuine: 4xx."""
        ...

    def not_now(self) -> CallbackReply:
        """What to answer when the news could not be stored: the channel repeats it. 5xx."""
        ...

    async def refresh_keys(self) -> None:
        """Fetch the keys that the channel signs with, where it changes them.

        To be called at start, twice a day, and when a callback came with an unknown key. Asks at
        most once a minute, however often it is called. Raises ChannelUnavailable.
        """
        ...

    async def fetch_bill(self, day: date, folder: Path) -> DayBill | None:
        """Download a day's bill into a folder and verify it; None when the day had no business.

        In bounded memory, whatever its size. The file's name tells channel and day; a file of
        that name is replaced, and only by one that is whole. Raises BillNotMade when the channel
        has not made it yet, and ChannelUnavailable when it does not come, or came damaged.
        """
        ...

    def read_bill(self, bill: DayBill) -> Iterator[BillLine]:
        """Read its lines, one at a time; raises BillDamaged where a line has no sense.

        Also where the lines do not add up to the bill's own totals, which is known at the end.
        """
        ...


class NotGenuine(Exception):
    """A callback that the channel did not send us. `reason` holds nothing of what was sent."""

    def __init__(self, reason: NotGenuineReason) -> None:
        super().__init__(reason)
        self.reason: NotGenuineReason = reason


class ChannelRefused(Exception):
    """The channel said no and nothing changed; asking the same again gets the same answer.

    `channel_code` is the channel's own word, for the log.
    """

    def __init__(self, reason: RefusedReason, channel_code: str | None = None) -> None:
        super().__init__(reason, channel_code)
        self.reason: RefusedReason = reason
        self.channel_code = channel_code


class OutcomeUnknown(Exception):
    """It was asked and may have happened: ask again with the same number, or query."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


class ChannelUnavailable(Exception):
    """No usable answer came and nothing changed; worth asking again later."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


class BillNotMade(ChannelUnavailable):
    """The channel has not made this day's bill yet, and says so."""
