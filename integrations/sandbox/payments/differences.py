"""Bills that do not agree with us, on purpose: what reconciling must find."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from sanic import HTTPResponse, Request, empty

from integrations.sandbox.endpoints import App
from integrations.sandbox.payments.book import Book, Booked, RefundState
from integrations.sandbox.payments.clock import BEIJING
from integrations.sandbox.replies import read

Statement = Literal["trades", "funds"]
_Number = Annotated[str, Meta(min_length=1, max_length=64)]


class Difference(Struct, frozen=True, forbid_unknown_fields=True):
    """One lie about the line of `number`, an order's or a refund's.

    `missing`: the bill leaves it out. `extra`: it has a payment of `fen` that nobody made here.
    `amount`: it is off by `fen`. `state`: a refund stands as `state`.
    """

    kind: Literal["missing", "extra", "amount", "state"]
    number: _Number
    fen: Annotated[int, Meta(ge=-100_000_000, le=100_000_000)] = 1
    state: RefundState = "failed"


class DifferencesRequest(Struct, forbid_unknown_fields=True):
    """What a channel's bill of one day shall say wrongly; none puts it right.

    `statement` is which: of trades, or of how the account moved.
    """

    channel: _Number
    day: date
    differences: Annotated[list[Difference], Meta(max_length=1000)]
    statement: Statement = "trades"


_request = msgspec.json.Decoder(DifferencesRequest)


class Bills:
    """What the channels' bills say: the book, with the differences planted in it."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._planted: dict[tuple[str, date, Statement], list[Difference]] = {}

    def open(self, app: App) -> None:
        """Put the door to plant by on the app."""
        app.add_route(
            self.plant, "/_sandbox/bills/differences", methods=["PUT"], name="plant_differences"
        )

    async def plant(self, request: Request) -> HTTPResponse:
        """Plant differences into one bill, in place of those planted before."""
        asked = read(_request, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        self._planted[asked.channel, asked.day, asked.statement] = asked.differences
        return empty()

    def lines(self, channel: str, day: date, statement: Statement = "trades") -> Iterator[Booked]:
        """Yield the lines of a channel's bill of a day in Beijing."""
        planted = self._planted.get((channel, day, statement), [])
        by_number = {d.number: d for d in planted if d.kind != "extra"}
        for line in self._book.day(channel, day):
            lie = by_number.get(line.refund_no or line.order_no)
            if lie is None:
                yield line
            elif lie.kind == "amount":
                yield replace(line, fen=line.fen + lie.fen)
            elif lie.kind == "state" and line.refund_no:
                yield replace(line, refund_state=lie.state)
            elif lie.kind == "state":
                yield line
        noon = _noon(day)
        for extra in (d for d in planted if d.kind == "extra"):
            yield Booked(extra.number, f"42{extra.number}"[:32], abs(extra.fen), noon, "多出的一笔")


def _noon(day: date) -> float:
    return datetime(day.year, day.month, day.day, 12, tzinfo=BEIJING).timestamp()
