"""Bills, payments and refunds as they are shown."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from models.bills import Abandoned, BillState
from models.database import Transaction, rows
from models.joined import HER_ID
from models.orders import OrderState
from models.refunds import RefundReason, RefundState
from scheduler.calendar import SHANGHAI
from server.halls.directory import Directory


class BillView(msgspec.Struct, frozen=True, kw_only=True):
    """What is owed for one thing. `payment` says how its money stands, once it is paid.

    `bill_no` is what a bank's counter and a paper slip name it by; `receipt` the number of its
    receipt. `title_en`: the item's name, or the title as it is. `abandoned`: what was done about
    it, as nobody came for its number.
    """

    id: UUID
    bill_no: str
    state: BillState
    title: str
    title_en: str
    amount_fen: int
    hall: str | None
    item: str | None
    ticket: UUID | None
    made_at: datetime
    paid_at: datetime | None
    payment: OrderState | None
    order_no: str | None
    refunded_fen: int
    receipt: str | None
    abandoned: Abandoned | None


class BillPage(msgspec.Struct, frozen=True):
    """Bills, newest first, a page at a time."""

    data: list[BillView]
    next_cursor: str | None


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to pay a bill through one channel.

    `pending` may be paid until `expires_at`; `closed` was not, and cannot be any more. `receipt` is
    the number of the receipt of what settled its bill.
    """

    order_no: str
    state: OrderState
    bill_id: UUID
    channel: str
    amount_fen: int
    refunded_fen: int
    placed_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    receipt: str | None


class PreparedPayment(PaymentView, frozen=True, kw_only=True):
    """A payment to be made: `client_params` is what the mini-program hands to its platform."""

    client_params: dict[str, Any]


class RefundView(msgspec.Struct, frozen=True, kw_only=True):
    """So much of a payment that goes back. `asked`: a manager is to approve it."""

    refund_no: str
    request_no: str
    order_no: str
    state: RefundState
    amount_fen: int
    reason: RefundReason
    asked_at: datetime
    ended_at: datetime | None


class RefundPage(msgspec.Struct, frozen=True):
    """Refunds, newest first, a page at a time."""

    data: list[RefundView]
    next_cursor: str | None


_BILL: Final = """
    SELECT b.*, o.state AS payment, o.order_no, o.paid_at, coalesce(o.refunded_fen, 0) AS refunded,
           h.code AS hall, i.code AS item,
           CASE WHEN b.title = i.name THEN i.name_en ELSE b.title END AS title_en,
           (SELECT r.number FROM receipt r
            WHERE r.order_id = o.id AND r.kind = 'paid') AS receipt
    FROM {which} b LEFT JOIN pay_order o ON o.id = b.settled_by
    LEFT JOIN hall h ON h.id = b.hall_id LEFT JOIN item i ON i.id = b.item_id
"""
_OF_CITIZEN: Final = """(
        (SELECT b.* FROM bill b WHERE citizen_id = her.id AND ($2::uuid IS NULL OR id < $2)
         AND ($4::text IS NULL OR state = $4) ORDER BY id DESC LIMIT $3)
        UNION ALL
        (SELECT b.* FROM bill b WHERE acting_id = her.id AND citizen_id IS DISTINCT FROM her.id
         AND ($2::uuid IS NULL OR id < $2) AND ($4::text IS NULL OR state = $4)
         ORDER BY id DESC LIMIT $3))"""
_MINE: Final = (
    _BILL.format(which=f"(SELECT {HER_ID} AS id) her CROSS JOIN LATERAL {_OF_CITIZEN}")
    + " ORDER BY b.id DESC LIMIT $3"
)
_OF_HALL: Final = (
    _BILL.format(which="bill")
    + " WHERE b.hall_id = $1 AND ($2::uuid IS NULL OR b.id < $2)"
    + " AND ($4::text IS NULL OR b.state = $4) ORDER BY b.id DESC LIMIT $3"
)
_ONE: Final = _BILL.format(which="bill") + " WHERE b.id = $1"
_OF_TICKET: Final = _BILL.format(which="bill") + " WHERE b.ticket_id = $1 ORDER BY b.id"
_REFUNDS: Final = """
    SELECT r.*, o.order_no FROM refund r JOIN pay_order o ON o.id = r.order_id
    JOIN bill b ON b.id = o.bill_id
    WHERE b.hall_id = $1 AND ($2::uuid IS NULL OR r.id < $2)
      AND ($4::text IS NULL OR r.state = $4) ORDER BY r.id DESC LIMIT $3
"""


async def bill(bill_id: UUID, tx: Transaction | None = None) -> BillView:
    """One bill, whosever it is."""
    (found,) = await rows(_ONE, bill_id, tx=tx)
    return _bill(found)


async def bills_of_ticket(ticket_id: UUID) -> list[BillView]:
    """All bills for a number, oldest first."""
    return [_bill(row) for row in await rows(_OF_TICKET, ticket_id)]


async def bills_of(
    citizen_id: UUID, cursor: UUID | None, limit: int, state: BillState | None
) -> BillPage:
    """Hers, and those she took upon her for others, newest first."""
    return _bills(await rows(_MINE, citizen_id, cursor, limit + 1, state and state.value), limit)


async def bills_of_hall(
    hall_id: UUID, cursor: UUID | None, limit: int, state: BillState | None
) -> BillPage:
    """A hall's, newest first."""
    return _bills(await rows(_OF_HALL, hall_id, cursor, limit + 1, state and state.value), limit)


async def refunds_of_hall(
    hall_id: UUID, cursor: UUID | None, limit: int, state: RefundState | None
) -> RefundPage:
    """A hall's refunds, newest first."""
    found = await rows(_REFUNDS, hall_id, cursor, limit + 1, state and state.value)
    page = [refund_view(row, row["order_no"]) for row in found[:limit]]
    more = len(found) > limit
    return RefundPage(page, str(found[limit - 1]["id"]) if more else None)


def _bills(found: list[Any], limit: int) -> BillPage:
    page = [_bill(row) for row in found[:limit]]
    return BillPage(page, str(page[-1].id) if len(found) > limit else None)


def _bill(row: Any) -> BillView:
    return BillView(
        id=row["id"],
        bill_no=row["bill_no"],
        state=BillState(row["state"]),
        title=row["title"],
        title_en=row["title_en"],
        amount_fen=row["amount_fen"],
        hall=row["hall"],
        item=row["item"],
        ticket=row["ticket_id"],
        made_at=row["made_at"].astimezone(SHANGHAI),
        paid_at=_local(row["paid_at"]),
        payment=OrderState(row["payment"]) if row["payment"] else None,
        order_no=row["order_no"],
        refunded_fen=row["refunded"],
        receipt=row["receipt"],
        abandoned=Abandoned(row["abandoned"]) if row["abandoned"] else None,
    )


def payment_view(order: Any) -> PaymentView:
    """An order's row as its payer sees it."""
    return PaymentView(**payment_facts(order))


def payment_facts(order: Any) -> dict[str, Any]:
    """What is shown of an order's row."""
    return {
        "order_no": order["order_no"],
        "state": OrderState(order["state"]),
        "bill_id": order["bill_id"],
        "channel": order["channel"],
        "amount_fen": order["amount_fen"],
        "refunded_fen": order["refunded_fen"],
        "placed_at": order["placed_at"].astimezone(SHANGHAI),
        "expires_at": order["close_at"].astimezone(SHANGHAI),
        "paid_at": _local(order["paid_at"]),
        "receipt": order.get("receipt"),
    }


def refund_view(row: Any, order_no: str) -> RefundView:
    """A refund's row as staff see it."""
    return RefundView(
        refund_no=row["refund_no"],
        request_no=row["request_no"],
        order_no=order_no,
        state=RefundState(row["state"]),
        amount_fen=row["amount_fen"],
        reason=RefundReason(row["reason"]),
        asked_at=row["asked_at"].astimezone(SHANGHAI),
        ended_at=_local(row["ended_at"]),
    )


def title_of(item: str, directory: Directory) -> str:
    """What she pays for, where it is an item's fee."""
    return directory.item(item).name


def _local(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(SHANGHAI)
