"""One thing after another in a life: a birth, then its insurance, then where it lives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Step:
    """An item that is due `after_days` after the step before it was done, for `within_days`."""

    item: str
    after_days: int
    within_days: int


@dataclass(frozen=True, slots=True)
class Chain:
    """What follows when somebody has done the item `begins`."""

    code: str
    begins: str
    steps: Sequence[Step]


def due(chain: Chain, done: Mapping[str, date], today: date) -> Step | None:
    """The step that is due for somebody who did items on these days; None where none is.

    The first that she has not done since the chain began, while it is its time. A step whose time
    is over is not told of any more, and holds nothing up: the next counts from when it was due.
    """
    since = done.get(chain.begins)
    if since is None or since > today:
        return None
    began = since
    for step in chain.steps:
        starts = since + timedelta(days=step.after_days)
        ends = starts + timedelta(days=step.within_days)
        did = done.get(step.item)
        if did is not None and began <= did <= today:
            since = did
        elif today < starts:
            return None
        elif today <= ends:
            return step
        else:
            since = ends
    return None
