"""Bills and payments over HTTP, as citizens see and pay them."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models.bills import BillState
from server.auth import CITIZEN, Principal
from server.errors import (
    IdempotencyKeyReused,
    NotAvailable,
    NotFound,
    Unavailable,
    WrongStateRefusal,
)
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.http.paging import PageQuery
from server.payments import billing, paying, views
from server.payments.refusals import ChannelSaysNo, NoFee, PayerUnknown
from server.payments.views import BillPage, BillView, PaymentView, PreparedPayment
from server.services import services

bp = Blueprint("payments", url_prefix="/api/v1")
TAG = "payments"
ChannelName = Annotated[Literal["wechat", "alipay", "unionpay"], msgspec.Meta(examples=["wechat"])]


class BillQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which page, and of which bills."""

    state: BillState | None = None


class TicketBill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For which number of mine."""

    ticket: UUID


class Pay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bill to pay, through which channel."""

    bill_id: UUID
    channel: ChannelName


@endpoint(
    bp,
    "GET",
    "/bills",
    summary=("我的账单", "My bills"),
    tag=TAG,
    guard=CITIZEN,
    query=BillQuery,
    returns=BillPage,
)
async def list_bills(request: Request, who: Principal, query: BillQuery) -> BillPage:
    """What I owe or have paid, for me or for whom I acted, newest first."""
    return await views.bills_of(who.id, query.cursor, query.limit, query.state)


@endpoint(
    bp,
    "POST",
    "/bills",
    summary=("为号票开具账单", "The bill for my number"),
    tag=TAG,
    guard=CITIZEN,
    body=TicketBill,
    returns=BillView,
    status=201,
    refuses=[NotFound, NoFee, WrongStateRefusal],
)
async def bill_my_ticket(request: Request, who: Principal, body: TicketBill) -> BillView:
    """The fee of the item that my number is for, to be paid while I wait. Always the same bill."""
    room = services(request)
    return await billing.bill_for_own_ticket(
        body.ticket, who, now=room.clock.now(), directory=room.directory
    )


@endpoint(
    bp,
    "POST",
    "/payments",
    summary=("支付账单", "Pay a bill"),
    tag=TAG,
    guard=CITIZEN,
    body=Pay,
    returns=PreparedPayment,
    status=201,
    idempotent=True,
    refuses=[
        NotFound,
        NotAvailable,
        WrongStateRefusal,
        PayerUnknown,
        ChannelSaysNo,
        IdempotencyKeyReused,
        Unavailable,
    ],
)
async def pay(request: Request, who: Principal, body: Pay) -> PreparedPayment:
    """Begin to pay: the answer is what the mini-program hands to requestPayment or tradePay.

    A payment of this bill through this channel that is pending is the same payment again. Only the
    channel's own word makes it paid: `GET /payments/{order_no}` tells.
    """
    return await paying.pay(
        body.bill_id, body.channel, who, once(request, who.id), services(request)
    )


@endpoint(
    bp,
    "GET",
    "/payments/<order_no:str>",
    summary=("支付结果", "One payment"),
    tag=TAG,
    guard=CITIZEN,
    returns=PaymentView,
    refuses=[NotFound],
)
async def show_payment(request: Request, who: Principal, order_no: str) -> PaymentView:
    """How a payment of mine stands, and what of it went back."""
    return await paying.own_payment(order_no, who)
