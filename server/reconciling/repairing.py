"""Repairing what is safe: the channel is asked again, and its answer takes the usual way.

Nothing is settled on a statement's word: where it names a payment of an order of ours that we hold
for unpaid, the order is looked up as after a callback that never came, and settles as always.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog

from integrations.ports_payment import ChannelUnavailable, OutcomeUnknown
from models.database import rows
from models.orders import OrderState
from models.reconciliation import repairable, repaired
from server.payments.channels import refund_ref
from server.payments.looking import Channels, look, order_by
from server.payments.refunding import STEPS, conclude

log = structlog.get_logger()

_AT_ONCE: Final = 100
# Where a channel does not answer so often in a row, it is away: the rest is left for the next time.
_AWAY_AFTER: Final = 5


async def repair(
    run_id: UUID,
    channels: Channels,
    *,
    now: datetime,
    tell: Callable[[str, int, int], None],
) -> int:
    """Ask the channel about each difference that its answer may mend; how many it mended."""
    mended = asked = silent = 0
    after: UUID | None = None
    while found := await repairable(run_id, after, _AT_ONCE):
        for case in found:
            after = case["id"]
            answered = await (_ask_refund if case["refund_id"] else _ask_order)(case, channels, now)
            asked += 1
            silent = 0 if answered else silent + 1
            if answered and await _agrees(case):
                mended += await repaired(case["id"], now=now)
            tell("复查 asking again", asked, 0)
            if silent >= _AWAY_AFTER:
                log.warning("repairing_given_up", asked=asked, mended=mended)
                return mended
    return mended


async def _ask_order(case: Any, channels: Channels, now: datetime) -> bool:
    """Look an order up as where no callback came; whether the channel answered."""
    return await look(await order_by(case["order_id"]), channels, now)


async def _ask_refund(case: Any, channels: Channels, now: datetime) -> bool:
    """Ask how a refund ended and write it down; whether the channel answered."""
    (refund,) = await rows("SELECT * FROM refund WHERE id = $1", case["refund_id"])
    order = await order_by(refund["order_id"])
    channel = channels.get(order["channel"])
    if channel is None or refund["sent_at"] is None:
        return False
    try:
        told = await channel.query_refund(refund_ref(refund, order))
    except (ChannelUnavailable, OutcomeUnknown) as fault:
        log.warning("refund_not_told", refund=refund["refund_no"], fault=type(fault).__name__)
        return False
    step = STEPS.get(told.state)
    if step is not None and told.refund_fen in (None, refund["amount_fen"]):
        await conclude(refund, step, now, channel_refund_no=told.channel_refund_no)
    return True


async def _agrees(case: Any) -> bool:
    """Whether what the statement said is true here now."""
    if case["refund_id"]:
        (refund,) = await rows("SELECT state FROM refund WHERE id = $1", case["refund_id"])
        return bool(refund["state"] == case["theirs_state"])
    order = await order_by(case["order_id"])
    paid = order["state"] not in (OrderState.PENDING.value, OrderState.CLOSED.value)
    return paid and order["channel_no"] in (None, case["channel_no"])
