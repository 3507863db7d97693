"""What the routes of lines take and answer."""

from datetime import datetime
from typing import Annotated

import msgspec

from models.halls import Issuing, LineState

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=80, examples=["系统故障"])]
ReasonEn = Annotated[str, msgspec.Meta(min_length=1, max_length=80, examples=["System failure"])]


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line as its manager sees it; `reason` is why it is not open.

    `issuing` holds for today, until `issuing_until` where that is given.
    """

    code: str
    name: str
    name_en: str
    state: LineState
    reason: str | None
    reason_en: str | None
    issuing: Issuing
    issuing_until: datetime | None


class StoppedLine(LineView, frozen=True, kw_only=True):
    """A line that was stopped: how many were sent elsewhere, and how many wait on in it."""

    sent: int
    stayed: int


class SendTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where those go who wait: exactly one of a line of this hall, or another hall."""

    line: Annotated[str, msgspec.Meta(min_length=1, max_length=4, examples=["E"])] | None = None
    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] | None = None


class StopLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the line stops, as the board says it; without `to` those who wait stay in it."""

    reason: Reason
    reason_en: ReasonEn | None = None
    to: SendTo | None = None


class SetIssuing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds today: `auto`, `open` (whatever time is left) or `stopped`, and until when."""

    mode: Issuing
    until: datetime | None = None
