"""The worker makes a fee that is held go with her next number."""

from typing import Final

import structlog

from models import carrying
from models.database import transaction
from server.faults import is_store_fault

log = structlog.get_logger()

_AT_ONCE: Final = 50


async def look_after_held() -> int:
    """Carry what is held to numbers that it would do for; how many went."""
    carried = 0
    for bill_id, ticket_id in await carrying.due(_AT_ONCE):
        try:
            async with transaction() as tx:
                carried += await carrying.carry(tx, bill_id, ticket_id)
        except Exception as fault:
            if is_store_fault(fault):
                raise
            # One that cannot go keeps no other from it.
            log.error("held_not_carried", bill=str(bill_id), fault=type(fault).__name__)
    return carried
