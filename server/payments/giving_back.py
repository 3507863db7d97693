"""Staff give money back: asked for at the counter, approved by a manager above the city's limit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from models import refunds
from models.audit import Entry, record
from models.bills import BillState
from models.database import Transaction, transaction
from models.refunds import RefundReason, RequestReused, TooMuch, Wish
from models.tickets import Actor, WrongState
from server.auth import Principal
from server.errors import NotFound
from server.halls.directory import HallEntry
from server.payments.billing import lock_of_hall
from server.payments.refusals import NeedsAnother, RefundTooMuch, RequestNoReused
from server.payments.views import RefundView, refund_view


async def ask_back(
    hall: HallEntry,
    bill_id: UUID,
    request_no: str,
    who: Principal,
    *,
    amount_fen: int | None,
    reason: RefundReason,
    limit_fen: int,
    now: datetime,
) -> RefundView:
    """Ask for some of a paid bill to go back, or all that is left; the same request is once.

    Raises NotFound, WrongState, RefundTooMuch or RequestNoReused.
    """
    async with transaction() as tx:
        bill = await lock_of_hall(tx, hall, bill_id)
        if bill["settled_by"] is None:
            state = BillState(bill["state"])
            raise WrongState(f"refund of {state}", state)
        order = await refunds.lock_order(tx, bill["settled_by"])
        amount = amount_fen if amount_fen is not None else await _all(tx, order, request_no)
        actor = Actor("staff", who.id)
        wish = Wish(request_no, amount, reason, actor, approved=amount <= limit_fen)
        try:
            row, new = await refunds.ask(tx, order, wish, now=now)
        except TooMuch:
            raise RefundTooMuch from None
        except RequestReused:
            raise RequestNoReused from None
        view = refund_view(row, order["order_no"])
        if new:
            detail = {"amount_fen": amount, "reason": reason.value, "hall": hall.code}
            entry = Entry(actor, "refund.asked", "refund", view.refund_no, detail=detail)
            await record(tx, entry)
    return view


async def decide(
    hall: HallEntry, refund_no: str, who: Principal, *, approve: bool, now: datetime
) -> RefundView:
    """A manager approves or rejects a refund that somebody else asked for.

    Raises NotFound, NeedsAnother, or WrongState when it is decided.
    """
    async with transaction() as tx:
        found = await tx.row(
            "SELECT r.order_id FROM refund r JOIN pay_order o ON o.id = r.order_id"
            " JOIN bill b ON b.id = o.bill_id WHERE r.refund_no = $1 AND b.hall_id = $2",
            refund_no,
            hall.id,
        )
        if found is None:
            raise NotFound
        order = await refunds.lock_order(tx, found["order_id"])
        row = await tx.row("SELECT * FROM refund WHERE refund_no = $1 FOR UPDATE", refund_no)
        assert row is not None, "refunds are never deleted"
        if row["asked_by_id"] == who.id:
            raise NeedsAnother
        await refunds.decide(tx, order, row, approve=approve, by=who.id, now=now)
        after = await tx.row("SELECT * FROM refund WHERE refund_no = $1", refund_no)
        action = "refund.approved" if approve else "refund.rejected"
        detail = {"amount_fen": row["amount_fen"], "hall": hall.code}
        await record(tx, Entry(Actor("staff", who.id), action, "refund", refund_no, detail=detail))
    return refund_view(after, order["order_no"])


async def _all(tx: Transaction, order: Any, request_no: str) -> int:
    """All that is left of an order; for a request that was made before, what it was over."""
    before = await tx.row(
        "SELECT amount_fen FROM refund WHERE order_id = $1 AND request_no = $2",
        order["id"],
        request_no,
    )
    if before is not None:
        return int(before["amount_fen"])
    left: int = order["amount_fen"] - order["refunding_fen"] - order["refunded_fen"]
    if left <= 0:
        raise RefundTooMuch
    return left
