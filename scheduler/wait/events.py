"""What happens in a hall, as waits are learned from it: one event type, live and in replay alike.

Times are minutes of the business day and may pass 1440. `day` is any whole number that rises from
one business day to the next. A ticket is unique in (day, hall, line).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# issue: joins (again, when she comes back or is sent on)   call: called to a counter
# finish, miss: her counter is free again, served or not    leave: gone before being called
# rank: her place changed; detail `rank@<minute>`           counters: detail = how many are open
# counter_open: detail = its lines joined by `+`            counter_close: finishes whom it serves
#   (and `;helps@A+B`: those of them that it only helps)
_OF_TICKETS: Final = ("issue", "call", "finish", "miss", "leave", "rank")
KINDS: Final = frozenset([*_OF_TICKETS, "counters", "counter_open", "counter_close"])
COLUMNS: Final = ("day", "t", "hall", "line", "event", "ticket", "counter", "detail")


@dataclass(frozen=True, slots=True)
class Event:
    """One row of a trace, or one of our own ticket events told in these words."""

    day: int
    t: float
    hall: str
    line: str
    kind: str
    ticket: str = ""
    counter: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """What an issue's detail tells; `rank` is a rank time in minutes where one is given.

    `again`: she was called before, and is back in line.
    """

    slot: float | None = None
    rank: float | None = None
    priority: bool = False
    scored: bool = True
    again: bool = False


class NotAnEvent(ValueError):
    """A row that tells nothing of a hall."""


def event_of(row: Mapping[str, str]) -> Event:
    """Read a trace's row. Raises NotAnEvent where a column is missing or no number."""
    try:
        day, t = int(row["day"]), float(row["t"])
        kind = row["event"]
        words = [row[name] or "" for name in ("hall", "line", "ticket", "counter", "detail")]
    except (KeyError, TypeError, ValueError) as wrong:
        raise NotAnEvent(f"{wrong}") from None
    if kind not in KINDS or not math.isfinite(t):
        raise NotAnEvent(f"{kind} at {t}")
    hall, line, ticket, counter, detail = words
    return Event(day, t, hall, line, kind, ticket, counter, detail)


def marks_of(detail: str) -> Marks:
    """Read an issue's words, joined by `;`; a word that says nothing to us is passed over."""
    if not detail:
        return _PLAIN
    slot = rank = None
    words = detail.split(";")
    for word in words:
        name, at, minute = word.partition("@")
        if at and name == "appointment":
            slot = minute_of(minute)
        elif at and name == "rank":
            rank = minute_of(minute)
    return Marks(slot, rank, "priority" in words, "unscored" not in words, "again" in words)


def lines_of(detail: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines that a counter serves, and those of them that it only helps."""
    own, _, more = detail.partition(";")
    lines = tuple(each for each in own.split("+") if each)
    name, _, helped = more.partition("@")
    helps = set(helped.split("+")) if name == "helps" else set()
    return lines, tuple(each for each in lines if each in helps)


def detail_of(lines: Sequence[str], helps: Collection[str]) -> str:
    """What `lines_of` reads."""
    helped = "+".join(each for each in lines if each in helps)
    return "+".join(lines) + (f";helps@{helped}" if helped else "")


def minute_of(text: str) -> float | None:
    """A finite number of minutes, or None."""
    try:
        minute = float(text)
    except ValueError:
        return None
    return minute if math.isfinite(minute) else None


_PLAIN: Final = Marks()
