"""Receipts as they are shown: to who paid, to her hall, and to anybody who has the paper."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from models.database import rows
from models.identifiers import mask_name
from models.joined import HER_ID
from models.knowing import NAME
from models.receipts import ReceiptKind
from models.sealing import NotOpened, Sealer
from scheduler.calendar import SHANGHAI
from server.receipts.paper import Paper

CHANNELS: Final = {
    "wechat": ("微信支付", "WeChat Pay"),
    "alipay": ("支付宝", "Alipay"),
    "unionpay": ("银联", "UnionPay"),
    "bank": ("银行柜台", "Bank counter"),
}


class ReceiptStanding(StrEnum):
    """What a receipt is worth by now. A red one is genuine, and stands for what went back."""

    GENUINE = "genuine"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


class CheckedReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt says, and what has become of it: to be compared with the paper.

    Of a `red` one `amount_fen` is what went back of its `original`; `reversed_by` are the red ones
    of this. `payer` is masked; null where no name is known.
    """

    number: str
    kind: ReceiptKind
    state: ReceiptStanding
    issuer: str
    payer: str | None
    title: str
    amount_fen: int
    refunded_fen: int
    paid_at: datetime
    issued_at: datetime
    original: str | None
    reversed_by: list[str]


class ReceiptView(CheckedReceipt, frozen=True, kw_only=True):
    """A receipt of hers. `page` is what its QR code opens, and `code` what one may type there."""

    bill_id: UUID
    bill_no: str
    order_no: str
    channel: str
    hall: str | None
    code: str
    page: str


class ReceiptPage(msgspec.Struct, frozen=True):
    """Receipts, newest first, a page at a time."""

    data: list[ReceiptView]
    next_cursor: str | None


class ReceiptList(msgspec.Struct, frozen=True):
    """All receipts of one bill: the original, then those that reverse it, in their order."""

    data: list[ReceiptView]


_WHOLE: Final = """
    SELECT r.*, b.title, b.bill_no, b.citizen_id, b.acting_id, h.code AS hall, h.name AS hall_name,
           o.order_no, o.channel, o.paid_at, p.number AS original, t.shown_as,
           c.id AS named_id, c.name,
           (SELECT coalesce(array_agg(red.number ORDER BY red.id), '{{}}')
            FROM receipt red WHERE red.original_id = r.id) AS reversed_by,
           (SELECT coalesce(sum(red.amount_fen), 0)
            FROM receipt red WHERE red.original_id = r.id)::bigint AS refunded
    FROM {which}
    JOIN pay_order o ON o.id = r.order_id
    LEFT JOIN receipt p ON p.id = r.original_id LEFT JOIN hall h ON h.id = b.hall_id
    LEFT JOIN ticket t ON t.id = b.ticket_id
    LEFT JOIN citizen c ON c.id = b.citizen_id
"""
_BILLED: Final = "receipt r JOIN bill b ON b.id = r.bill_id"
_BY_NUMBER: Final = _WHOLE.format(which=_BILLED) + " WHERE r.number = $1"
_BY_CODE: Final = _WHOLE.format(which=_BILLED) + " WHERE r.code = $1"
_OF_BILL: Final = _WHOLE.format(which=_BILLED) + " WHERE r.bill_id = $1 ORDER BY r.kind, r.id"
_MINE: Final = (
    _WHOLE.format(
        which=f"""(SELECT {HER_ID} AS id) her
        JOIN bill b ON her.id IN (b.citizen_id, b.acting_id) JOIN receipt r ON r.bill_id = b.id"""
    )
    + " WHERE $2::uuid IS NULL OR r.id < $2 ORDER BY r.id DESC LIMIT $3"
)


async def by_number(number: str) -> Any | None:
    """A receipt's row with all that is shown of it, whosever it is."""
    found = await rows(_BY_NUMBER, number)
    return found[0] if found else None


async def by_code(code: str) -> Any | None:
    """The receipt that a code belongs to."""
    found = await rows(_BY_CODE, code)
    return found[0] if found else None


async def of_bill(bill_id: UUID) -> list[Any]:
    """The receipts of a bill, the original first."""
    return await rows(_OF_BILL, bill_id)


async def of_citizen(citizen_id: UUID, cursor: UUID | None, limit: int) -> list[Any]:
    """Those of her bills, and of those she took upon her; one more than `limit` if there is."""
    return await rows(_MINE, citizen_id, cursor, limit + 1)


async def bill_of_whom(bill_id: UUID) -> Any | None:
    """Whose a bill is, and of which hall; for one that has no receipt yet."""
    found = await rows(
        "SELECT b.citizen_id, b.acting_id, h.code AS hall"
        " FROM bill b LEFT JOIN hall h ON h.id = b.hall_id WHERE b.id = $1",
        bill_id,
    )
    return found[0] if found else None


def checked(row: Any, sealer: Sealer) -> CheckedReceipt:
    """What anybody sees who has the paper."""
    return CheckedReceipt(**_facts(row, sealer))


def receipt_view(row: Any, sealer: Sealer, address: str) -> ReceiptView:
    """What she sees, or her hall; `address` is where our pages are found."""
    return ReceiptView(
        **_facts(row, sealer),
        bill_id=row["bill_id"],
        bill_no=row["bill_no"],
        order_no=row["order_no"],
        channel=row["channel"],
        hall=row["hall"],
        code=row["code"],
        page=page_of(row, address),
    )


def paper_of(row: Any, sealer: Sealer, address: str) -> Paper:
    """A receipt as it is printed."""
    return Paper(
        number=row["number"],
        original=row["original"],
        issuer=row["issuer_name"],
        payer=_payer(row, sealer),
        title=row["title"],
        amount_fen=row["amount_fen"],
        channel=CHANNELS[row["channel"]],
        hall=row["hall_name"],
        bill_no=row["bill_no"],
        order_no=row["order_no"],
        paid_at=row["paid_at"].astimezone(SHANGHAI),
        issued_at=row["issued_at"].astimezone(SHANGHAI),
        code=row["code"],
        page=page_of(row, address),
    )


def page_of(row: Any, address: str) -> str:
    """The page that checks it."""
    return f"{address}/verify/{row['code']}"


def standing(amount_fen: int, refunded_fen: int) -> ReceiptStanding:
    """What a receipt is worth, by what has gone back of it."""
    if not refunded_fen:
        return ReceiptStanding.GENUINE
    whole = refunded_fen == amount_fen
    return ReceiptStanding.REFUNDED if whole else ReceiptStanding.PARTLY_REFUNDED


def _facts(row: Any, sealer: Sealer) -> dict[str, Any]:
    return {
        "number": row["number"],
        "kind": ReceiptKind(row["kind"]),
        "state": standing(row["amount_fen"], row["refunded"]),
        "issuer": row["issuer_name"],
        "payer": _payer(row, sealer),
        "title": row["title"],
        "amount_fen": row["amount_fen"],
        "refunded_fen": row["refunded"],
        "paid_at": row["paid_at"].astimezone(SHANGHAI),
        "issued_at": row["issued_at"].astimezone(SHANGHAI),
        "original": row["original"],
        "reversed_by": list(row["reversed_by"]),
    }


def _payer(row: Any, sealer: Sealer) -> str | None:
    """For whom it was paid, masked: by her account, or as the hall wrote her name down."""
    if row["name"] is None:
        shown: str | None = row["shown_as"]
        return shown
    try:
        return mask_name(sealer.open(row["name"], field=NAME, owner=row["named_id"]))
    except NotOpened:
        return None
