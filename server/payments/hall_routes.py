"""Bills and refunds over HTTP, as the staff of a hall make and decide them."""

from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models.bills import MOST_FEN
from models.refunds import RefundReason, RefundState
from server.auth import CLERK, HALL_ADMIN, Principal, own_id
from server.errors import IdempotencyKeyReused, NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.http.paging import PageQuery
from server.payments import at_counter, billing, giving_back, views
from server.payments.at_counter import CounterPayment
from server.payments.refusals import NeedsAnother, NoFee, RefundTooMuch, RequestNoReused
from server.payments.routes import TAG, BillQuery
from server.payments.views import BillPage, BillView, RefundPage, RefundView
from server.services import services

bp = Blueprint("hall-payments", url_prefix="/api/v1")
Fen = Annotated[int, msgspec.Meta(ge=1, le=MOST_FEN, examples=[2000])]


class CounterBill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whose number. Without `amount_fen` it is the fee of the number's item.

    `title` is what she sees that she pays for; by default the item's name.
    """

    ticket: UUID
    amount_fen: Fen | None = None
    title: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=60, examples=["证件工本费"])] | None
    ) = None


class AskBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of a paid bill is to go back, and why; without `amount_fen` all that is left.

    `request_no` is yours: the same again is the same refund, however often it is sent.
    """

    request_no: Annotated[
        str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_\-]+$")
    ]
    reason: Annotated[RefundReason, msgspec.Meta(examples=["overcharged"])]
    amount_fen: Fen | None = None


class RefundQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which page, and of which refunds."""

    state: RefundState | None = None


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/bills",
    summary=("窗口开具账单", "Bill somebody at a counter"),
    tag=TAG,
    guard=CLERK,
    body=CounterBill,
    returns=BillView,
    status=201,
    idempotent=True,
    refuses=[NotFound, NoFee, IdempotencyKeyReused],
)
async def bill_somebody(request: Request, who: Principal, hall: str, body: CounterBill) -> BillView:
    """Ask whoever holds a number of the hall for money: she finds it in her bills. Recorded."""
    room = services(request)
    return await billing.bill_at_counter(
        room.directory.hall(hall),
        body.ticket,
        who,
        once(request, who.id),
        amount_fen=body.amount_fen,
        title=body.title,
        now=room.clock.now(),
        directory=room.directory,
    )


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/bills",
    summary=("大厅账单", "Bills of a hall"),
    tag=TAG,
    guard=CLERK,
    query=BillQuery,
    returns=BillPage,
    refuses=[NotFound],
)
async def list_hall_bills(
    request: Request, who: Principal, hall: str, query: BillQuery
) -> BillPage:
    """The hall's bills, newest first; they name nobody."""
    entry = services(request).directory.hall(hall)
    return await views.bills_of_hall(entry.id, query.cursor, query.limit, query.state)


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/counters/<counter:str>/payment",
    summary=("当前办事人缴费情况", "Whether who is at the counter has paid"),
    tag=TAG,
    guard=CLERK,
    returns=CounterPayment,
    refuses=[NotFound],
)
async def show_counter_payment(
    request: Request, who: Principal, hall: str, counter: str
) -> CounterPayment:
    """What whoever is called or served at this counter has to pay, and whether she has."""
    directory = services(request).directory
    found = await at_counter.payment_at(directory.hall(hall), counter, directory)
    if found is None:
        raise NotFound(("该窗口现在没有人。", "Nobody is at this counter now."))
    return found


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/bills/<bill:str>/cancel",
    summary=("取消账单", "Cancel a bill"),
    tag=TAG,
    guard=CLERK,
    returns=BillView,
    refuses=[NotFound, WrongStateRefusal],
    example={"state": "cancelled"},
)
async def cancel_bill(request: Request, who: Principal, hall: str, bill: str) -> BillView:
    """Ask for it no more. Whatever is paid for it all the same goes back by itself. Recorded."""
    room = services(request)
    entry = room.directory.hall(hall)
    return await billing.cancel_bill(entry, own_id(bill), who, now=room.clock.now())


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/bills/<bill:str>/refunds",
    summary=("申请退款", "Ask for a refund"),
    tag=TAG,
    guard=CLERK,
    body=AskBack,
    returns=RefundView,
    status=201,
    refuses=[NotFound, WrongStateRefusal, RefundTooMuch, RequestNoReused],
)
async def ask_back(
    request: Request, who: Principal, hall: str, bill: str, body: AskBack
) -> RefundView:
    """Give some or all of a paid bill back. Above the city's limit a manager approves it first.

    The channel is asked soon, with one number until it says how that ended. Recorded.
    """
    room = services(request)
    return await giving_back.ask_back(
        room.directory.hall(hall),
        own_id(bill),
        body.request_no,
        who,
        amount_fen=body.amount_fen,
        reason=body.reason,
        limit_fen=room.settings.refund_approval_fen,
        now=room.clock.now(),
    )


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/refunds",
    summary=("大厅退款", "Refunds of a hall"),
    tag=TAG,
    guard=CLERK,
    query=RefundQuery,
    returns=RefundPage,
    refuses=[NotFound],
)
async def list_refunds(
    request: Request, who: Principal, hall: str, query: RefundQuery
) -> RefundPage:
    """The hall's refunds, newest first; `state=asked` are those a manager is to decide."""
    entry = services(request).directory.hall(hall)
    return await views.refunds_of_hall(entry.id, query.cursor, query.limit, query.state)


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/refunds/<refund_no:str>/approve",
    summary=("批准退款", "Approve a refund"),
    tag=TAG,
    guard=HALL_ADMIN,
    returns=RefundView,
    refuses=[NotFound, WrongStateRefusal, NeedsAnother],
)
async def approve_refund(request: Request, who: Principal, hall: str, refund_no: str) -> RefundView:
    """Let it go back; not by whoever asked for it. Recorded."""
    room = services(request)
    entry = room.directory.hall(hall)
    return await giving_back.decide(entry, refund_no, who, approve=True, now=room.clock.now())


@endpoint(
    bp,
    "POST",
    "/halls/<hall:str>/refunds/<refund_no:str>/reject",
    summary=("驳回退款", "Reject a refund"),
    tag=TAG,
    guard=HALL_ADMIN,
    returns=RefundView,
    refuses=[NotFound, WrongStateRefusal, NeedsAnother],
)
async def reject_refund(request: Request, who: Principal, hall: str, refund_no: str) -> RefundView:
    """Do not let it go back; not by whoever asked for it. Recorded."""
    room = services(request)
    entry = room.directory.hall(hall)
    return await giving_back.decide(entry, refund_no, who, approve=False, now=room.clock.now())
