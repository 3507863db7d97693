"""The edges of a hall's day: its breaks, when numbers are given, and when whoever waits is let go.

All moments are aware; a day is one in Asia/Shanghai.
"""

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from scheduler.calendar import (
    Timetable,
    business_day,
    closes_at,
    last_close,
    next_open,
    open_spans,
)
from scheduler.discipline import Rules

HallState = Literal["open", "break", "closed"]


class Now(NamedTuple):
    """Whether a hall is open, in a break between two openings of one day, or closed.

    `resumes_at` is when a break ends, else None.
    """

    state: HallState
    resumes_at: datetime | None = None


def state_at(timetable: Timetable, at: datetime) -> Now:
    """How a hall stands at that moment."""
    if closes_at(timetable, at) is not None:
        return Now("open")
    spans = open_spans(timetable, business_day(at))
    later = [span.start for span in spans if span.start > at]
    if later and spans[0].start <= at:
        return Now("break", later[0])
    return Now("closed")


def gives_numbers(timetable: Timetable, at: datetime, rules: Rules) -> bool:
    """Whether numbers may be taken: the hall is open, or opens soon enough on this day."""
    opens = next_open(timetable, at)
    if opens is None or business_day(opens) != business_day(at):
        return False
    return opens - at <= timedelta(minutes=rules.issue_before_open_min)


def open_left(timetable: Timetable, at: datetime) -> timedelta:
    """How long the hall is still open on this day, its breaks left out."""
    spans = open_spans(timetable, business_day(at))
    return sum((span.end - max(span.start, at) for span in spans if span.end > at), timedelta())


def let_go_at(timetable: Timetable, day: date, rules: Rules) -> datetime | None:
    """When whoever still waits is let go: so long after the last opening as the rule gives the
    clerks to empty the room. None on a day without any opening.
    """
    closed = last_close(timetable, day)
    return None if closed is None else closed + timedelta(minutes=rules.after_close_min)


def is_over(timetable: Timetable, at: datetime, *, staffed: bool, rules: Rules) -> bool:
    """Whether nobody who still waits will be served on this day any more.

    After the last opening that is so once no counter is open (`staffed` says whether one is), or
    so many minutes later as the rule gives the clerks to empty the room. On a day without any
    opening only the counters tell.
    """
    day = business_day(at)
    closed, let_go = last_close(timetable, day), let_go_at(timetable, day, rules)
    if closed is None or let_go is None:
        return not staffed
    return at >= closed and (not staffed or at >= let_go)
