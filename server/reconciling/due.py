"""Which days are still to be reconciled: those of the last week that no run has compared yet."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Final

from models.database import rows
from scheduler.calendar import SHANGHAI

# Channels have a day's statement some hours into the next; whatever was away is found again.
LOOKS_BACK_DAYS: Final = 7


async def days_due(now: datetime, channels: Collection[str]) -> list[date]:
    """Days that are over and lack a run of any of these channels, oldest first."""
    today = now.astimezone(SHANGHAI).date()
    days = [today - timedelta(days=back) for back in range(LOOKS_BACK_DAYS, 0, -1)]
    found = await rows(
        "SELECT day, array_agg(channel) AS channels FROM reconciliation_run"
        " WHERE day = ANY($1) AND statement = 'trades' GROUP BY day",
        days,
    )
    done = {row["day"]: set(row["channels"]) for row in found}
    return [day for day in days if set(channels) - done.get(day, set())]
