"""Appointments' rules: what a hall may decide about its bookings, and what follows from them.

Pure: facts and `now` in, choice out. All moments are aware, all rules whole numbers.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Final, Literal

# What is away for less than this keeps nobody from checking in.
LEAST_OUTAGE: Final = timedelta(minutes=5)
Arrival = Literal["too_early", "early", "on_time", "late", "too_late"]


@dataclass(frozen=True, slots=True)
class BookingRules:
    """What a hall may decide about its appointments; these are the usual.

    Names tell the unit: `…_min` minutes, `…_h` hours, `…_days` days, `…_percent` of a hundred.
    """

    # How long a slot is, and which part of what its counters can serve is given to bookings.
    slot_min: int = 30
    book_share_percent: int = 50
    # Parts of that kept for people over 70, for companies, and for whom the hall books by itself,
    # at its desk or by telephone, until so many hours before.
    elders_percent: int = 0
    companies_percent: int = 0
    desk_percent: int = 0
    keep_parts_h: int = 24
    # How many working days ahead one may book, until how long before the slot.
    book_working_days: int = 5
    book_before_min: int = 30
    # How long a place is held unconfirmed, and one offered to who waits for it.
    hold_min: int = 5
    offer_min: int = 10
    # Until when one may cancel; and how many a person may book in a week and a month (0: any).
    cancel_before_min: int = 120
    book_per_week: int = 5
    book_per_month: int = 10
    # From when before her slot she may check in, how late still counts as in time, and how late
    # she may come at all: then her place is over, and she has missed it.
    early_min: int = 60
    grace_late_min: int = 10
    most_late_min: int = 30
    # So many missed within so many days block her booking for so long (0: never).
    no_shows_to_block: int = 2
    no_show_days: int = 90
    block_days: int = 30
    # How much above what fits may be booked at most, and in how many slots of a thousand more
    # people than fit may then come.
    overbook_percent: int = 10
    overflow_permille: int = 50
    # So long before her slot somebody is reminded of it, besides the day before (0: never).
    remind_before_h: int = 2

    @classmethod
    def of(cls, differing: Mapping[str, int]) -> "BookingRules":
        """The usual rules but for those named; names that are none of ours do not matter."""
        return cls(**{name: differing[name] for name in BOOKING_RULES if name in differing})


# Each rule with the least and the most that it may be.
BOOKING_RULES: Final[Mapping[str, tuple[int, int]]] = {
    **{field.name: (0, 240) for field in fields(BookingRules)},
    "slot_min": (5, 240),
    "book_share_percent": (0, 100),
    "elders_percent": (0, 100),
    "companies_percent": (0, 100),
    "desk_percent": (0, 100),
    "book_working_days": (0, 40),
    "book_before_min": (0, 1440),
    "hold_min": (1, 60),
    "offer_min": (1, 120),
    "cancel_before_min": (0, 2880),
    "book_per_week": (0, 100),
    "book_per_month": (0, 400),
    # Nobody overtakes by more than the discipline lets anybody.
    "grace_late_min": (0, 60),
    "no_shows_to_block": (0, 20),
    "no_show_days": (1, 366),
    "block_days": (1, 366),
    "overbook_percent": (0, 50),
    "overflow_permille": (0, 200),
    "remind_before_h": (0, 12),
}


def closes_at(slot_start: datetime, rules: BookingRules) -> datetime:
    """From when on a slot is not to be booked any more."""
    return slot_start - timedelta(minutes=rules.book_before_min)


def booked_from(now: datetime, rules: BookingRules) -> datetime:
    """The start of the first slot that may still be booked now."""
    return now + timedelta(minutes=rules.book_before_min)


def may_cancel(
    slot_start: datetime, booked_at: datetime, now: datetime, rules: BookingRules
) -> bool:
    """Whether a booking may still be given up."""
    return now <= cancel_until(slot_start, booked_at, rules)


def cancel_until(slot_start: datetime, booked_at: datetime | None, rules: BookingRules) -> datetime:
    """Until when it may be: in time, or within a hold's time of booking (None: not booked yet)."""
    in_time = slot_start - timedelta(minutes=rules.cancel_before_min)
    if booked_at is None:
        return in_time
    return max(in_time, min(booked_at + timedelta(minutes=rules.hold_min), slot_start))


def slots_needed(minutes: int, slot_min: int) -> int:
    """How many slots in a row an item, or several together, of so many minutes take."""
    return max(1, -(-minutes // slot_min))


def arrival(slot_start: datetime, now: datetime, rules: BookingRules) -> Arrival:
    """How she comes who checks in now: before she may, in time, late, or when it is over."""
    if now < slot_start - timedelta(minutes=rules.early_min):
        return "too_early"
    if now <= slot_start:
        return "early" if now < slot_start else "on_time"
    if now <= slot_start + timedelta(minutes=min(rules.grace_late_min, rules.most_late_min)):
        return "on_time"
    return "late" if now <= missed_at(slot_start, rules) else "too_late"


def rank_time(slot_start: datetime, now: datetime, rules: BookingRules) -> datetime:
    """Her place in the line's published order: her slot's start, or, when late, this moment."""
    return now if arrival(slot_start, now, rules) in {"late", "too_late"} else slot_start


def missed_at(slot_start: datetime, rules: BookingRules) -> datetime:
    """Until when her place waits for her; after it she has missed it."""
    return slot_start + timedelta(minutes=rules.most_late_min)


def check_in_times(slot_start: datetime, rules: BookingRules) -> tuple[datetime, datetime]:
    """From when to when she may check in."""
    return slot_start - timedelta(minutes=rules.early_min), missed_at(slot_start, rules)


def excuses(
    since: datetime, until: datetime | None, slot_start: datetime, rules: BookingRules
) -> bool:
    """Whether what was not there from `since` until `until` (None: still) excuses who did not come.

    It does where it took `LEAST_OUTAGE` of the time in which she could check in, or all of it.
    """
    first, last = check_in_times(slot_start, rules)
    within = min(until or last, last) - max(since, first)
    return within >= min(LEAST_OUTAGE, last - first)


def counted_from(day: date) -> date:
    """The first day whose bookings count beside one on this day: its week's, or its month's."""
    return min(_monday(day), day.replace(day=1))


def counted_until(day: date) -> date:
    """The last such day."""
    next_month = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    return max(_monday(day) + timedelta(days=6), next_month - timedelta(days=1))


def used_up(booked: Mapping[date, int], days: Iterable[date], rules: BookingRules) -> list[date]:
    """On which of these days a person may book no more, as she has booked in its week or month.

    `booked`: how many of hers count on which day, from `counted_from` to `counted_until` of them.
    """
    in_week: Counter[date] = Counter()
    in_month: Counter[date] = Counter()
    for day, many in booked.items():
        in_week[_monday(day)] += many
        in_month[day.replace(day=1)] += many
    return [
        day
        for day in days
        if 0 < rules.book_per_week <= in_week[_monday(day)]
        or 0 < rules.book_per_month <= in_month[day.replace(day=1)]
    ]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def until_blocked(
    missed: Iterable[datetime], slot_start: datetime, rules: BookingRules
) -> int | None:
    """With how many more missed, the one of this slot among them, booking is blocked; None: never.

    `missed` are the starts of those that count already, without this one.
    """
    if not rules.no_shows_to_block:
        return None
    since = missed_at(slot_start, rules) - timedelta(days=rules.no_show_days)
    return max(rules.no_shows_to_block - sum(start > since for start in missed), 1)
