"""When longer hours, or some on a weekend, are worth proposing: where more want to come than fit.

Pure: what was and is wanted by day goes in, proposals with the numbers behind them come out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Final, Literal

# A day is not made longer than this, nor a weekend's one shorter or longer than these.
MOST_LONGER_MIN: Final = 120
LEAST_WEEKEND_MIN: Final = 120
MOST_WEEKEND_MIN: Final = 480
# Hours change by steps that people can remember.
STEP_MIN: Final = 30
SATURDAY: Final = 5
Kind = Literal["longer", "weekend"]


@dataclass(frozen=True, slots=True)
class DayWanted:
    """A day of a line: so many wanted to come, and so many can be served, in people."""

    day: date
    serves: float
    booked: float
    unmet: float
    walk_ins: float

    @property
    def wanted(self) -> float:
        """Everybody who wanted to come."""
        return self.booked + self.unmet + self.walk_ins

    @property
    def short(self) -> float:
        """How many more wanted to come than could be served."""
        return max(self.wanted - self.serves, 0.0)


@dataclass(frozen=True, slots=True)
class Proposal:
    """So many more minutes on a weekday (0 is Monday), and what it rests on.

    `days` were looked at, and on `days_over` of them more wanted to come than fit; the rest are
    means of a day, in people, for a weekend those of a whole week: who had booked, who waited for
    a place in vain, who came without; how many can be served, how many were too many, and how many
    the added time would serve.
    """

    kind: Kind
    weekday: int
    minutes: int
    days: int
    days_over: int
    booked: float
    unmet: float
    walk_ins: float
    serves: float
    short: float
    would_serve: float


def propose(
    days: Iterable[DayWanted],
    *,
    counters: float,
    minutes: float,
    opens: Collection[int],
) -> list[Proposal]:
    """Longer weekdays for what they can take, and a day of the weekend for the rest.

    `counters` serve the line, a person in `minutes` each; it opens on the weekdays of `opens`. A
    weekday counts when on at least half of its days, and on two where there are as many, more
    wanted to come than fit. Nothing is proposed to nobody: no counters, no proposals.
    """
    if counters <= 0 or minutes <= 0:
        return []
    by_weekday: defaultdict[int, list[DayWanted]] = defaultdict(list)
    for day in days:
        by_weekday[day.day.weekday()].append(day)
    per_min = counters / minutes
    longer, left = [], 0.0
    for weekday, seen in sorted(by_weekday.items()):
        over = sum(day.short > 0 for day in seen)
        if over * 2 < len(seen) or over < min(2, len(seen)):
            continue
        short = _mean(seen, "short")
        added = min(_steps(short / per_min), MOST_LONGER_MIN)
        longer.append(_proposal("longer", weekday, added, seen, per_min))
        left += max(short - added * per_min, 0.0)
    free = [day for day in (SATURDAY, SATURDAY + 1) if day not in opens]
    if left <= 0 or not free:
        return longer
    added = min(max(_steps(left / per_min), LEAST_WEEKEND_MIN), MOST_WEEKEND_MIN)
    week = [day for proposal in longer for day in by_weekday[proposal.weekday]]
    weekend = _proposal("weekend", free[0], added, week, per_min, per=len(longer), short=left)
    return [*longer, weekend]


def _proposal(
    kind: Kind,
    weekday: int,
    added: int,
    seen: Sequence[DayWanted],
    per_min: float,
    *,
    per: int = 1,
    short: float | None = None,
) -> Proposal:
    short = _mean(seen, "short") if short is None else short
    return Proposal(
        kind=kind,
        weekday=weekday,
        minutes=added,
        days=len(seen),
        days_over=sum(day.short > 0 for day in seen),
        booked=round(_mean(seen, "booked") * per, 1),
        unmet=round(_mean(seen, "unmet") * per, 1),
        walk_ins=round(_mean(seen, "walk_ins") * per, 1),
        serves=round(_mean(seen, "serves") * per, 1),
        short=round(short, 1),
        would_serve=round(min(added * per_min, short), 1),
    )


def _mean(seen: Sequence[DayWanted], what: str) -> float:
    return float(sum(getattr(day, what) for day in seen)) / len(seen)


def _steps(minutes: float) -> int:
    return ceil(round(minutes, 6) / STEP_MIN) * STEP_MIN
