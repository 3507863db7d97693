"""Receipts over HTTP: for who paid, for staff of the hall, and for anybody who checks one."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from sanic import Blueprint, HTTPResponse, Request

from models.joined import current_id
from models.sessions import PersonKind
from server.auth import CITIZEN, CLERK, SIGNED_IN, Principal, own_id
from server.errors import NotFound, TooManyRequests
from server.http.addresses import public_address
from server.http.answers import Answer
from server.http.endpoint import address_of, endpoint
from server.http.paging import PageQuery
from server.receipts import painting, views
from server.receipts.checking import LONGEST, check
from server.receipts.paper import Paper
from server.receipts.refusals import ReceiptUnknown
from server.receipts.views import CheckedReceipt, ReceiptList, ReceiptPage, ReceiptView
from server.services import services

bp = Blueprint("receipts", url_prefix="/api/v1")
TAG: Final = "payments"
PDF, PNG = "application/pdf", "image/png"


class CodeTyped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code 校验码 of a receipt, as it stands on the paper; spaces do not matter."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)]


@endpoint(
    bp,
    "GET",
    "/receipts",
    summary=("我的票据", "My receipts"),
    tag=TAG,
    guard=CITIZEN,
    query=PageQuery,
    returns=ReceiptPage,
)
async def list_receipts(request: Request, who: Principal, query: PageQuery) -> ReceiptPage:
    """Receipts of what I paid, for me or for whom I acted, and red ones of what came back."""
    found = await views.of_citizen(who.id, query.cursor, query.limit)
    page = found[: query.limit]
    more = len(found) > query.limit
    return ReceiptPage(_views(request, page), str(page[-1]["id"]) if more else None)


@endpoint(
    bp,
    "GET",
    "/bills/<bill:str>/receipts",
    summary=("账单的票据", "The receipts of a bill"),
    tag=TAG,
    guard=SIGNED_IN,
    returns=ReceiptList,
    refuses=[NotFound],
)
async def list_receipts_of_bill(request: Request, who: Principal, bill: str) -> ReceiptList:
    """The receipt of a bill of mine or of my hall, and the red ones. None until it is paid."""
    found = await views.of_bill(own_id(bill))
    for row in found[:1]:
        await _check_may(request, who, row)
    if not found:
        await _check_may_unpaid(request, who, own_id(bill))
    return ReceiptList(_views(request, found))


@endpoint(
    bp,
    "GET",
    "/receipts/<receipt:str>",
    summary=("票据", "One receipt"),
    tag=TAG,
    guard=SIGNED_IN,
    returns=ReceiptView,
    refuses=[NotFound],
)
async def show_receipt(request: Request, who: Principal, receipt: str) -> ReceiptView:
    """A receipt of mine or of my hall, by its number."""
    (view,) = _views(request, [await _found(request, who, receipt)])
    return view


@endpoint(
    bp,
    "GET",
    "/receipts/<receipt:str>/receipt.pdf",
    summary=("票据 PDF", "A receipt as PDF"),
    tag=TAG,
    guard=SIGNED_IN,
    returns=bytes,
    content_type=PDF,
    refuses=[NotFound],
)
async def receipt_as_pdf(request: Request, who: Principal, receipt: str) -> HTTPResponse:
    """The receipt for printing; its QR code leads to the page that checks it."""
    return await _painted(request, who, receipt, painting.as_pdf, PDF)


@endpoint(
    bp,
    "GET",
    "/receipts/<receipt:str>/receipt.png",
    summary=("票据图片", "A receipt as a picture"),
    tag=TAG,
    guard=SIGNED_IN,
    returns=bytes,
    content_type=PNG,
    refuses=[NotFound],
)
async def receipt_as_png(request: Request, who: Principal, receipt: str) -> HTTPResponse:
    """The receipt for the phone's album; its QR code leads to the page that checks it."""
    return await _painted(request, who, receipt, painting.as_png, PNG)


@endpoint(
    bp,
    "POST",
    "/receipts/verify",
    summary=("查验票据", "Check a receipt"),
    tag=TAG,
    body=CodeTyped,
    returns=CheckedReceipt,
    refuses=[ReceiptUnknown, TooManyRequests],
)
async def verify_receipt(request: Request, body: CodeTyped) -> CheckedReceipt:
    """What the receipt with this code says, and whether anything of it went back.

    Nobody need sign in. Wrong codes are counted by address.
    """
    room = services(request)
    return views.checked(await check(body.code, address_of(request), room), room.sealer)


async def _found(request: Request, who: Principal, number: str) -> Any:
    row = await views.by_number(number)
    if row is None:
        raise NotFound
    await _check_may(request, who, row)
    return row


async def _check_may(request: Request, who: Principal, row: Any) -> None:
    """Raise NotFound unless it is hers, and NotAllowed for staff of another hall."""
    if who.kind is PersonKind.CITIZEN:
        me = await current_id(who.id)
        if me is None or me not in (row["citizen_id"], row["acting_id"]):
            raise NotFound
        return
    CLERK.admit(who, row["hall"], services(request).directory.halls)


async def _check_may_unpaid(request: Request, who: Principal, bill_id: UUID) -> None:
    found = await views.bill_of_whom(bill_id)
    if found is None:
        raise NotFound
    await _check_may(request, who, found)


async def _painted(
    request: Request,
    who: Principal,
    number: str,
    paint: Callable[[Paper], bytes],
    content_type: str,
) -> HTTPResponse:
    row = await _found(request, who, number)
    paper = views.paper_of(row, services(request).sealer, public_address(request))
    painted = await asyncio.to_thread(paint, paper)
    headers = {"Cache-Control": "private, no-store"}
    return Answer(painted, content_type=content_type, headers=headers)


def _views(request: Request, found: list[Any]) -> list[ReceiptView]:
    sealer, address = services(request).sealer, public_address(request)
    return [views.receipt_view(row, sealer, address) for row in found]
