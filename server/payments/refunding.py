"""Giving money back: asked of the channel with one number until it says how that ended."""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from integrations.ports_payment import (
    ChannelRefund,
    ChannelRefused,
    ChannelUnavailable,
    OutcomeUnknown,
    PaymentChannel,
)
from models import refunds
from models.audit import Entry, record
from models.database import rows, transaction
from models.refunds import LADDER, RefundState
from models.tickets import SYSTEM, WrongState
from server.faults import is_store_fault
from server.payments.channels import new_refund, refund_ref
from server.payments.looking import Channels

log = structlog.get_logger()

_LEASE: Final = timedelta(seconds=60)
_AT_ONCE: Final = 20
# The channel would, but for something that people mend: it is asked again.
_NOTHING: Final[ChannelRefund | None] = None
_WORKS_LATER: Final = frozenset({"balance_short"})
STEPS: Final = {"done": "finish", "failed": "fail", "stuck": "stick"}


async def look_after_refunds(channels: Channels, public_url: str, now: datetime) -> int:
    """Ask for each refund whose time has come, or how it stands; how many."""
    due = await rows(
        """
        UPDATE refund SET try_at = $1::timestamptz + $2::interval,
            sent_at = coalesce(sent_at, $1), tries = tries + 1
        WHERE id IN (
            SELECT id FROM refund WHERE state IN ('approved', 'pending') AND try_at <= $1
            ORDER BY try_at LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING *
        """,
        now,
        _LEASE,
        _AT_ONCE,
    )
    for refund in due:
        try:
            await _look_after(refund, channels, public_url, now)
        except Exception as fault:
            if is_store_fault(fault):
                raise
            # One that cannot be done keeps no other from it: a person has to see.
            log.error("refund_not_done", refund=refund["refund_no"], fault=type(fault).__name__)
    return len(due)


async def _look_after(refund: Any, channels: Channels, public_url: str, now: datetime) -> None:
    (order,) = await rows("SELECT * FROM pay_order WHERE id = $1", refund["order_id"])
    channel, told = channels.get(order["channel"]), _NOTHING
    try:
        if channel is not None:
            told = await _asked(channel, refund, order, public_url)
    except ChannelRefused as no:
        if no.reason not in _WORKS_LATER:
            await conclude(refund, "fail", now, fault=no.reason)
            return
        log.error("refund_waits", refund=refund["refund_no"], reason=no.reason)
    except (ChannelUnavailable, OutcomeUnknown) as fault:
        log.warning("refund_not_told", refund=refund["refund_no"], fault=type(fault).__name__)
    await _learn(refund, told, now)


async def _asked(
    channel: PaymentChannel, refund: Any, order: Any, public_url: str
) -> ChannelRefund:
    """Ask for it, or after it. What the channel has never heard of is asked for again."""
    if refund["state"] == RefundState.PENDING.value:
        told = await channel.query_refund(refund_ref(refund, order))
        if told.state != "absent":
            return told
    return await channel.refund(new_refund(refund, order, public_url))


async def _learn(refund: Any, told: ChannelRefund | None, now: datetime) -> None:
    if told is not None and told.refund_fen not in (None, refund["amount_fen"]):
        await _differs(refund)
        told = None
    if told is not None and told.state in STEPS:
        await conclude(refund, STEPS[told.state], now, channel_refund_no=told.channel_refund_no)
        return
    again = now + LADDER[min(refund["tries"], len(LADDER)) - 1]
    await rows(
        """
        UPDATE refund SET try_at = $2, state = CASE WHEN $3 THEN 'pending' ELSE state END,
            channel_refund_no = coalesce($4, channel_refund_no)
        WHERE id = $1 AND state IN ('approved', 'pending')
        """,
        refund["id"],
        again,
        told is not None,
        told.channel_refund_no if told else None,
    )


async def conclude(
    refund: Any,
    what: str,
    now: datetime,
    *,
    channel_refund_no: str | None = None,
    fault: str | None = None,
) -> bool:
    """Write down how a refund ended; False where that contradicts what is known."""
    async with transaction() as tx:
        order = await refunds.lock_order(tx, refund["order_id"])
        held = await tx.row("SELECT * FROM refund WHERE id = $1 FOR UPDATE", refund["id"])
        try:
            changed = await refunds.conclude(
                tx,
                order,
                held,
                what,
                now=now,
                channel_refund_no=channel_refund_no,
                fault=fault,
            )
        except WrongState:
            log.error("refund_contradicted", refund=refund["refund_no"], said=what)
            return False
        if changed and what != "finish":
            detail = {"said": what, "fault": fault}
            entry = Entry(SYSTEM, "refund.not_done", "refund", refund["refund_no"], detail=detail)
            await record(tx, entry)
    return True


async def _differs(refund: Any) -> None:
    """The channel says that another amount went back than we asked for: a person has to see."""
    log.error("refund_differs", refund=refund["refund_no"])
    async with transaction() as tx:
        detail = {"reason": "amount_differs"}
        await record(
            tx, Entry(SYSTEM, "refund.differs", "refund", refund["refund_no"], detail=detail)
        )
