"""Who does something at which counter."""

from dataclasses import dataclass
from datetime import datetime

from server.auth import Principal
from server.halls.directory import HallEntry


@dataclass(frozen=True, slots=True)
class At:
    """A counter at which somebody of staff does something, and when."""

    hall: HallEntry
    counter: str
    who: Principal
    now: datetime
