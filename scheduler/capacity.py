"""How many places a slot has: what its counters can serve, the parts kept, and how many more.

Pure. Places are people of usual length; whoever takes longer takes several slots.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import comb
from typing import Final, NamedTuple, TypeVar

# How many people's worth of evidence a rate must bring to count as much as what it is shrunk to.
PRIOR_PEOPLE: Final = 20.0
# What is believed of a city of which nothing is known yet.
USUAL_NO_SHOW: Final = 0.05
_LARGEST: Final = 1_000
Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Places:
    """How many places a slot has in all, and how many of these are kept for whom."""

    capacity: int
    elders: int = 0
    companies: int = 0
    desk: int = 0


class Cell(NamedTuple):
    """Where and when people were expected: a rate is learned for each."""

    hall: str
    item: str
    weekday: int
    hour: int


class Came(NamedTuple):
    """Of so many who were expected so many did not come."""

    expected: int
    missed: int


def places(
    counters: float,
    minutes: float,
    slot_min: int,
    share_percent: int,
    *,
    elders_percent: int = 0,
    companies_percent: int = 0,
    desk_percent: int = 0,
) -> Places:
    """The places of a slot: counters planned, by how many each serves in it, by the share booked.

    `counters` may be parts of counters that serve several lines; `minutes` are a person's usual
    time. A line that anybody serves and that is booked at all has one place at least. Raises
    ValueError for what cannot be.
    """
    if counters < 0 or minutes <= 0 or slot_min <= 0 or not 0 <= share_percent <= 100:
        raise ValueError("counters, minutes and a share in percent make places")
    served = counters * slot_min / minutes * share_percent / 100
    # A hair more, as thirds of counters add up to a little less than whole ones.
    capacity = max(int(served + 1e-9), 1 if served > 0 else 0)
    return parts(capacity, elders_percent, companies_percent, desk_percent)


def parts(
    capacity: int, elders_percent: int, companies_percent: int, desk_percent: int = 0
) -> Places:
    """Some of the places kept for groups, rounded down, never more than there are in all."""
    elders = min(capacity * elders_percent // 100, capacity)
    companies = min(capacity * companies_percent // 100, capacity - elders)
    desk = min(capacity * desk_percent // 100, capacity - elders - companies)
    return Places(capacity, elders, companies, desk)


def overflow_chance(booked: int, capacity: int, no_show: float) -> float:
    """The chance that of so many who booked more come than there are places for.

    Each stays away by herself with the chance `no_show`: the upper tail of a binomial.
    """
    if booked <= capacity:
        return 0.0
    comes = 1.0 - no_show
    tail = (
        comb(booked, many) * comes**many * no_show ** (booked - many)
        for many in range(max(capacity, -1) + 1, booked + 1)
    )
    return min(sum(tail), 1.0)


def overbooking(capacity: int, no_show: float, *, most_percent: int, chance: float) -> int:
    """How many more may book than there are places, because some will not come.

    At most so many percent of the places, and never so many that more come than fit with a greater
    chance than `chance`.
    """
    most = min(capacity, _LARGEST) * most_percent // 100
    more = 0
    while more < most and overflow_chance(capacity + more + 1, capacity, no_show) <= chance:
        more += 1
    return more


class NoShows:
    """Rates at which people do not come, each leaning on a wider one where little is known.

    An hour of a weekday leans on its item in the hall, the item on the hall, the hall on the city,
    the city on what is usual: a cell where one of one stayed away says nearly nothing.
    """

    def __init__(self, seen: Mapping[Cell, Came], city: Came | None = None) -> None:
        """`city`: how many came in all of it, where `seen` are only some of its cells."""
        self._city = _shrunk(city or _sum(seen.values()), USUAL_NO_SHOW)
        self._halls = {
            hall: _shrunk(came, self._city) for hall, came in _by(seen, lambda c: c.hall).items()
        }
        self._items = {
            (hall, item): _shrunk(came, self._halls[hall])
            for (hall, item), came in _by(seen, lambda c: (c.hall, c.item)).items()
        }
        self._cells = {
            cell: _shrunk(came, self._items[cell.hall, cell.item]) for cell, came in seen.items()
        }

    def expected(self, cell: Cell) -> float:
        """The rate to be expected there and then, strictly between 0 and 1."""
        return self._cells.get(cell, self.of_item(cell.hall, cell.item))

    def of_item(self, hall: str, item: str) -> float:
        """The rate of an item at a hall, whenever."""
        return self._items.get((hall, item), self.of_hall(hall))

    def of_hall(self, hall: str) -> float:
        """The rate of a hall, whatever for."""
        return self._halls.get(hall, self._city)


def _shrunk(came: Came, wider: float) -> float:
    return (came.missed + PRIOR_PEOPLE * wider) / (came.expected + PRIOR_PEOPLE)


def _sum(all_who_came: Iterable[Came]) -> Came:
    seen = list(all_who_came)
    return Came(sum(came.expected for came in seen), sum(came.missed for came in seen))


def _by(seen: Mapping[Cell, Came], group: Callable[[Cell], Group]) -> dict[Group, Came]:
    groups: dict[Group, list[Came]] = {}
    for cell, came in seen.items():
        groups.setdefault(group(cell), []).append(came)
    return {name: _sum(found) for name, found in groups.items()}
