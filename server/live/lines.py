"""A line as it is shown: why it is not open, and how many numbers it can still give today."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, Literal

import msgspec

from models.halls import Issuing, LineState
from scheduler.calendar import business_day
from server.live.state import LiveLine, Wait

# From so few on, people are told about when the last will be given.
FEW_LEFT = 20

_FULL: Final = ("今天剩余的时间已排满", "The time left today is full")
_NO_MORE: Final = ("今天不再取号", "No more numbers today")
ReasonCode = Literal["paused", "stopped", "day_full", "no_more_today"]
Why = tuple[ReasonCode | None, str | None, str | None]

# The columns of a line's row that can be seen.
LINE_COLUMNS = (
    """code, name, name_en, state, reason, reason_en, issuing, issuing_on, issuing_until,"""
    """ help_after_min"""
)


class LineRow(msgspec.Struct, frozen=True):
    """A line's row."""

    code: str
    name: str
    name_en: str
    state: str
    reason: str | None
    reason_en: str | None
    issuing: Issuing
    issuing_on: date | None
    issuing_until: datetime | None
    help_after_min: int | None = None


class Outlook(msgspec.Struct, frozen=True):
    """How many more numbers a line could give at a moment when so many waited or were called.

    `stops_at` is about when it will give the last one.
    """

    day: date
    left: int
    waiting: int
    stops_at: datetime | None


def live_line(
    row: LineRow,
    waiting: int,
    away: int,
    *,
    called: int = 0,
    outlook: Mapping[str, Outlook],
    on_arrival: tuple[Wait, ...] = (),
    now: datetime,
) -> LiveLine:
    """A line with so many waiting, of whom so many have not checked in where that is required.

    So many more are `called` and have not begun. `outlook` is what is known of the hall's lines by
    code. `on_arrival` are the waits of who joins later; nobody joins a line that gives no numbers.
    """
    issuing = _issuing(row, now)
    left = _left(issuing, outlook.get(row.code), waiting + called, now)
    if row.state != LineState.OPEN or left == 0:
        on_arrival = ()
    code, reason, reason_en = _why_not(row, issuing, left)
    few = left is not None and 0 < left <= FEW_LEFT and issuing is Issuing.AUTO
    return LiveLine(
        code=row.code,
        name=row.name,
        name_en=row.name_en,
        state=row.state,
        waiting=waiting,
        wait=on_arrival[0] if on_arrival else None,
        away=away,
        reason_code=code,
        reason=reason,
        reason_en=reason_en,
        issuing=issuing,
        left_today=left,
        stops_at=outlook[row.code].stops_at if few else None,
        on_arrival=on_arrival,
    )


def _why_not(row: LineRow, issuing: Issuing, left: int | None) -> Why:
    """Why it gives no numbers now, as a code and in two languages; nothing where it does."""
    if row.state == LineState.PAUSED:
        return "paused", row.reason, row.reason_en
    if row.state == LineState.STOPPED:
        return "stopped", row.reason, row.reason_en
    if issuing is Issuing.STOPPED:
        return "no_more_today", *_NO_MORE
    return ("day_full", *_FULL) if left == 0 else (None, None, None)


def _issuing(row: LineRow, now: datetime) -> Issuing:
    """What a manager decided, while it holds."""
    over = row.issuing_until is not None and now >= row.issuing_until
    return Issuing.AUTO if row.issuing_on != business_day(now) or over else row.issuing


def _left(issuing: Issuing, outlook: Outlook | None, waiting: int, now: datetime) -> int | None:
    if issuing is Issuing.STOPPED:
        return 0
    if issuing is Issuing.OPEN or outlook is None or outlook.day != business_day(now):
        return None
    # Whoever gives up makes room again; whoever is served since took the time that was reckoned.
    return min(outlook.left, max(0, outlook.left + outlook.waiting - waiting))
