"""Who is next: the published rule of a hall, as one number.

Everybody is served in the order of rank time, the lowest first. A walk-in's rank time is when her
number was issued. Ties (the same microsecond) go by ticket id, which rises with time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

# How long before its issue a ticket's rank time lies.
CREDIT_OF_WALK_IN = timedelta(0)


class Ranked(Protocol):
    """Anything that stands in line."""

    @property
    def id(self) -> UUID:
        """The ticket's id."""

    @property
    def rank_time(self) -> datetime:
        """Its place in the published order."""


Waiting = TypeVar("Waiting", bound=Ranked)


def next_up(heads: Iterable[Waiting]) -> Waiting | None:
    """The one to call, from the first of each line a counter serves; None when nobody waits."""
    return min(heads, key=lambda head: (head.rank_time, head.id), default=None)
