"""Which days are still to be reconciled: those of the last week that no run has compared yet."""

from datetime import date, datetime, timedelta
from typing import Final

from integrations.ports_bill import FundsChannel
from models.database import rows
from models.reconciliation import Statement
from scheduler.calendar import SHANGHAI
from server.payments.looking import Channels

# Channels have a day's statement some hours into the next; whatever was away is found again.
LOOKS_BACK_DAYS: Final = 7


async def days_due(now: datetime, channels: Channels) -> list[date]:
    """Days that are over and lack a run of any of these channels' statements, oldest first."""
    today = now.astimezone(SHANGHAI).date()
    days = [today - timedelta(days=back) for back in range(LOOKS_BACK_DAYS, 0, -1)]
    found = await rows(
        "SELECT day, array_agg(channel || ' ' || statement) AS had FROM reconciliation_run"
        " WHERE day = ANY($1) GROUP BY day",
        days,
    )
    done = {row["day"]: set(row["had"]) for row in found}
    wanted = {f"{name} {Statement.TRADES}" for name in channels} | {
        f"{name} {Statement.FUNDS}"
        for name, channel in channels.items()
        if isinstance(channel, FundsChannel)
    }
    return [day for day in days if wanted - done.get(day, set())]
