"""A hall's report as the API says it."""

from datetime import date
from typing import Annotated, Literal

import msgspec

from server.halls.bookable import Share


class ReportQuery(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from"}
):
    """Which days; at most 92, the last seven by default. `csv` and `xlsx` are for spreadsheets."""

    start: date | None = None
    to: date | None = None
    format: Literal["json", "csv", "xlsx"] = "json"


class DaysQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """Which days; at most 92, the last seven by default."""

    start: date | None = None
    to: date | None = None


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took, of so many: the mean, and what half and nine of ten are within."""

    count: Annotated[int, msgspec.Meta(examples=[86])]
    mean_s: Annotated[int, msgspec.Meta(examples=[790])]
    p50_s: int
    p90_s: int


class Trueness(msgspec.Struct, frozen=True, kw_only=True):
    """How true told waits were, as in `AccuracyRow`: so many, how far off, how many within."""

    count: Annotated[int, msgspec.Meta(examples=[86])]
    error_s: int
    bias_s: int
    within: float
    sooner: float
    later: float
    live: float


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line on a day; `day` null: all days together, `line` null: all lines.

    A ticket counts where it is or was last, whoever sent it there. `cancelled` were given up or
    ended with the day; `lapsed` is how many, of these and of the missed, the day's end ended;
    `open` are not over. `wait` is from the number to the call; who was taken back or sent on is
    left out. `service` is from the start to the finish; who was parked meanwhile is left out.
    `told_issue` and `told_near`: of those told with the number, and told that it is ten minutes.
    """

    day: date | None
    line: str | None
    name: str | None
    name_en: str | None
    issued: int
    served: int
    missed: int
    cancelled: int
    lapsed: int
    open: int
    wait: Spread | None
    service: Spread | None
    told_issue: Trueness | None
    told_near: Trueness | None


class ReportView(msgspec.Struct, frozen=True, rename={"start": "from"}):
    """All days together first, then day by day; in each, all lines together, then line by line.

    A day without a ticket has no rows. `bookable` is which part of its items may be booked, as it
    is now.
    """

    hall: str
    start: date
    to: date
    bookable: Share
    data: list[ReportRow]
    next_cursor: None = None
