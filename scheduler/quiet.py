"""Quiet hours: when nobody is told what can wait."""

from datetime import datetime
from typing import Final

from scheduler.calendar import SHANGHAI

# Minutes of the day.
QUIET_FROM: Final = 22 * 60
QUIET_TO: Final = 8 * 60
_DAY: Final = 24 * 60


def quiet_s(now: datetime, quiet_from: int = QUIET_FROM, quiet_to: int = QUIET_TO) -> float:
    """How many seconds of quiet hours are left at `now`; 0 outside, or where there are none.

    They go from one minute of the day in Shanghai to another, over midnight perhaps.
    """
    local = now.astimezone(SHANGHAI)
    minute = local.hour * 60 + local.minute + local.second / 60
    length = (quiet_to - quiet_from) % _DAY
    since = (minute - quiet_from) % _DAY
    return (length - since) * 60 if since < length else 0.0
