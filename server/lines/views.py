"""What the routes of lines take and answer."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from models.halls import Issuing, LineState

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=80, examples=["系统故障"])]
ReasonEn = Annotated[str, msgspec.Meta(min_length=1, max_length=80, examples=["System failure"])]


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line as its manager sees it; `reason` is why it is not open.

    `issuing` holds for today, until `issuing_until` where that is given. With `waiting_limit`
    waiting it takes nobody else. Whoever has waited longer than `help_after_min` minutes is called
    by counters that only help the line as by its own; null: these call when they are idle.
    `overflow` are counters that serve it besides, like one of their own, until then.
    """

    code: str
    name: str
    name_en: str
    state: LineState
    reason: str | None
    reason_en: str | None
    issuing: Issuing
    issuing_until: datetime | None
    waiting_limit: int | None
    help_after_min: int | None
    overflow: list[str]
    overflow_until: datetime | None


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


class PauseLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the line gives out no numbers, as the board says it."""

    reason: Reason
    reason_en: ReasonEn | None = None


class SetLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to set; what is not named stays, and null is no limit."""

    waiting_limit: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | UnsetType | None = UNSET
    help_after_min: Annotated[int, msgspec.Meta(ge=0, le=240)] | UnsetType | None = UNSET


class OpenOverflow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which counters serve the line too, and until when today; to the end of the day without."""

    counters: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=8)]],
        msgspec.Meta(min_length=1, max_length=99),
    ]
    until: datetime | None = None
