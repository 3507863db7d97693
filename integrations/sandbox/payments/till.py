"""Where tests and people pay: `/_sandbox/pay`, and what becomes of refunds."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta, Struct
from sanic import HTTPResponse, Request, empty

from integrations.sandbox.endpoints import App, Endpoints
from integrations.sandbox.payments.book import Book, Order, Refund
from integrations.sandbox.payments.clock import CityClock, beijing
from integrations.sandbox.payments.courier import Callback, Courier, Errand, Rounds
from integrations.sandbox.payments.differences import Bills
from integrations.sandbox.replies import answer, invalid, problem, read

# What a forger, or a channel gone wrong, may do to a callback. The first four change what it says
# and sign that as always; the rest spoil what is around it.
Tamper = Literal[
    "amount",
    "appid",
    "merchant",
    "currency",
    "signature",
    "stale",
    "future",
    "body",
    "key",
    "probe",
    "sealed",
    "no_header",
]
_Number = Annotated[str, Meta(min_length=1, max_length=64)]
_Seconds = Annotated[float, Meta(ge=0, le=3600)]
_MOST_A_PAGE = 10_000


class PlayedChannel(Protocol):
    """One channel as the sandbox plays it."""

    @property
    def name(self) -> str:
        """Its name in the book."""
        ...

    @property
    def tampers(self) -> frozenset[str]:
        """The kinds of `Tamper` that mean something to it."""
        ...

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put its endpoints on the app."""
        ...

    async def paid(self, order: Order, tamper: Tamper | None) -> Callback:
        """Write the callback that says an order is paid, signed now."""
        ...

    async def refunded(self, refund: Refund, tamper: Tamper | None) -> Callback | None:
        """Write the callback that says how a refund ended, signed now; None where none is sent."""
        ...

    def is_thanks(self, status: int, body: bytes) -> bool:
        """Tell whether this answer ends the repeating."""
        ...


class _Told(Struct, forbid_unknown_fields=True, kw_only=True):
    deliveries: Annotated[int, Meta(ge=0, le=100)] = 1
    delay_s: _Seconds = 0.0
    spread_s: _Seconds = 0.0
    until_thanked: bool = False
    tamper: Tamper | None = None

    @property
    def rounds(self) -> Rounds:
        return Rounds(
            times=self.deliveries,
            delay_s=self.delay_s,
            spread_s=self.spread_s,
            until_thanked=self.until_thanked,
        )


class PayRequest(_Told):
    """Who pays what, and how the channel tells of it. See `Till.pay`."""

    order_no: _Number
    outcome: Literal["success", "fail", "cancel"]
    channel: _Number | None = None
    even_if_closed: bool = False


class RefundRequest(_Told):
    """How one refund ends."""

    refund_no: _Number
    outcome: Literal["success", "fail", "stuck"]


class RefundsRequest(_Told):
    """How refunds asked for from now on end; `hold` leaves them to `/_sandbox/refund`."""

    outcome: Literal["success", "fail", "stuck", "hold"] = "success"
    takes_s: _Seconds = 0.5


class ClockRequest(Struct, forbid_unknown_fields=True):
    """The city's clock: `start` at the moment `anchor` (Unix seconds, default now), at a speed."""

    start: datetime
    anchor: float | None = None
    speed: Annotated[float, Meta(gt=0, le=3600)] = 1.0


_pay = msgspec.json.Decoder(PayRequest)
_refund = msgspec.json.Decoder(RefundRequest)
_refunds = msgspec.json.Decoder(RefundsRequest)
_clock = msgspec.json.Decoder(ClockRequest)
_ENDS = {"success": "done", "fail": "failed", "stuck": "stuck"}


class Till:
    """All channels' payments: their common book, clock and courier."""

    def __init__(self, most_orders: int) -> None:
        self.clock = CityClock()
        self.book = Book(self.clock, most_orders)
        self.bills = Bills(self.book)
        self.courier = Courier(most_orders)
        self._channels: dict[str, PlayedChannel] = {}
        self._refunds = RefundsRequest()
        self._ending: set[asyncio.Task[None]] = set()

    def open(self, app: App, endpoints: Endpoints, channels: Sequence[PlayedChannel]) -> None:
        """Put the channels and the doors beside them on the app."""
        for channel in channels:
            self._channels[channel.name] = channel
            channel.open(app, endpoints)
        self.bills.open(app)
        for handler, path, method in (
            (self.pay, "/_sandbox/pay", "POST"),
            (self.end_refund, "/_sandbox/refund", "POST"),
            (self.set_refunds, "/_sandbox/refunds", "PUT"),
            (self.list_orders, "/_sandbox/orders", "GET"),
            (self.list_deliveries, "/_sandbox/deliveries", "GET"),
            (self.set_clock, "/_sandbox/clock", "PUT"),
        ):
            app.add_route(handler, path, methods=[method], name=f"till_{handler.__name__}")
        app.after_server_stop(self._close)

    async def pay(self, request: Request) -> HTTPResponse:
        """Pay an order and let the channel call back, or fail to.

        Paid before, it is not paid again, but told again. Only a success is told; a `tamper` tells
        of one wrongly, and together with `fail` or `cancel` tells of one that never was.
        """
        asked = read(_pay, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        order = self._find_order(asked.order_no, asked.channel)
        if order is None:
            return problem(404, "no_such_order", "No channel has an order of this number.")
        channel = self._channels[order.channel]
        if wrong := _wrong_tamper(channel, asked.tamper):
            return wrong
        if asked.outcome == "success":
            if order.state == "closed" and not asked.even_if_closed:
                return problem(409, "order_closed", "The channel takes no money for it any more.")
            self.book.pay(order)
        if asked.outcome == "success" or asked.tamper:
            self._send(
                channel, order.order_no, "paid", asked, lambda: channel.paid(order, asked.tamper)
            )
        return answer(_order_facts(order))

    async def end_refund(self, request: Request) -> HTTPResponse:
        """End one refund, or tell again how it ended."""
        asked = read(_refund, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        refund = self._find_refund(asked.refund_no)
        if refund is None:
            return problem(404, "no_such_refund", "No channel has a refund of this number.")
        if wrong := _wrong_tamper(self._channels[refund.order.channel], asked.tamper):
            return wrong
        self._end(refund, asked.outcome, asked)
        return answer(_refund_facts(refund))

    async def set_refunds(self, request: Request) -> HTTPResponse:
        """Say how refunds end that are asked for from now on."""
        asked = read(_refunds, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        self._refunds = asked
        return answer(asked)

    async def set_clock(self, request: Request) -> HTTPResponse:
        """Set the clock by which payments are dated."""
        asked = read(_clock, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        if asked.start.tzinfo is None:
            return invalid([{"pointer": "/start", "detail": "without its zone"}])
        self.clock.set(asked.start, asked.anchor, asked.speed)
        return empty()

    async def list_orders(self, request: Request) -> HTTPResponse:
        """Tell what the channels know of the orders of one number: `?order_no=`."""
        number = request.args.get("order_no", "")
        found = (self.book.order(name, number) for name in self._channels)
        return answer({"data": [_order_facts(order) for order in found if order]})

    async def list_deliveries(self, request: Request) -> HTTPResponse:
        """List what callbacks were brought and how they were answered: `?about=`, `?limit=`."""
        limit = request.args.get("limit", "1000")
        if not (limit.isdecimal() and 1 <= int(limit) <= _MOST_A_PAGE):
            return invalid([{"pointer": "/limit", "detail": f"1 to {_MOST_A_PAGE}"}])
        data = self.courier.deliveries(request.args.get("about"), int(limit))
        return answer({"data": data, "under_way": self.courier.under_way})

    def refund_asked(self, refund: Refund) -> None:
        """Let a refund, just asked for, end as was said; a channel calls this once for each."""
        how = self._refunds
        if how.outcome == "hold":
            return
        if how.takes_s == 0:
            self._end(refund, how.outcome, how)
            return
        task = asyncio.create_task(self._end_later(refund, how))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end_later(self, refund: Refund, how: RefundsRequest) -> None:
        await asyncio.sleep(how.takes_s)
        if refund.state == "pending":
            self._end(refund, how.outcome, how)

    def _end(self, refund: Refund, outcome: str, told: _Told) -> None:
        if refund.state == "pending" or (refund.state == "stuck" and outcome != "stuck"):
            self.book.end_refund(refund, _ENDS[outcome])  # type: ignore[arg-type] # of RefundState
        channel = self._channels[refund.order.channel]
        self._send(
            channel,
            refund.refund_no,
            "refunded",
            told,
            lambda: channel.refunded(refund, told.tamper),
        )

    def _send(
        self,
        channel: PlayedChannel,
        about: str,
        event: str,
        told: _Told,
        write: Callable[[], Awaitable[Callback | None]],
    ) -> None:
        errand = Errand(
            channel=channel.name,
            about=about,
            event=event,
            tamper=told.tamper,
            write=write,
            is_thanks=channel.is_thanks,
        )
        self.courier.send(errand, told.rounds)

    def _find_order(self, order_no: str, channel: str | None) -> Order | None:
        names = self._channels if channel is None else (channel,)
        return next((o for name in names if (o := self.book.order(name, order_no))), None)

    def _find_refund(self, refund_no: str) -> Refund | None:
        return next(
            (r for name in self._channels if (r := self.book.refund(name, refund_no))), None
        )

    async def _close(self, _: App) -> None:
        for task in list(self._ending):
            task.cancel()
        await self.courier.close()


def _wrong_tamper(channel: PlayedChannel, tamper: Tamper | None) -> HTTPResponse | None:
    if tamper is None or tamper in channel.tampers:
        return None
    known = ", ".join(sorted(channel.tampers))
    return invalid([{"pointer": "/tamper", "detail": f"for {channel.name}, one of {known}"}])


def _order_facts(order: Order) -> dict[str, object]:
    return {
        "channel": order.channel,
        "order_no": order.order_no,
        "channel_no": order.channel_no,
        "state": order.state,
        "amount_fen": order.fen,
        "paid_at": None if order.paid_at is None else beijing(order.paid_at),
        "refunds": [_refund_facts(refund) for refund in order.refunds],
    }


def _refund_facts(refund: Refund) -> dict[str, object]:
    return {
        "refund_no": refund.refund_no,
        "channel_refund_no": refund.channel_no,
        "state": refund.state,
        "refund_fen": refund.fen,
    }
