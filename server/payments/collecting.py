"""The worker sends on whoever has paid while she waited, where her hall has a line for it."""

from datetime import datetime
from typing import Final

import structlog

from models import collecting
from models.decisions import deciding_in
from server.clock import microseconds
from server.faults import is_store_fault
from server.live.feed import Feed
from server.live.memory import Change

log = structlog.get_logger()

_AT_ONCE: Final = 50


async def look_after_collecting(feed: Feed, now: datetime) -> int:
    """Send on those whose bills are settled; how many bills there were."""
    due = await collecting.due(_AT_ONCE)
    for bill_id, ticket_id, hall_id, code in due:
        try:
            async with deciding_in(hall_id) as tx:
                version = await collecting.send_on(
                    tx, bill_id, ticket_id, (hall_id, code), now=now, version=microseconds()
                )
        except Exception as fault:
            if is_store_fault(fault):
                raise
            # One that cannot go keeps no other from it.
            log.error("paid_not_sent_on", bill=str(bill_id), fault=type(fault).__name__)
            continue
        if version is not None:
            await feed.changed(Change(code), Change(code, ticket_id, version))
    return len(due)
