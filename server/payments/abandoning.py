"""The worker decides about fees of numbers that are over and were not served."""

from datetime import datetime
from typing import Final

import structlog

from models import abandoning
from models.database import transaction
from server.faults import is_store_fault

log = structlog.get_logger()

_AT_ONCE: Final = 50


async def look_after_abandoned(now: datetime) -> int:
    """Decide about those whose time has come; how many there were."""
    due = await abandoning.due(now, _AT_ONCE)
    for bill_id in due:
        try:
            async with transaction() as tx:
                await abandoning.decide(tx, bill_id, now=now)
        except Exception as fault:
            if is_store_fault(fault):
                raise
            # One that cannot be done keeps no other from it: a person has to see.
            log.error("abandoned_not_decided", bill=str(bill_id), fault=type(fault).__name__)
    return len(due)
