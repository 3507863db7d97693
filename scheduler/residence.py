"""Whose residents a hall takes for an item that is not for everybody: one city, levels of halls.

An item may be done at any hall that offers it (同城通办), or be limited to residents of the hall's
city, town or village. Where a hall stands above that level, it takes all who live below it.
"""

from collections.abc import Iterable
from typing import Final, Literal, Protocol

ResidentsOf = Literal["anywhere", "city", "town", "village"]

LEVELS: Final = ("city", "town", "village")  # from the top down
ANYWHERE: Final = "anywhere"
LIMITS: Final = (ANYWHERE, *LEVELS)


class Stands(Protocol):
    """A hall, which is also the name of the place whose hall it is."""

    @property
    def code(self) -> str:
        """The hall's code."""

    @property
    def level(self) -> str:
        """One of LEVELS."""


def area(hall: Stands, above: Iterable[Stands], limit: str) -> str:
    """The code of the place whose residents a hall takes, by the halls above it and a limit.

    It is the highest of them that is not above the limit, or the hall's own.
    """
    within = [each for each in above if _depth(each) >= LEVELS.index(limit)]
    return min((hall, *within), key=_depth).code


def takes(
    hall: Stands, above: Iterable[Stands], limit: str, *, home: str, above_home: Iterable[str]
) -> bool:
    """Whether a hall takes somebody who lives at `home`, below the halls of `above_home`."""
    if limit == ANYWHERE:
        return True
    return area(hall, above, limit) in {home, *above_home}


def _depth(hall: Stands) -> int:
    return LEVELS.index(hall.level)
