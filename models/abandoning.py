"""What becomes of a fee whose number was given up, or missed for good: its hall's rule decides.

A trigger on the events marks the bill in the transaction that ends the number. Here it is decided,
once nobody may come back for the number any more: what is not paid is asked for no more, what is
paid goes back or is held. The bill says which, and so does a notice to whose the money is.
"""

import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from models import bills, notices, refunds
from models.bills import Abandoned, BillState
from models.database import Transaction, rows
from models.notice_kinds import NoticeKind
from models.refunds import RefundReason, Wish
from models.tickets import SYSTEM
from scheduler.discipline import Rules

_RULE: Final = "coalesce((hall.rules->>'{name}')::int, {usual})"
_GRACE: Final = _RULE.format(name="grace_min", usual=Rules().grace_min)
_REFUND: Final = _RULE.format(name="refund_abandoned", usual=Rules().refund_abandoned)
# A number that was missed may come back for a while; one that the day's end ended may not.
_DUE: Final = f"""
    SELECT b.id, {_REFUND} = 1 AS goes_back
    FROM bill b JOIN ticket t ON t.id = b.ticket_id JOIN hall ON hall.id = t.hall_id
    WHERE b.abandoned_at IS NOT NULL AND b.abandoned IS NULL
      AND (t.state = 'cancelled' OR t.state = 'missed' AND (
          t.lapsed OR t.ended_at + make_interval(mins => {_GRACE}) < $1))
"""


async def due(now: datetime, most: int) -> list[UUID]:
    """Bills to be decided about, the longest abandoned first."""
    found = await rows(f"{_DUE} ORDER BY b.abandoned_at LIMIT $2", now, most)
    return [row["id"] for row in found]


async def decide(tx: Transaction, bill_id: UUID, *, now: datetime) -> None:
    """Decide about one, unless that is done or she came back."""
    bill = await bills.lock(tx, bill_id)
    found = await tx.row(f"{_DUE} AND b.id = $2", now, bill_id)
    if bill is None or found is None:
        return
    if bill["state"] != BillState.PAID.value:
        done = Abandoned.CANCELLED
        if bill["state"] == BillState.DUE.value:
            await bills.cancel(tx, bill, reason="abandoned", now=now)
    else:
        done = await _of_paid(tx, bill, goes_back=found["goes_back"], now=now)
    await tx.run("UPDATE bill SET abandoned = $2 WHERE id = $1", bill_id, done.value)


async def _of_paid(tx: Transaction, bill: Any, *, goes_back: bool, now: datetime) -> Abandoned:
    order = await refunds.lock_order(tx, bill["settled_by"])
    left = order["amount_fen"] - order["refunding_fen"] - order["refunded_fen"]
    if left > 0 and goes_back:
        wish = Wish("abandoned", left, RefundReason.NOT_SERVED, SYSTEM, approved=True)
        await refunds.ask(tx, order, wish, now=now)
    if left > 0:
        kind = NoticeKind.BILL_GOING_BACK if goes_back else NoticeKind.BILL_HELD
        await _tell(tx, bill, kind, left, now)
    return Abandoned.REFUNDED if goes_back else Abandoned.HELD


async def _tell(tx: Transaction, bill: Any, kind: NoticeKind, fen: int, now: datetime) -> None:
    facts = json.dumps({"title": bill["title"], "amount_fen": fen})
    whose = {bill["citizen_id"], bill["acting_id"]} - {None}
    new = [
        notices.New(
            event_key=f"abandoned:{bill['id']}",
            citizen_id=who,
            kind=kind,
            facts=facts,
            happened_at=now,
            ticket_id=bill["ticket_id"],
            hall_id=bill["hall_id"],
            subject_id=bill["id"],
        )
        for who in sorted(whose)
    ]
    await notices.write(new, tx=tx)
