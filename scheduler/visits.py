"""In which order somebody goes through the stops of a visit, so that the whole takes least.

She is at one counter at a time, and keeps her place everywhere from the moment she signed in: while
she is at one counter, her wait in every other line runs on. So this is one machine (she), jobs with
release dates (when each line would call her), processing times (the minutes at the counter) and
precedence: 1 | r_j, prec | C_max. It is solved exactly by taking the stops in the order of their
release dates, each first raised to the end of what must come before it: the mirror image of the
problem 1 | prec | L_max of E. L. Lawler, "Optimal sequencing of a single machine subject to
precedence constraints", Management Science 19 (1973), 544-546; so told in P. Brucker, "Scheduling
Algorithms", section 4.1.

How exact the answer is hangs on the waits, which are rough (`releases`): good enough to choose an
order by, and never shown to anybody.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Stop(Generic[Key]):
    """An item to be done: `release` minutes from now its line would call her, it takes `minutes`.

    `after` names stops that come before it; those that are none of these have been.
    """

    key: Key
    release: float
    minutes: float
    after: frozenset[Key] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class LineNow:
    """A line as she would join it: how many are before her, how long each takes, who serves it."""

    ahead: int
    mean_minutes: float
    counters: int


class NoOrder(ValueError):
    """Stops that wait for each other in a circle."""


def in_order(stops: Sequence[Stop[Key]]) -> list[Stop[Key]]:
    """The stops in an order in which the last ends as early as possible.

    Of two that could be done alike the one given first comes first. Raises NoOrder.
    """
    releases = _raised(stops)
    rest = list(stops)
    order: list[Stop[Key]] = []
    while rest:
        open_keys = {stop.key for stop in rest}
        able = [stop for stop in rest if not stop.after & open_keys]
        chosen = min(able, key=lambda stop: releases[stop.key])
        rest.remove(chosen)
        order.append(chosen)
    return order


def ends_after(order: Sequence[Stop[Key]]) -> float:
    """Minutes until the last of these stops ends, done in this order."""
    now = 0.0
    for stop in order:
        now = max(now, stop.release) + stop.minutes
    return now


def releases(lines: Mapping[Key, LineNow]) -> dict[Key, float]:
    """About how many minutes from now each line would call her.

    Those before her, at so many minutes each, by the counters that serve the line. Of a line that
    no counter serves nothing is known but its length: such come after all others, the shortest
    first.
    """
    known = {
        key: line.ahead * line.mean_minutes / line.counters
        for key, line in lines.items()
        if line.counters
    }
    later = max(known.values(), default=0.0) + sum(line.mean_minutes for line in lines.values())
    unknown = {
        key: later + line.ahead * line.mean_minutes
        for key, line in lines.items()
        if not line.counters
    }
    return known | unknown


def _raised(stops: Sequence[Stop[Key]]) -> dict[Key, float]:
    """Each release date, raised to the earliest end of what comes before the stop."""
    by_key = {stop.key: stop for stop in stops}
    raised: dict[Key, float] = {}
    while len(raised) < len(by_key):
        ready = [
            stop
            for stop in stops
            if stop.key not in raised and all(key in raised for key in stop.after & by_key.keys())
        ]
        if not ready:
            raise NoOrder
        for stop in ready:
            ends = [raised[key] + by_key[key].minutes for key in stop.after & by_key.keys()]
            raised[stop.key] = max([stop.release, *ends])
    return raised
