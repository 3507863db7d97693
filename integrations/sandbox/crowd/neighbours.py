"""The halls of the city as they look from one another."""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Any, Protocol


class Place(Protocol):
    """What a hall looks like from another."""

    code: str
    opened: asyncio.Event
    place: dict[str, Any] | None

    @property
    def waiting(self) -> int:
        """How many wait in all its lines."""

    @property
    def clerks(self) -> int:
        """How many clerks are on duty."""

    def offers(self, item: str) -> bool:
        """Whether the item can be done there."""


class Neighbours:
    """Where else somebody can go."""

    def __init__(self) -> None:
        self._halls: dict[str, Place] = {}

    def meet(self, halls: Iterable[Place]) -> None:
        """Learn which halls there are."""
        self._halls = {hall.code: hall for hall in halls}

    def place_of(self, hall: str) -> dict[str, Any] | None:
        """Where a hall is; None where that is not known."""
        return self._halls[hall].place if hall in self._halls else None

    def elsewhere(self, hall: str, item: str) -> str | None:
        """An open hall for the item where a clerk has at most half as many waiting as here."""
        here = self._halls.get(hall)
        others = [
            other
            for other in self._halls.values()
            if other is not here and other.opened.is_set() and other.clerks and other.offers(item)
        ]
        best = min(others, key=pressure, default=None)
        if here is None or best is None or 2 * pressure(best) > pressure(here):
            return None
        return best.code

    def any_hall_but(self, hall: str, dice: Random, item: str | None = None) -> str | None:
        """Any other hall where clerks are on duty, and that offers the item."""
        others = [
            other.code
            for other in self._halls.values()
            if other.code != hall
            and other.opened.is_set()
            and other.clerks
            and (item is None or other.offers(item))
        ]
        return dice.choice(others) if others else None


def pressure(hall: Place) -> float:
    """How many wait for each clerk."""
    return hall.waiting / max(1, hall.clerks)
