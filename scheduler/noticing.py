"""Of what somebody who waits is told: what is news to her, worth saying, and not said before. Pure.

One thing at a time: the most important. What only matters a little is not said again and again.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

News = Literal["turn_near", "hall_closing", "line_delayed", "counter_opened", "better_hall"]

# Her turn is near, too, when it may come (one time in ten) within so long, however many are ahead.
SOON: Final = timedelta(minutes=5)
# Who has just taken a number knows how many are before her.
JUST_CAME: Final = timedelta(minutes=2)
# A wait is longer than she was told when half of such people come so much later than the latest
# that she was told.
LATER_BY: Final = timedelta(minutes=10)
# It is shorter when it fell by so much at once, and by a third.
SOONER_BY: Final = timedelta(minutes=10)
BETTER_BY: Final = timedelta(minutes=10)
CLOSING_WITHIN: Final = timedelta(hours=1)
# What matters a little is said at most so often.
APART: Final = timedelta(minutes=10)
ALWAYS: Final[frozenset[News]] = frozenset({"turn_near", "hall_closing"})


@dataclass(frozen=True, slots=True)
class Seen:
    """How somebody who waits stands at a moment; what is not known is None.

    `soonest`, `middle` and `latest` are her wait as 10 %, 50 % and 90 % of such people have it at
    most. `counters` is how many serve her line. `better_by`: how much earlier elsewhere.
    """

    at: datetime
    issued_at: datetime
    ahead: int
    soonest: timedelta | None
    middle: timedelta | None
    latest: timedelta | None
    counters: int
    closes_at: datetime | None
    better_by: timedelta | None = None


@dataclass(slots=True)
class Known:
    """What is remembered of her from one look to the next.

    `told_latest` is the moment by which, as she was told, her turn would have come; `was_far`
    whether her turn was not near before (None: nobody looked).
    """

    told_latest: datetime | None = None
    was_far: bool | None = None
    middle: timedelta | None = None
    counters: int = 0
    told: set[News] = field(default_factory=set)
    told_closing: datetime | None = None
    told_at: datetime | None = None


def look(seen: Seen, known: Known, *, near: int) -> News | None:
    """What she is to be told now, if anything; it is remembered. Near is `near` ahead or fewer."""
    found = _news(seen, known, near)
    is_near = _is_near(seen, near)
    known.was_far = not is_near
    if known.told_latest is None and seen.latest is not None:
        known.told_latest = seen.at + seen.latest
    known.middle, known.counters = seen.middle or known.middle, seen.counters
    if found is not None:
        known.told.add(found)
        known.told_at = seen.at
        if found == "hall_closing":
            known.told_closing = seen.closes_at
    return found


def _news(seen: Seen, known: Known, near: int) -> News | None:
    if _is_near(seen, near):
        # Nothing else matters to somebody who is about to be called.
        is_news = seen.at - seen.issued_at >= JUST_CAME if known.was_far is None else known.was_far
        return "turn_near" if is_news and "turn_near" not in known.told else None
    worth: list[News] = []
    if _is_closing(seen) and known.told_closing != seen.closes_at:
        worth.append("hall_closing")
    if _is_later(seen, known):
        worth.append("line_delayed")
    if _is_sooner(seen, known):
        worth.append("counter_opened")
    if seen.better_by is not None and seen.better_by >= BETTER_BY:
        worth.append("better_hall")
    return _first(worth, seen, known)


def _first(worth: Collection[News], seen: Seen, known: Known) -> News | None:
    """The first that may be said now: what matters a little once, and not soon after another."""
    quiet = known.told_at is not None and seen.at - known.told_at < APART
    for news in worth:
        if news in ALWAYS or (news not in known.told and not quiet):
            return news
    return None


def _is_near(seen: Seen, near: int) -> bool:
    return (near > 0 and seen.ahead <= near) or _is_soon(seen)


def _is_soon(seen: Seen) -> bool:
    return seen.soonest is not None and seen.soonest <= SOON


def _is_closing(seen: Seen) -> bool:
    if seen.closes_at is None or seen.middle is None:
        return False
    left = seen.closes_at - seen.at
    return left <= CLOSING_WITHIN and seen.middle > left


def _is_later(seen: Seen, known: Known) -> bool:
    if known.told_latest is None or seen.middle is None:
        return False
    return seen.at + seen.middle >= known.told_latest + LATER_BY


def _is_sooner(seen: Seen, known: Known) -> bool:
    """A counter more serves her line, and her wait is clearly shorter for it."""
    if known.middle is None or seen.middle is None or seen.counters <= known.counters:
        return False
    gain = known.middle - seen.middle
    return gain >= SOONER_BY and gain * 3 >= known.middle
