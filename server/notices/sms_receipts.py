"""Where vendors of text messages tell what became of them: verified, kept once, thanked for."""

import re
from typing import Final
from uuid import UUID

import structlog
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from integrations.ports_message import Receipt
from integrations.ports_payment import NotGenuine
from models import notice_receipts
from models.database import transaction
from server.auth import CHANNEL
from server.errors import NotAvailable, TooLarge
from server.faults import is_store_fault
from server.http.answers import JSON, Answer
from server.http.endpoint import Also, endpoint
from server.services import services

log = structlog.get_logger()

bp = Blueprint("sms_receipts", url_prefix="/callbacks")
TAG: Final = "callbacks"
# The channel whose messages these are, as attempts name it.
_SMS: Final = "sms"
_NOTICE: Final = re.compile(r"[0-9a-f]{32}")


@endpoint(
    bp,
    "POST",
    "/sms/<vendor:str>/receipts",
    summary=("短信回执", "A vendor tells what became of text messages"),
    tag=TAG,
    guard=CHANNEL,
    returns=dict[str, int | str],
    refuses=[NotAvailable, TooLarge],
    also=(
        Also(403, "Not from the vendor, stale, or nothing that it says.", dict[str, str]),
        Also(503, "It could not be stored: the vendor comes again.", dict[str, str]),
    ),
)
async def vendor_tells(request: Request, vendor: str) -> HTTPResponse:
    """Receipts as `gateway` (signed), `aliyun` or `tencent` (`?key=`) write them; thanked for as
    that vendor wants it. What did not arrive is told by another channel. The same again changes
    nothing.
    """
    reader = services(request).platforms.receipts.get(vendor)
    if reader is None:
        raise NotAvailable
    query = {name: values[0] for name, values in request.args.items() if values}
    try:
        receipts = reader.read(request.path, request.headers, query, request.body)
        await _take(receipts)
    except NotGenuine as fault:
        await request.app.ctx.refused_callbacks.note("sms_receipts", fault.reason)
        return _said(b'{"code": "refused"}', 403)
    except Exception as fault:
        if not is_store_fault(fault):
            raise
        log.error("receipt_not_stored", fault=type(fault).__name__)
        return _said(b'{"code": "later"}', 503)
    return _said(reader.thanks)


async def _take(receipts: list[Receipt]) -> None:
    if not receipts:
        return
    async with transaction() as tx:
        await notice_receipts.take(tx, _SMS, [_told(each) for each in receipts])
    await notice_receipts.go_on(
        [(_SMS, each.message_no) for each in receipts if each.code is not None]
    )


def _told(receipt: Receipt) -> notice_receipts.Told:
    """What it says; our reference of a notice is its id."""
    reference = receipt.reference or ""
    return notice_receipts.Told(
        message_no=receipt.message_no,
        code=receipt.code,
        reference=UUID(hex=reference) if _NOTICE.fullmatch(reference) else None,
    )


def _said(body: bytes, status: int = 200) -> HTTPResponse:
    return Answer(body, status=status, content_type=JSON)
