"""What the routes of emergency calls take and answer."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec


class CallForHelp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is the matter, if there is time to say. `pause`: the counter also takes nobody new."""

    note: Annotated[str, msgspec.Meta(max_length=200, examples=["请立即派保安到场"])] | None = None
    pause: bool = False


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """An emergency call. `calls` is how often the counter has called until it was acknowledged.

    `note` is what was said first, `later_notes` what was said with later calls, the newest last.
    """

    id: UUID
    counter: str
    note: str | None
    later_notes: list[str]
    raised_at: datetime
    raised_by: str | None
    calls: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class AlertLimits(msgspec.Struct, frozen=True, kw_only=True):
    """From when on something in the hall needs somebody, as the hall decided.

    A line whose wait is so long, a call that nothing followed for so long, and a service that takes
    `usual_times` its usual time.
    """

    wait_s: int
    call_s: int
    usual_times: int


class AlertPage(msgspec.Struct, frozen=True):
    """Emergency calls, newest first, a page at a time."""

    data: list[AlertView]
    next_cursor: str | None


class AlertsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which: those that nobody has acknowledged, or all."""

    state: Literal["open", "all"] = "open"
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    cursor: UUID | None = None
