"""Whether whoever stands at a counter has paid: for the clerk, before she begins."""

from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from models.bills import BillState
from models.database import rows
from models.orders import OrderState
from server.halls.directory import Directory, HallEntry
from server.payments.views import BillView, bills_of_ticket


class Paid(StrEnum):
    """Whether there is something to pay."""

    FREE = "free"
    UNPAID = "unpaid"
    PAID = "paid"


class CounterPayment(msgspec.Struct, frozen=True, kw_only=True):
    """Who is at a counter, what her item costs, and all bills for her number.

    `unpaid`: something is due, or the item costs something that nobody has paid or that went back.
    """

    ticket: UUID
    number: str
    item: str
    fee_fen: int
    paid: Paid
    bills: list[BillView]


_AT: Final = """
    SELECT t.id, t.number, t.item_id FROM ticket t JOIN counter c ON c.id = t.counter_id
    WHERE c.hall_id = $1 AND c.code = $2 AND t.state IN ('called', 'serving')
"""


async def payment_at(hall: HallEntry, counter: str, directory: Directory) -> CounterPayment | None:
    """What there is to be paid at a counter; None where nobody is, or there is no such counter."""
    found = await rows(_AT, hall.id, counter)
    if not found:
        return None
    row, item = found[0], directory.item_by_id(found[0]["item_id"])
    bills = await bills_of_ticket(row["id"])
    return CounterPayment(
        ticket=row["id"],
        number=row["number"],
        item=item.code,
        fee_fen=item.fee_fen,
        paid=standing(item.fee_fen, bills),
        bills=bills,
    )


def standing(fee_fen: int, bills: list[BillView]) -> Paid:
    """Whether a number with these bills is paid for."""
    if any(bill.state is BillState.DUE for bill in bills):
        return Paid.UNPAID
    settled = [bill for bill in bills if bill.payment not in (None, OrderState.REFUNDED)]
    if settled:
        return Paid.PAID
    return Paid.UNPAID if fee_fen else Paid.FREE
